"""What an artifact becomes: a program, a web page and C sources for its app; a bill of materials and a model card for its readers."""
