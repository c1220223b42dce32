"""Files of NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.core import Samples, check_names

from .base import DataReader, Found, Given, Wanted

_SUFFIXES = (".npz", ".npy")


class ArrayFile(DataReader):
    """A ``.npz`` with an array for each input by its name, and one of the targets, or a ``.npy`` of a single input."""

    name = "arrays"
    takes = "a .npz or .npy file"
    example = "samples.npz"

    def owns(self, word: str) -> bool:
        """By the end of its name."""
        return Path(word).suffix in _SUFFIXES

    def path(self, word: str) -> Path:
        """The file."""
        return Path(word)

    def check_names(self, word: str, inputs: Sequence[str]) -> None:
        """By the names in the archive."""
        check_names(Path(word), inputs)

    def _read(self, given: Given, wanted: Wanted) -> Found:
        return Found(samples=Samples.load(Path(given.word)).fit(wanted.signature))
