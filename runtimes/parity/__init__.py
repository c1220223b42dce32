"""Comparing sessions: tolerances, ratios, the metric of the task."""
