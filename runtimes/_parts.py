"""Batches that a file does not have, put together from those it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


def _batch_axis(spec: TensorSpec, signature: Signature) -> int | None:
    """A multiple of the batch is none: whether a sample's rows lie side by side (a reshape) or apart (two batches in one) is not known."""
    return next((axis for axis, size in enumerate(spec.shape) if isinstance(size, str) and size == signature.rows), None)


@dataclass(frozen=True)
class BatchAxes:
    """Where the rows of a call lie.

    Args:
        inputs: for each the axis; None where all rows share it.
        outputs: for each the axis along which those of several calls are put together; None where no dimension is the batch.
    """

    inputs: tuple[int | None, ...]
    outputs: tuple[int | None, ...]

    @classmethod
    def of(cls, signature: Signature) -> BatchAxes:
        """As the signature says; of a fixed batch the first axis of every input."""
        rows = [signature.batch_axis(spec) if signature.rows else 0 if spec.shape else None for spec in signature.inputs]
        return cls(tuple(rows), tuple(_batch_axis(spec, signature) for spec in signature.outputs))

    def count(self, shapes: Sequence[Sequence[int]]) -> int:
        """How many rows inputs of these shapes have; 0 where they have none."""
        return next((int(shape[axis]) for axis, shape in zip(self.inputs, shapes, strict=True) if axis is not None), 0)


def in_parts(
    arrays: Sequence[np.ndarray],
    plan: Sequence[int],
    axes: BatchAxes,
    run: Callable[[list[np.ndarray]], list[np.ndarray]],
    *,
    able: str,
) -> list[np.ndarray]:
    """What `run` gives on so many rows at a time, put together along the outputs' axes; copies of the last row fill up the last part.

    Raises:
        EngineError: an output has no batch dimension; `able` says which batches need none.
    """
    known = [axis for axis in axes.outputs if axis is not None]
    if len(known) != len(axes.outputs):
        raise EngineError(
            f"batch {axes.count([array.shape for array in arrays])} has to be put together, but an output has no batch dimension",
            expected=able,
        )
    parts: list[list[np.ndarray]] = []
    start = 0
    for size in plan:
        rows = [_cut(array, axis, start, size) for array, axis in zip(arrays, axes.inputs, strict=True)]
        real = axes.count([row.shape for row in rows])
        if real < size:
            rows = [_filled(row, axis, size) for row, axis in zip(rows, axes.inputs, strict=True)]
        parts.append([output[(slice(None),) * axis + (slice(real),)] for axis, output in zip(known, run(rows), strict=True)])
        start += size
    return [np.concatenate(rows, axis=axis) for axis, rows in zip(known, zip(*parts, strict=True), strict=True)]


def _cut(array: np.ndarray, axis: int | None, start: int, size: int) -> np.ndarray:
    return array if axis is None else array[(slice(None),) * axis + (slice(start, start + size),)]


def _filled(array: np.ndarray, axis: int | None, size: int) -> np.ndarray:
    """With copies of the last row up to `size`: zeros could be values that the model never met."""
    if axis is None:
        return array
    last = array[(slice(None),) * axis + (slice(-1, None),)]
    return np.concatenate([array, np.repeat(last, size - array.shape[axis], axis=axis)], axis=axis)
