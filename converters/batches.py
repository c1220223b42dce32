"""Calibration samples cut into the batches that an engine can take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from toolkit.core import Dimension, InputError, Samples, Signature
from toolkit.core.free_sizes import distinct

CALIBRATION_BATCH = 32


def batches(samples: Samples, size: int, *, start: int = 0, exact: bool = False) -> Iterator[dict[str, np.ndarray]]:
    """`samples` in order from row `start`, `size` rows at a time; with `exact` the last batch is filled up with the first samples again,
    which changes no minimum or maximum, since a smallest and a largest value do not depend on how often they occur.
    """
    for first in range(start, len(samples), size):
        rows = np.arange(first, first + size if exact else min(first + size, len(samples))) % len(samples)
        yield samples.batch(rows)


def calibration_batch(signature: Signature, samples: Samples | None = None) -> int:
    """The rows of a calibration batch: a fixed batch is taken as it is, which is 1 where an input has no axis for it."""
    if samples is not None and samples.one_by_one:
        return 1
    if signature.has_free_batch:
        return CALIBRATION_BATCH
    fixed = [size for spec in signature.inputs if spec.shape and isinstance(size := spec.shape[0], int)]
    return fixed[0] if fixed else CALIBRATION_BATCH


def calibration_feeds(samples: Samples, signature: Signature) -> Iterator[dict[str, np.ndarray]]:
    """The samples in batches that the network takes, by input."""
    return batches(samples, calibration_batch(signature, samples), exact=not signature.has_free_batch)


def fixes_of(signature: Signature, format: str) -> tuple[dict[str, int], ...]:
    """The sizes for which a file of a format without free ones is made; one without any where only the batch is free.

    Raises:
        InputError: nobody says the size of one.
    """
    free = signature.free
    if not free:
        return ({},)
    found = [{symbol: each[symbol] for symbol in free if symbol in each} for each in signature.fixes]
    missing = [symbol for symbol in free if not found or symbol not in found[0]]
    if missing:
        call = ",".join(f"{symbol}={32 if not found else found[0].get(symbol, 32)}" for symbol in free)
        raise InputError(
            f"{format} needs fixed sizes",
            expected="a free batch only",
            got=f"also free: {', '.join(missing)}",
            hint=f"say them, such as --fix {call}, or give --data with samples of the usual size",
        )
    return tuple(distinct(found))


def numbered(signature: Signature, sizes: Mapping[str, int], shapes: Sequence[Sequence[int]]) -> Signature:
    """The signature with `sizes` for its symbols, and for all else in its outputs but the batch the numbers of `shapes`, which came out."""
    rows = signature.rows

    def number(size: Dimension, own: int) -> Dimension:
        return size if isinstance(size, int) or (rows and rows in size) else int(own)

    outputs = tuple(
        replace(spec, shape=tuple(number(size, own) for size, own in zip(spec.shape, shape, strict=True)))
        for spec, shape in zip(signature.outputs, shapes, strict=True)
    )
    return replace(replace(signature, outputs=outputs).fixed(sizes), fixes=())
