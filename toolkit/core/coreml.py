"""What the two sides of Core ML agree on: the converter that writes a package and the engine, on a Mac, that opens it."""

from __future__ import annotations

import re

LARGEST = 1024
"""The largest size of a free dimension: a Core ML program has an upper bound for each."""


def coreml_name(name: str) -> str:
    """A tensor's name as a Core ML program can have it: letters, digits and underscores, no digit first."""
    return re.sub(r"^(?=\d)", "_", re.sub(r"\W", "_", name, flags=re.ASCII))
