"""Samples that are prepared once: written batch by batch, so that memory stays bounded, kept in the user's cache, and mapped from there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import (
    DataError,
    Preprocessing,
    Samples,
    Signature,
    StorageError,
    TensorSpec,
    cache_home,
    first_line,
    fits,
    mark_used,
    new_folder,
    sources_sha256,
)
from toolkit.core.files import storage_errors
from toolkit.core.mapped import PREPARED, GrowingFile, let_go

from ._order import fair_order
from .base import Found

TARGETS = "targets"
NOTE = "samples.json"
_PARTS = ("samples", "tests")


@dataclass(frozen=True)
class Batch:
    """Some samples: the inputs by name, each ``[B, ...]``, and their targets ``[B, ...]``, if they have any. ``what`` names them in
    messages.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray | None
    what: str = ""


@dataclass(frozen=True)
class _Note:
    """Beside the arrays of a part: which file holds which input, and what is said of the samples."""

    inputs: dict[str, str]
    has_targets: bool
    origin: str
    notes: tuple[str, ...]
    labels: tuple[str, ...]
    preprocessing: Preprocessing | None


class Writer:
    """Appends batches to a folder of ``.npy`` files; every batch must be as the first one."""

    def __init__(self, folder: Path, signature: Signature, origin: str) -> None:
        self._folder, self._origin = folder, origin
        self._specs = {spec.name: spec for spec in signature.inputs}
        self._files: dict[str, GrowingFile] = {}
        self.notes: list[str] = []
        self.count = 0

    def add(self, batch: Batch) -> None:
        """Raises `DataError` for a batch that does not fit the signature, or differs from those before it."""
        arrays = {name: self._fitted(self._specs[name], array, batch.what) for name, array in batch.inputs.items()}
        if batch.targets is not None:
            arrays[TARGETS] = np.asarray(batch.targets)
        rows = {name: len(array) for name, array in arrays.items()}
        if len(set(rows.values())) > 1:
            raise DataError(f"{batch.what} of '{self._origin}'", expected="as many rows in every input and in the targets", got=str(rows))
        if not self._files:
            for number, (name, array) in enumerate(arrays.items()):
                self._files[name] = GrowingFile(self._folder / f"{number}.npy", array)
        if arrays.keys() != self._files.keys():
            raise DataError(
                f"{batch.what} of '{self._origin}' has other names than those before",
                expected=", ".join(self._files),
                got=", ".join(arrays),
            )
        for name, array in arrays.items():
            file = self._files[name]
            if array.shape[1:] != file.shape or array.dtype != file.dtype:
                raise DataError(
                    f"{batch.what} of '{self._origin}' differs in '{name}' from those before",
                    expected=_kind(file.dtype, file.shape),
                    got=_kind(array.dtype, array.shape[1:]),
                    hint="every sample must have one shape: pad or crop them",
                )
        for name, array in arrays.items():
            self._files[name].append(array)
        self.count += len(next(iter(arrays.values())))

    def _fitted(self, spec: TensorSpec, array: np.ndarray, what: str) -> np.ndarray:
        wanted = np.dtype(spec.dtype)
        if array.dtype == np.float64 and wanted == np.float32:
            with np.errstate(over="ignore"):  # What is beyond float32 becomes infinity, and is refused as that.
                array = array.astype(np.float32)
            note = f"input '{spec.name}' was cast from float64 to float32"
            self.notes += [note] if note not in self.notes else []
        if array.dtype != wanted or array.ndim != len(spec.shape) or not fits(array.shape[1:], spec.shape[1:]):
            got = _kind(array.dtype, array.shape[1:])
            raise DataError(
                f"{what} of '{self._origin}' does not fit the model's input '{spec.name}'",
                expected=_kind(wanted, spec.shape[1:]),
                got=got,
            )
        if np.issubdtype(wanted, np.floating) and not np.isfinite(array).all():
            raise DataError(f"{what} of '{self._origin}' holds NaN or infinity in input '{spec.name}'", hint="clean the data")
        return array

    def abandon(self) -> None:
        """Close the files as they are."""
        for file in self._files.values():
            file.abandon()

    def close(self, *, labels: tuple[str, ...] = (), preprocessing: Preprocessing | None = None, ordered: bool = False) -> None:
        """Complete the files; unless they are `ordered` fairly already, their rows are brought into a fair order."""
        if not self.count:
            raise DataError(f"'{self._origin}' gives no samples", hint="give at least one")
        for file in self._files.values():
            file.close()
        if not ordered:
            self._reorder()
        inputs = {name: file.path.name for name, file in self._files.items() if name != TARGETS}
        note = _Note(inputs, TARGETS in self._files, self._origin, tuple(self.notes), labels, preprocessing)
        if note.has_targets:
            self._files[TARGETS].path.rename(self._folder / f"{TARGETS}.npy")
        (self._folder / NOTE).write_bytes(msgspec.json.encode(note))

    def _reorder(self) -> None:
        arrays = {name: np.load(file.path, mmap_mode="r+") for name, file in self._files.items()}
        order = fair_order(self.count, arrays.get(TARGETS))
        for array in arrays.values():
            _reorder(array, order)


