"""Artifact to session: one file an engine; parity and benchmark stand on sessions."""
