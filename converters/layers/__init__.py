"""The operations of a model that a quantizer can do in integers or leave in float, and which of them an engine really does in integers.

One file a format: ``layers`` reads a float model, ``in_integers`` reads back from the engine what became of a quantized one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
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


def share_in_integers(layers: Iterable[Layer], integers: Collection[str]) -> float:
    """The share of all multiply-adds that is done in integers; 0 where nothing is multiplied."""
    every = list(layers)
    total = sum(layer.multiply_adds for layer in every)
    return sum(layer.multiply_adds for layer in every if layer.name in integers) / total if total else 0.0


def size_of(shape: Iterable[object]) -> int:
    """The elements of one sample of a tensor: every symbol counts as 1."""
    return prod(size if isinstance(size, int) and size > 0 else 1 for size in shape)