def _reorder(array: np.ndarray, order: np.ndarray) -> None:
    """``array[:] = array[order]`` in its place, with one row in memory: along the circles in which the rows move."""
    done = np.zeros(len(order), dtype=bool)
    moved = 0
    for start in np.flatnonzero(order != np.arange(len(order))):
        if done[start]:
            continue
        first, row = array[start].copy(), int(start)
        while True:
            done[row] = True
            source = int(order[row])
            array[row] = first if source == start else array[source]
            moved += array[row].nbytes
            if moved > 2**26:
                let_go(array)
                moved = 0
            if source == start:
                break
            row = source
    let_go(array)


def _kind(dtype: np.dtype, shape: Sequence[int | str]) -> str:
    return f"{dtype}[{','.join(map(str, shape))}]"


def key_of(*parts: object) -> str:
    """A hash over everything that decides prepared samples: `parts` that JSON can carry, and the code that prepares."""
    content = msgspec.json.encode([sources_sha256("toolkit.pipeline.data"), *parts], enc_hook=str)
    return hashlib.sha256(content).hexdigest()


def cached(key: str, make: Callable[[Path], None]) -> Found:
    """The samples that were prepared under `key`, or that `make` leaves in a folder now, whole or not at all.

    `make` gets a folder and leaves a part in each of its subfolders ``samples`` and, where there is one, ``tests``.
    """
    folder = cache_home() / PREPARED / key
    if not (folder / _PARTS[0] / NOTE).is_file():
        with new_folder(folder) as work:
            make(work)
    mark_used(folder)
    return _read(folder)


def written(
    folder: Path,
    part: str,
    batches: Iterable[Batch],
    *,
    signature: Signature,
    origin: str,
    notes: list[str] | None = None,
    labels: tuple[str, ...] = (),
    preprocessing: Preprocessing | None = None,
    ordered: bool = False,
) -> None:
    """Write all of a part; what is in `notes` at the end is said of it."""
    (folder / part).mkdir()
    writer = Writer(folder / part, signature, origin)
    writer.notes = [] if notes is None else notes
    try:
        with storage_errors(folder):
            for batch in batches:
                writer.add(batch)
            writer.close(labels=labels, preprocessing=preprocessing, ordered=ordered)
    finally:
        writer.abandon()


def _read(folder: Path) -> Found:
    try:
        parts = [_part(folder / name) for name in _PARTS if (folder / name / NOTE).is_file()]
    except (OSError, ValueError) as error:  # What msgspec raises is a ValueError too.
        raise StorageError(f"prepared samples in '{folder}' are damaged: {first_line(error)}", hint="run: toolkit cache clear") from error
    samples, note = parts[0]
    tests = parts[1][0] if len(parts) > 1 else None
    return Found(samples=samples, tests=tests, ordered=True, labels=note.labels, preprocessing=note.preprocessing)


def _part(folder: Path) -> tuple[Samples, _Note]:
    note = msgspec.json.decode((folder / NOTE).read_bytes(), type=_Note)
    inputs = {name: np.load(folder / file, mmap_mode="r") for name, file in note.inputs.items()}
    targets = np.load(folder / f"{TARGETS}.npy", mmap_mode="r") if note.has_targets else None
    return Samples(inputs, targets, note.origin, notes=note.notes), note
