"""The edges of the conversion graph: one file a converter, found by discovery; helpers that several share lie beside this folder."""
