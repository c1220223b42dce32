"""What an artifact is exported to: a web page and C sources for its app, a bill of materials and a model card for its readers."""
