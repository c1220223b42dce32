"""Source to artifact: one file an edge of the conversion graph."""
