"""What a data set must be: labelled samples in two fixed splits, already prepared for a network.

A new data set is one file in this folder with an `ImageSet` or a `TextSet`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from toolkit.core import Preprocessing, Samples, Signature, TensorSpec, UnknownNameError, Vocabulary

SPLITS = ("train", "test")


class DataSet(ABC):
    """Labelled samples. ``labels`` are the classes' names in order of their numbers."""

    name: ClassVar[str]
    summary: ClassVar[str]
    labels: ClassVar[tuple[str, ...]]

    @property
    @abstractmethod
    def signature(self) -> Signature:
        """What a classifier of these samples takes and gives; the batch is free."""

    @abstractmethod
    def preparation(self, folder: Path | None = None) -> Preprocessing:
        """How a raw sample becomes an input; a set in `folder` may decide it."""

    @abstractmethod
    def is_here(self, folder: Path | None = None) -> bool:
        """Whether `load` would find the data on this machine, without a download."""

    @final
    def load(self, split: str, folder: Path | None = None, *, rows: slice | np.ndarray | None = None) -> Samples:
        """The samples of a split.

        Args:
            split: ``train`` or ``test``.
            folder: where the user keeps the data; None means the usual places, and at last a download into the cache.
            rows: prepare only these rows, which is much faster than preparing all and picking some.

        Returns:
            The input, prepared as `preparation` says, and the targets, int64 ``[N]``.

        Raises:
            UnknownNameError: no such split.
            DataError: the data are not here and cannot be brought, or they are damaged.
        """
        if split not in SPLITS:
            raise UnknownNameError("split", split, SPLITS)
        return self._samples(split, folder, slice(None) if rows is None else rows)

    @abstractmethod
    def _samples(self, split: str, folder: Path | None, rows: slice | np.ndarray) -> Samples:
        """The prepared samples at these rows."""


class ImageSet(DataSet):
    """Labelled images. ``input_shape`` is (C, H, W)."""

    preprocessing: ClassVar[Preprocessing]
    input_shape: ClassVar[tuple[int, int, int]]

    @property
    def signature(self) -> Signature:
        """``image`` ``[batch, C, H, W]`` -> ``logits`` ``[batch, classes]``, float32."""
        image = TensorSpec("image", "float32", ("batch", *self.input_shape), self.preprocessing.layout)
        return Signature((image,), (TensorSpec("logits", "float32", ("batch", len(self.labels))),))

    def preparation(self, folder: Path | None = None) -> Preprocessing:  # noqa: ARG002 - the same wherever the files are
        """Scale, mean and deviation."""
        return self.preprocessing

    def _samples(self, split: str, folder: Path | None, rows: slice | np.ndarray) -> Samples:
        images, targets = self._load(split, folder)
        return Samples({"image": prepare(images[rows], self.preprocessing)}, targets[rows].astype(np.int64), f"{self.name}/{split}")

    @abstractmethod
    def _load(self, split: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
        """Raw images uint8 ``[N, H, W]`` or ``[N, H, W, C]`` and their labels uint8 ``[N]``."""


class TextSet(DataSet):
    """Labelled texts. ``length`` is how many tokens of each are read, ``most_words`` how many different ones are told apart."""

    length: ClassVar[int]
    most_words: ClassVar[int]

    @property
    def signature(self) -> Signature:
        """``tokens`` ``[batch, length]`` int64 -> ``logits`` ``[batch, classes]`` float32."""
        tokens = TensorSpec("tokens", "int64", ("batch", self.length))
        return Signature((tokens,), (TensorSpec("logits", "float32", ("batch", len(self.labels))),))

    @final
    def vocabulary(self, folder: Path | None = None) -> Vocabulary:
        """The commonest words of the training texts."""
        return Vocabulary.of(self.texts("train", folder)[0], length=self.length, most=self.most_words)

    def preparation(self, folder: Path | None = None) -> Preprocessing:
        """The vocabulary."""
        return Preprocessing(vocabulary=self.vocabulary(folder))

    def _samples(self, split: str, folder: Path | None, rows: slice | np.ndarray) -> Samples:
        texts, targets = self.texts(split, folder)
        chosen = [texts[row] for row in np.arange(len(texts))[rows]]
        return Samples({"tokens": self.vocabulary(folder).encode(chosen)}, targets[rows].astype(np.int64), f"{self.name}/{split}")

    @abstractmethod
    def texts(self, split: str, folder: Path | None = None) -> tuple[list[str], np.ndarray]:
        """The texts of a split and their labels ``[N]``, in an order that is always the same."""


def prepare(images: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Network inputs float32 ``[N, C, H, W]`` from raw images uint8 ``[N, H, W]`` or ``[N, H, W, C]``."""
    raw = images[:, None] if images.ndim == 3 else np.moveaxis(images, -1, 1)
    channels = raw.shape[1]
    # One entry for each of the 256 values: a look-up is several times faster than the arithmetic, and rounds the same.
    values = np.arange(256, dtype=np.float32) * np.float32(preprocessing.scale)
    mean, std = (np.broadcast_to(np.asarray(each, dtype=np.float32), channels) for each in (preprocessing.mean, preprocessing.std))
    prepared = np.empty(raw.shape, dtype=np.float32)
    for channel in range(channels):
        table = (values - mean[channel]) / std[channel]
        # Every uint8 is a valid index, and only "clip" lets NumPy write into `out` without a buffer.
        np.take(table, raw[:, channel], out=prepared[:, channel], mode="clip")
    return prepared
