"""What an artifact is exported to for its app: a web page, C sources."""
