"""What a user may name as a source or as samples, resolved to an artifact and to calibration and evaluation sets."""
