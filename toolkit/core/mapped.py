"""Arrays that lie in files: read in parts, so that what passes through memory is bounded whatever their size is.

A page of a mapped file counts as memory of whoever has touched it, until the system wants it back; `let_go` gives it back at once.
"""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import StorageError
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


def parts_of(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """The same rows of arrays of one length, in order and few at a time, each a view; arrays without dimensions as they are."""
    size = sum(array.nbytes for array in arrays)
    if size <= CHUNK_BYTES or not all(array.ndim for array in arrays):
        yield arrays
    else:
        count = len(arrays[0])
        assert all(len(array) == count for array in arrays)
        step = max(1, CHUNK_BYTES * count // size)
        for start in range(0, count, step):
            yield tuple(array[start : start + step] for array in arrays)
            let_go(*arrays)
    let_go(*arrays)


def by_parts(function: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """The rows ``[N, ...]`` that a function makes of the rows of arrays of one length, from a few of them at a time."""
    return gathered(function(*part) for part in parts_of(*arrays))


def gathered(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Parts with at least one among them behind each other: in memory, or where they are too large for that in a file."""
    held: list[np.ndarray] = []
    rest, size = iter(parts), 0
    for part in rest:
        held.append(part)
        size += part.nbytes
        if size > _IN_MEMORY_BYTES:
            first = held[0]
            return _spilled(chain(held, rest), (-1, *first.shape[1:]), first.dtype)
    return np.concatenate(held) if len(held) > 1 else held[0]


class GrowingFile:
    """A ``.npy`` file whose number of rows is not known yet; rows are those of `like`."""

    def __init__(self, path: Path, like: np.ndarray) -> None:
        self.path, self.dtype, self.shape = path, like.dtype, like.shape[1:]
        self._rows = 0
        self._stream = path.open("wb")
        # The longest header there can be, as long as the last one: NumPy leaves room for the digits of the first dimension.
        self._start = self._header(self._stream)

    def _header(self, stream: IO[bytes]) -> int:
        about = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self._rows, *self.shape)}
        np.lib.format.write_array_header_1_0(stream, about)
        return stream.tell()

    def append(self, array: np.ndarray) -> None:
        """Write rows behind those that are there."""
        self._stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        self._rows += len(array)

    def abandon(self) -> None:
        """Close the file as it is."""
        self._stream.close()

    def close(self) -> None:
        """Complete the file."""
        self._stream.seek(0)
        end = self._header(self._stream)
        assert end == self._start, "NumPy leaves no room in the header"
        self._stream.close()


def spill_file() -> Path:
    """A new empty file for an array that does not fit into memory: where temporary files are, which is memory on some systems, only if the
    cache cannot be written.
    """
    try:
        return working_file(cache_home() / PREPARED / "rows")
    except StorageError:
        return working_file(Path(tempfile.gettempdir()) / "toolkit-rows")


def adopted(file: Path) -> np.ndarray:
    """The array of a ``.npy``: in memory where it is small, and the file gone, else mapped until nobody has it any more."""
    try:
        array: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False) if file.stat().st_size > _IN_MEMORY_BYTES else np.load(file)
    except BaseException:
        file.unlink()
        raise
    mapping = mapping_of(array)
    if mapping is None:
        file.unlink()
    else:
        weakref.finalize(mapping, file.unlink, missing_ok=True)
    return array


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


def writable(place: Place) -> np.ndarray:
    """As `opened`, for code that may write into it: that changes no file."""
    if 0 in place.shape:
        return np.empty(place.shape, place.dtype)
    return np.asarray(np.memmap(place.file, dtype=place.dtype, mode="c", offset=place.offset, shape=place.shape))


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


def _spilled(parts: Iterable[np.ndarray], shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """The parts behind each other, in a file that is gone when nobody has the array any more; as many rows as there are for -1."""
    file = spill_file()
    try:
        rows = 0
        with storage_errors(file), file.open("wb") as stream:
            for part in parts:
                stream.write(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
                rows += len(part)
        array = opened(Place(str(file), 0, dtype.str, (rows if shape[0] < 0 else shape[0], *shape[1:])))
    except BaseException:
        file.unlink()
        raise
    mapping = mapping_of(array)
    assert mapping is not None
    weakref.finalize(mapping, file.unlink, missing_ok=True)
    return array
