"""What an architecture of the table is: a function that leaves a source file and samples, as a user would have them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.core import Samples

SOURCES = ("pt2", "onnx", "keras")
"""A file of this package for each, with a function ``architectures()``."""


@dataclass(frozen=True)
class Size:
    """How many random samples fix the integer ranges and how many measure; fewer where one call takes a second."""

    calibration: int = 64
    evaluation: int = 256


@dataclass(frozen=True)
class Architecture:
    """A network that this project did not write.

    ``make`` writes the source file into a folder and returns it with random samples; it runs in a process of its own.
    ``note`` says in a few words where the network comes from.
    """

    name: str
    source: str
    note: str
    make: Callable[[Path, Size], tuple[Path, Samples]]
    size: Size = Size()


def all_architectures() -> list[Architecture]:
    """Every architecture, by source in the order of `SOURCES`."""
    return [each for source in SOURCES for each in importlib.import_module(f"{__package__}.from_{source}").architectures()]


def find(name: str) -> Architecture:
    """The architecture called `name`."""
    return next(each for each in all_architectures() if each.name == name)


def draw(count: int, shape: tuple[int, ...], kind: str, *, seed: int, below: int = 2) -> np.ndarray:
    """Seeded inputs ``[count, *shape]``: normal numbers, whole numbers smaller than `below`, or a mask with a random end."""
    random = np.random.default_rng(seed)
    if kind == "mask":
        ends = random.integers(shape[-1] // 2, shape[-1] + 1, (count, 1))
        return (np.arange(shape[-1])[None] < ends).astype(np.int64)
    if kind in {"int64", "int32", "uint8"}:
        return random.integers(0, below, (count, *shape)).astype(kind)
    if kind == "bool":
        return random.random((count, *shape)) < 0.5
    return random.standard_normal((count, *shape)).astype(kind)
