"""What a data set must be: labelled images in two fixed splits, already prepared for a network.

A new data set is one file in this folder with a `DataSet`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, final

import numpy as np

from toolkit.core import Preprocessing, Samples, Signature, TensorSpec, UnknownNameError

SPLITS = ("train", "test")


class DataSet(ABC):
    """Labelled images. ``input_shape`` is (C, H, W); ``labels`` are the classes' names in order of their numbers."""

    name: ClassVar[str]
    summary: ClassVar[str]
    labels: ClassVar[tuple[str, ...]]
    preprocessing: ClassVar[Preprocessing]
    input_shape: ClassVar[tuple[int, int, int]]

    @property
    def signature(self) -> Signature:
        """What a classifier of these images takes and gives: ``image`` ``[batch, C, H, W]`` -> ``logits`` ``[batch, classes]``, float32."""
        image = TensorSpec("image", "float32", ("batch", *self.input_shape), self.preprocessing.layout)
        return Signature((image,), (TensorSpec("logits", "float32", ("batch", len(self.labels))),))

    @final
    def load(self, split: str, folder: Path | None = None, *, rows: slice | np.ndarray | None = None) -> Samples:
        """The samples of a split.

        Args:
            split: ``train`` or ``test``.
            folder: where the user keeps the data; None means the usual places, and at last a download into the cache.
            rows: prepare only these rows, which is much faster than preparing all and picking some.

        Returns:
            ``image`` float32 ``[N, C, H, W]``, prepared as `preprocessing` says, and the targets, int64 ``[N]``.

        Raises:
            UnknownNameError: no such split.
            DataError: the data are not here and cannot be brought, or they are damaged.
        """
        if split not in SPLITS:
            raise UnknownNameError("split", split, SPLITS)
        images, targets = self._load(split, folder)
        if rows is not None:
            images, targets = images[rows], targets[rows]
        return Samples({"image": prepare(images, self.preprocessing)}, targets.astype(np.int64), f"{self.name}/{split}")

    @abstractmethod
    def is_here(self, folder: Path | None = None) -> bool:
        """Whether `load` would find the data on this machine, without a download."""

    @abstractmethod
    def _load(self, split: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
        """Raw images uint8 ``[N, H, W]`` or ``[N, H, W, C]`` and their labels uint8 ``[N]``."""


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
