"""The benchmark report as one self-contained HTML page."""
