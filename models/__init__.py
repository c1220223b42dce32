"""Reference networks, their data and their training."""
