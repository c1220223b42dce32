"""Operators of an ncnn network, read from its graph; ncnn is not needed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from toolkit.core import Operators
from toolkit.core.ncnn_param import read_ncnn

_NO_OPERATORS = frozenset({"Input", "MemoryData", "Split"})


def operators(file: Path) -> Operators:
    """Every layer but inputs, constants and copies; none is quantized, no converter makes such a file."""
    types = Counter(layer.kind for layer in read_ncnn(file).layers if layer.kind not in _NO_OPERATORS)
    return Operators(types.total(), 0, dict(sorted(types.items())))
