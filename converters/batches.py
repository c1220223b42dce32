"""Calibration samples cut into the batches that an engine can take."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from toolkit.core import Samples, Signature

CALIBRATION_BATCH = 32


def batches(samples: Samples, size: int, *, start: int = 0, exact: bool = False) -> Iterator[dict[str, np.ndarray]]:
    """`samples` in order from row `start`, `size` rows at a time; with `exact` the last batch is filled up with the first samples again,
    which changes no minimum or maximum, since a smallest and a largest value do not depend on how often they occur.
    """
    for first in range(start, len(samples), size):
        rows = np.arange(first, first + size if exact else min(first + size, len(samples))) % len(samples)
        yield samples.batch(rows)


def calibration_batch(signature: Signature) -> int:
    """The rows of a calibration batch: a fixed batch is taken as it is."""
    fixed = [size for spec in signature.inputs if isinstance(size := spec.shape[0], int)]
    return fixed[0] if fixed else CALIBRATION_BATCH
