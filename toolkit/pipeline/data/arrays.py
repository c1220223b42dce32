"""Files of NumPy arrays."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

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

    def check_names(self, word: str, inputs: Sequence[str], *, constants: Collection[str] = ()) -> None:
        """By the names in the archive."""
        check_names(Path(word), inputs, constants=constants)

    def shapes(self, word: str) -> dict[str, tuple[int, ...]]:
        """By the heads of the arrays; nothing of a damaged file, which is told when it is read."""
        return {name: shape for name, (shape, _) in _heads(Path(word)).items()}

    def values(self, word: str) -> dict[str, float]:
        """Of arrays of one number, as a sample rate."""
        return {name: value for name, (_, value) in _heads(Path(word)).items() if value is not None}

    def _read(self, given: Given, wanted: Wanted) -> Found:
        return Found(samples=Samples.load(Path(given.word)).fit(wanted.signature))


def _heads(path: Path) -> dict[str, tuple[tuple[int, ...], float | None]]:
    """For each array of a ``.npz`` its shape, and its number if it has but one."""
    found: dict[str, tuple[tuple[int, ...], float | None]] = {}
    with contextlib.suppress(Exception), path.open("rb") as stream:
        if not stream.read(2).startswith(b"PK"):
            return found
        with zipfile.ZipFile(stream) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    version = np.lib.format.read_magic(member)
                    head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                    shape, _, dtype = head(member)
                    alone = math.prod(shape) == 1 and dtype.kind in "fiub"
                    found[name.removesuffix(".npy")] = shape, float(np.frombuffer(member.read(), dtype)[0]) if alone else None
    return found
