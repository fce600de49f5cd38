"""Models: what can be loaded, whether it fits, and how it answers."""
