"""Digits: the data set inside scikit-learn, so that everything runs without a download."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from toolkit.core import DataError, Preprocessing, StorageError, cache_home, has_module, needs, write_file

from ._idx import checked_idx, encode_idx, read_idx
from ._split import stratified
from .base import ImageSet

_FILES = {
    "images": "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
    "labels": "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
}
_TEST = 797
_LIMIT = 1 << 20


class Digits(ImageSet):
    """1,797 grey images of 8 x 8 pixels with values from 0 to 16 (Alpaydin and Kaynak 1998), 1,000 to train and 797 to test.

    The published set has no split of this size; ours is stratified, drawn once with a fixed seed.
    """

    name = "digits"
    summary = "1,000 + 797 handwritten digits, 8 x 8, 10 classes; inside scikit-learn"
    labels = tuple("0123456789")
    preprocessing = Preprocessing(scale=1 / 16, mean=(0.305,), std=(0.376,), note="mean and deviation of the pixels")
    input_shape = (1, 8, 8)

    def is_here(self, folder: Path | None = None) -> bool:  # noqa: ARG002 - this set is never in a folder
        """Whether scikit-learn is installed or the cache has the set."""
        return has_module("sklearn") or _cached() is not None

    def _load(self, split: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        images, labels = _cached() or _extracted()
        test = stratified(labels, _TEST, seed=0)
        rows = test if split == "test" else np.setdiff1d(np.arange(len(labels)), test)
        return images[rows], labels[rows]


def _folder() -> Path:
    return cache_home() / "data" / Digits.name


def _cached() -> tuple[np.ndarray, np.ndarray] | None:
    try:
        images, labels = (read_idx(_folder() / name, sha256=digest, limit=_LIMIT) for name, digest in _FILES.items())
    except DataError:
        return None
    return images, labels


def _extracted() -> tuple[np.ndarray, np.ndarray]:
    """From scikit-learn, whose import takes a second: what it gives is kept in the cache."""
    with needs("train"):
        from sklearn.datasets import load_digits
    bunch = load_digits()
    arrays = []
    for (name, digest), values in zip(_FILES.items(), (bunch.images, bunch.target), strict=True):
        content = encode_idx(values.astype(np.uint8))
        arrays.append(checked_idx(content, where=f"scikit-learn's digits, {name}", sha256=digest, limit=_LIMIT))
        with contextlib.suppress(StorageError):
            write_file(_folder() / name, content)
    return arrays[0], arrays[1]
