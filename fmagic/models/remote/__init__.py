"""Models on servers that speak the OpenAI protocol."""
