"""Where the rows of samples lie: on the first axis of an input, on another one, as in a state, or nowhere, as in a sample rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .errors import DataError
from .mapped import chunks
from .signature import Dimension, Signature, TensorSpec, fits

NO_AXIS = -1
"""The axis of an input that takes one sample in a call, and has none for more."""


def seen_as(arrays: Mapping[str, np.ndarray], signature: Signature, known: Mapping[str, int]) -> dict[str, int | None]:
    """For each input the axis on which the network has its rows; None for one that is the same for all samples.

    Args:
        arrays: by input as a file has them; those in `known` have their rows first already.
        signature: of the network.
        known: axes that were found before.
    """
    specs = {spec.name: spec for spec in signature.inputs}
    found = {name: known[name] if name in known else _axis(specs[name], array, signature) for name, array in arrays.items()}
    if signature.rows:
        return found
    # Nothing says where a fixed batch is: by how many rows the inputs have that have them first.
    counts = [len(array) for name, array in arrays.items() if name not in known and found[name] in {0, NO_AXIS} and array.ndim]
    rows = max(counts, default=0)
    for name, array in arrays.items():
        if name not in known and found[name] == 0 and len(array) != rows:
            found[name] = _other_axis(specs[name], array, rows)
    return found


def _axis(spec: TensorSpec, array: np.ndarray, signature: Signature) -> int | None:
    if signature.rows:
        return signature.batch_axis(spec)
    if not spec.shape:
        return None
    return NO_AXIS if array.ndim == len(spec.shape) + 1 and fits(array.shape[1:], spec.shape) else 0


def _other_axis(spec: TensorSpec, array: np.ndarray, rows: int) -> int | None:
    """The axis of an input with a fixed batch on which so many rows lie; None where the array is what every call takes, 0 for none."""
    if array.shape == spec.shape:
        return None
    places = [
        axis for axis, size in enumerate(array.shape) if size == rows and fits(_without(array.shape, axis), _without(spec.shape, axis))
    ]
    return next(iter(places), 0)


def _without(shape: tuple[Dimension, ...], axis: int) -> tuple[Dimension, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def as_rows(array: np.ndarray, axis: int) -> np.ndarray:
    """A file's array with its rows first; it is told by its rank whether they are there already."""
    return np.ascontiguousarray(np.moveaxis(array, axis, 0)) if axis > 0 and array.ndim > axis else array


def rows_first(array: np.ndarray, spec: TensorSpec, signature: Signature, *, one_by_one: bool = False) -> np.ndarray:
    """An output of one call with its rows first: on whatever axis they are, and where a call takes one sample all of an output that has no
    axis of one, such as characters by time ``[20, 1, 8210]``.

    Args:
        one_by_one: whether no input has an axis for samples.
    """
    if signature.rows:
        axis = spec.shape.index(signature.rows) if signature.rows in spec.shape else 0
        return np.moveaxis(array, axis, 0) if axis else array if array.ndim else array[None]
    single = all(each.shape[:1] == (1,) for each in signature.inputs) and spec.shape[:1] != (1,)
    return array[None] if one_by_one or single or not array.ndim else array


def as_value(spec: TensorSpec, array: np.ndarray) -> np.ndarray:
    """What every call takes, of an array of one value, or of the same one in each row, or of the whole input."""
    if not spec.shape and array.size and (array == array.reshape(-1)[0]).all():
        return np.ascontiguousarray(array.reshape(-1)[0]).reshape(())
    return np.ascontiguousarray(array.reshape(1)) if spec.shape == (1,) and array.size == 1 else np.ascontiguousarray(array)


def check_rows(spec: TensorSpec, array: np.ndarray, origin: str, *, axis: int | None) -> None:
    """Raise `DataError` unless the rows of an array, which lie first, are those of an input that has them on `axis`."""
    if array.ndim and len(array) == 0:
        raise DataError(f"samples '{origin}' are empty", expected=f"rows for {spec}", got="0 rows", hint="give at least one sample")
    row = spec.shape if axis == NO_AXIS else _without(spec.shape, axis or 0)
    if array.ndim != len(row) + 1 or not fits(array.shape[1:], row) or array.dtype != np.dtype(spec.dtype):
        shape = np.moveaxis(array, 0, axis).shape if axis and axis > 0 and array.ndim > axis else array.shape
        raise DataError(
            f"samples '{origin}' do not fit the model's input", expected=f"{spec}", got=f"{array.dtype}[{','.join(map(str, shape))}]"
        )
    if np.issubdtype(array.dtype, np.floating) and not all(np.isfinite(part).all() for part in chunks(array)):
        raise DataError(f"samples '{origin}' hold NaN or infinity in input '{spec.name}'", hint="clean the data")


def check_value(spec: TensorSpec, value: np.ndarray, origin: str) -> None:
    """Raise `DataError` unless `value` is what an input takes in every call."""
    if value.dtype != np.dtype(spec.dtype) or not fits(value.shape, spec.shape):
        raise DataError(
            f"samples '{origin}': input '{spec.name}' is the same for all samples",
            expected=f"one {spec}",
            got=f"{value.dtype}[{','.join(map(str, value.shape))}]",
        )


def start_values(
    names: Sequence[str], signature: Signature, inputs: Mapping[str, np.ndarray], axes: Mapping[str, int | None]
) -> dict[str, tuple[int | None, np.ndarray]]:
    """For inputs of which samples say nothing the axis of their rows and the array with these first, all of the signature's value; the axis
    is None for what has no rows.
    """
    specs = {spec.name: spec for spec in signature.inputs}
    count = max(map(len, inputs.values()), default=0)
    sizes: dict[Dimension, int] = {}
    for name, array in inputs.items():
        shape, own = specs[name].shape, axes[name] or 0
        sizes.update(zip(shape if own == NO_AXIS else _without(shape, own), array.shape[1:], strict=True))
    found: dict[str, tuple[int | None, np.ndarray]] = {}
    for name in names:
        spec, axis = specs[name], signature.batch_axis(specs[name])
        row = spec.shape if axis is None else _without(spec.shape, axis)
        whole = [size if isinstance(size, int) else sizes.get(size, 1) for size in row]
        found[name] = (axis, np.full(whole if axis is None else [count, *whole], signature.values[name], spec.dtype))
    return found
