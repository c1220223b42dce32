"""Matches between players of any kind, and what they say in Elo."""
