"""Fine-tuning in parts: what is read, on which copy, how it learns, where it is kept."""
