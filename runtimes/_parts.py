"""Batches that a file does not have, put together from those it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from toolkit.core import EngineError, Signature, TensorSpec


@lru_cache(maxsize=1024)
def batch_plan(batch: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes, out of ascending `sizes`, whose calls serve `batch` rows; only the last call may have rows to spare."""
    plan: list[int] = []
    while batch > 0:
        fits = max((size for size in sizes if size <= batch), default=0)
        larger = min((size for size in sizes if size > batch), default=0)
        size = larger if larger and (not fits or 2 * batch > larger) else fits
        plan.append(size)
        batch -= size
    return tuple(plan)


def batch_axes(signature: Signature) -> tuple[int | None, ...]:
    """For each output the axis along which those of several calls are put together; None where no dimension is the batch."""
    return tuple(_batch_axis(spec, signature) for spec in signature.outputs)


def _batch_axis(spec: TensorSpec, signature: Signature) -> int | None:
    """A multiple of the batch is none: whether a sample's rows lie side by side (a reshape) or apart (two batches in one) is not known."""
    batch = signature.inputs[0].shape[:1] if signature.inputs else ()
    return next((axis for axis, size in enumerate(spec.shape) if isinstance(size, str) and (size,) == batch), None)


def in_parts(
    arrays: Sequence[np.ndarray],
    plan: Sequence[int],
    axes: Sequence[int | None],
    run: Callable[[list[np.ndarray]], list[np.ndarray]],
    *,
    able: str,
) -> list[np.ndarray]:
    """What `run` gives on so many rows at a time, put together along `axes`; copies of the last row fill up the last part.

    Raises:
        EngineError: an output has no batch dimension; `able` says which batches need none.
    """
    known = [axis for axis in axes if axis is not None]
    if len(known) != len(axes):
        raise EngineError(f"batch {len(arrays[0])} has to be put together, but an output has no batch dimension", expected=able)
    parts: list[list[np.ndarray]] = []
    start = 0
    for size in plan:
        rows = [array[start : start + size] for array in arrays]
        real = len(rows[0])
        if real < size:
            # Copies of the last row: zeros could be values that the model never met.
            rows = [np.concatenate([row, np.repeat(row[-1:], size - real, axis=0)]) for row in rows]
        parts.append([output[(slice(None),) * axis + (slice(real),)] for axis, output in zip(known, run(rows), strict=True)])
        start += size
    return [np.concatenate(rows, axis=axis) for axis, rows in zip(known, zip(*parts, strict=True), strict=True)]
