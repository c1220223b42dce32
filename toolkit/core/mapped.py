"""Arrays that lie in files: read in parts, so that what passes through memory is bounded whatever their size is.

A page of a mapped file counts as memory of whoever has touched it, until the system wants it back; `let_go` gives it back at once.
"""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .files import cache_home, storage_errors, working_file

CHUNK_BYTES = 2**24
"""What is read at once."""
PREPARED = "prepared"
"""The cache's folder of samples that were prepared, and of rows that were picked out of them, which are gone with their array."""
_IN_MEMORY_BYTES = 2**26


@dataclass(frozen=True)
class Place:
    """Where an array lies, for another process.

    Args:
        file: an absolute path.
        offset: the first byte.
        dtype: NumPy's name.
        shape: of the array, which is in C order.
    """

    file: str
    offset: int
    dtype: str
    shape: tuple[int, ...]


def mapping_of(array: np.ndarray) -> mmap.mmap | None:
    """The mapping that an array is a view of; None for one in memory."""
    owner: Any = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = getattr(owner, "base", None)
    return owner


def let_go(*arrays: np.ndarray) -> None:
    """Give the pages of mapped arrays back to the system, which reads them again when they are wanted; nothing is lost."""
    for array in arrays:
        found = mapping_of(array)
        if found is not None and hasattr(mmap, "MADV_DONTNEED") and getattr(array, "mode", "r") != "c":
            found.madvise(mmap.MADV_DONTNEED)


def chunks(array: np.ndarray, *, most_bytes: int = CHUNK_BYTES) -> Iterator[np.ndarray]:
    """The rows of an array in order, a few at a time, each a view; of one without dimensions the array."""
    if array.ndim == 0 or array.nbytes <= most_bytes:
        yield array
    else:
        step = max(1, most_bytes // max(1, array.nbytes // len(array)))
        for start in range(0, len(array), step):
            yield array[start : start + step]
            let_go(array)
    let_go(array)


def rows_of(array: np.ndarray, index: slice | np.ndarray) -> np.ndarray:
    """``array[index]``, which for a mapped array stays in a file unless it is small."""
    if isinstance(index, slice) or mapping_of(array) is None:
        return array[index]
    rows = np.flatnonzero(index) if index.dtype == bool else index
    if len(rows) and (np.diff(rows) == 1).all():
        return array[int(rows[0]) : int(rows[-1]) + 1]
    size = len(rows) * (array.nbytes // max(1, len(array)))
    if size <= _IN_MEMORY_BYTES:
        return in_memory(array, rows)
    step = max(1, CHUNK_BYTES * len(rows) // size)
    parts = (in_memory(array, rows[start : start + step]) for start in range(0, len(rows), step))
    return _spilled(parts, (len(rows), *array.shape[1:]), array.dtype)


def in_memory(array: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    """A copy of some rows, in C order."""
    taken = np.array(array[rows], order="C", subok=False)
    let_go(array)
    return taken


def as_type(array: np.ndarray, dtype: Any) -> np.ndarray:
    """``array.astype(dtype)``, which for a large mapped array lies in a file again."""
    if mapping_of(array) is None or array.nbytes <= _IN_MEMORY_BYTES:
        return np.asarray(array).astype(dtype)
    return _spilled((part.astype(dtype) for part in chunks(array)), array.shape, np.dtype(dtype))


def place_of(array: np.ndarray) -> Place | None:
    """Where a mapped array lies; None for one that is not wholly in a file, row behind row."""
    found = mapping_of(array)
    file, offset = getattr(array, "filename", None), getattr(array, "offset", None)
    if found is None or file is None or offset is None or not array.flags.c_contiguous:
        return None
    start = np.frombuffer(found, np.uint8).ctypes.data
    # NumPy maps from the page on in which the array begins; a view's own offset is its parent's.
    begin = offset - offset % mmap.ALLOCATIONGRANULARITY
    return Place(str(file), begin + array.ctypes.data - start, array.dtype.str, array.shape)


def opened(place: Place) -> np.ndarray:
    """The array that lies at a place, mapped for reading."""
    if 0 in place.shape:
        return np.empty(place.shape, place.dtype)
    return np.memmap(place.file, dtype=place.dtype, mode="r", offset=place.offset, shape=place.shape)


def places(arrays: Mapping[str, np.ndarray], folder: Path) -> dict[str, Place]:
    """Where each array lies; those in memory are written into `folder`."""
    found = {}
    for number, (name, array) in enumerate(arrays.items()):
        place = place_of(array) if array.size else None
        if place is None:
            np.save(file := folder / f"{number}.npy", np.asarray(array, order="C"), allow_pickle=False)
            place = place_of(np.load(file, mmap_mode="r")) if array.size else None
        found[name] = place or Place("", 0, array.dtype.str, array.shape)
    return found


def _spilled(parts: Iterator[np.ndarray], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The parts behind each other, in a file that is gone when nobody has the array any more."""
    # Not where temporary files are: that is memory on some systems.
    file = working_file(cache_home() / PREPARED / "rows")
    try:
        with storage_errors(file), file.open("wb") as stream:
            for part in parts:
                stream.write(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
        array = opened(Place(str(file), 0, dtype.str, shape))
    except BaseException:
        file.unlink()
        raise
    mapping = mapping_of(array)
    assert mapping is not None
    weakref.finalize(mapping, file.unlink, missing_ok=True)
    return array
