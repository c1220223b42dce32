"""Which layer of a converted network diverges first: intermediate values compared across formats."""

from __future__ import annotations

from .finding import Finding, Layer
from .run import Chosen, Inputs, chosen, debug

__all__ = ["Chosen", "Finding", "Inputs", "Layer", "chosen", "debug"]
