"""The operations of a model that a quantizer can do in integers or leave in float, and which of them an engine really does in integers.

One file a format: ``layers`` reads a float model, ``execution`` reads back from the engine what became of a quantized one, and
``FLOAT_KINDS`` says why some kinds stay float.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Layer:
    """An operation by its name in the float model, its kind in the format's own words, and its multiply-adds for one sample: 0 for what
    multiplies no matrices.
    """

    name: str
    kind: str
    multiply_adds: int


@dataclass(frozen=True)
class Execution:
    """How an engine runs a quantized file on this machine: the layers that it computes in integers, by name, and how often it converts
    between integers and floats on the way.
    """

    integers: frozenset[str]
    conversions: int

    def share(self, layers: Iterable[Layer]) -> float:
        """The share of all multiply-adds of `layers` that is done in integers; 0 where nothing is multiplied."""
        every = list(layers)
        total = sum(layer.multiply_adds for layer in every)
        return sum(layer.multiply_adds for layer in every if layer.name in self.integers) / total if total else 0.0


def size_of(shape: Iterable[object]) -> int:
    """The elements of one sample of a tensor: every symbol counts as 1."""
    return prod(size if isinstance(size, int) and size > 0 else 1 for size in shape)
