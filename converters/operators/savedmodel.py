"""Operators of a TensorFlow SavedModel; TensorFlow is not needed."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Operators
from toolkit.core.savedmodel import savedmodel_operators

_NO_OPERATORS = frozenset({"Const", "Placeholder", "NoOp", "VarHandleOp"})


def operators(file: Path) -> Operators:
    """Every operator but constants, placeholders and variables, in functions too; none is quantized, the file is a float network."""
    types = {name: count for name, count in sorted(savedmodel_operators(file).items()) if name not in _NO_OPERATORS}
    return Operators(sum(types.values()), 0, types)
