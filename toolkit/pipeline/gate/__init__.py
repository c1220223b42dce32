"""A gate for continuous integration: is the new model slower, worse or larger than the one before?"""

from __future__ import annotations

from .check import Allowed, GateInterrupted, gate
from .history import append, read_history
from .outputs import HEAD, conditions, junit, lines_of, markdown
from .result import Change, GateReport, Row

__all__ = [
    "HEAD",
    "Allowed",
    "Change",
    "GateInterrupted",
    "GateReport",
    "Row",
    "append",
    "conditions",
    "gate",
    "junit",
    "lines_of",
    "markdown",
    "read_history",
]
