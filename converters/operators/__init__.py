"""The operators in a model file: one file a format."""
