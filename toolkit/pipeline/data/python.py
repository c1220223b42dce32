"""Samples that a user's own code gives: a data set or loader of any library, by what its interface says alone.

The code runs in a process of its own, as that of networks does, and its samples are written down there, batch by batch.
"""

from __future__ import annotations

import importlib.machinery
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from toolkit.core import DataError, Signature, TensorSpec, run_isolated, sha256_of
from toolkit.core.samples import assign
from toolkit.core.user_code import CodeName, errors_of

from ._columns import columns_of
from ._prepared import Batch, cached, key_of, written
from .base import DataReader, Found, Given, Wanted, named_parts

_PIECE = 256
TIMEOUT_S = 24 * 3600.0
"""Reading a large set may take hours; who waits can see it, and can stop it."""


class PythonCode(DataReader):
    """A file or a module with a data set, a loader, or a function that returns one or yields samples."""

    name = "python"
    takes = "Python code that gives samples, such as mydata.py:load"
    example = "mydata.py:load"
    options: ClassVar = frozenset({"columns", "target", "max_samples"})

    def owns(self, word: str) -> bool:
        """By its form."""
        return CodeName.parse(word) is not None

    def path(self, word: str) -> Path | None:
        """The file; nothing for a module."""
        code = _code(word)
        return Path(code.module) if code.is_file else None

    def absolute(self, word: str) -> str:
        """With the file's whole path."""
        path, code = self.path(word), _code(word)
        return word if path is None else f"{path.resolve()}:{code.name}"

    def _read(self, given: Given, wanted: Wanted) -> Found:
        code, root = _code(given.word), Path(given.root) if given.root else Path.cwd()
        file = Path(code.module).resolve() if code.is_file else _file_of(code.module, root)
        options = (given.columns, given.target, given.max_samples)
        # A module that is no file, such as one of a zip archive, counts as never changed.
        key = key_of(self.name, self.absolute(given.word), sha256_of(file) if file else "", wanted.signature.inputs, options)

        def make(folder: Path) -> None:
            run_isolated(f"{__name__}:load_task", Task(code, str(root), str(folder), wanted.signature, given), timeout_s=TIMEOUT_S)

        return cached(key, make)


def _code(word: str) -> CodeName:
    code = CodeName.parse(word)
    assert code is not None, "its reader owns the word"
    return code


def _file_of(module: str, root: Path) -> Path | None:
    """The file of a module that is not imported for it."""
    first, *rest = module.split(".")
    spec = importlib.machinery.PathFinder.find_spec(first, [str(root), *sys.path])
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = Path(places[0], *rest) if places else Path(spec.origin) if spec and spec.origin and not rest else None
    tries = [found, found / "__init__.py", found.with_suffix(".py")] if found else []
    return next((file for file in tries if file.is_file()), None)


@dataclass(frozen=True)
class Task:
    """The request: the ``code`` of a user's ``folder``, the folder ``out`` for what it gives, the network's ``signature``, and how the
    data are read.
    """

    code: CodeName
    folder: str
    out: str
    signature: Signature
    given: Given


def load_task(task: Task) -> None:
    """The child's half."""
    code = task.code
    value = code.value(Path(task.folder))
    if inspect.isroutine(value) or inspect.isclass(value):
        value = code.called(value)
    parts = {"samples": value}
    if isinstance(value, Mapping) and (named := named_parts(value.get)):
        parts = dict(zip(("samples", "tests"), named, strict=True))
    for part, each in parts.items():
        notes: list[str] = []
        read = Reading(code, task.signature, task.given, notes)
        with errors_of(code, kind=DataError):
            written(Path(task.out), part, read.batches(each), signature=task.signature, origin=code.origin, notes=notes)


class Reading:
    """Turns whatever code gives into batches of named arrays; `code` is what messages call it."""

    def __init__(self, code: CodeName | str, signature: Signature, given: Given, notes: list[str]) -> None:
        self._code, self._given, self._notes = code, given, notes
        self._specs, self._values = signature.inputs, signature.values
        self._columns = columns_of(given.columns, [spec.name for spec in self._specs])

    def batches(self, value: Any) -> Iterator[Batch]:
        """Raises `DataError`."""
        left, limit = self._given.limit, self._given.limit
        for number, item in enumerate(self._items(value)):
            batch = self._batch(item, number)
            rows = len(next(iter(batch.inputs.values())))
            if rows > left and not self._given.max_samples:
                raise DataError(
                    f"'{self._code}' gives more than {limit:,} samples: it may have no end",
                    hint="end it, or say how many to take: --max-samples N",
                )
            # A set in one piece may be a mapped file: it passes through memory in parts.
            for start in range(0, min(rows, left), _PIECE):
                yield _rows(batch, start, min(start + _PIECE, left))
            if rows > left:
                self._notes.append(f"the first {limit:,} are taken (--max-samples)")
                return
            left -= rows

    def _items(self, value: Any) -> Iterator[Any]:
        """Samples or batches."""
        # All at once: a dictionary of arrays, an array, or arrays in a tuple in the order of the inputs.
        if isinstance(value, Mapping) or _is_array(value) or (isinstance(value, tuple) and value and all(map(_is_array, value))):
            yield value
        elif hasattr(value, "__getitem__") and hasattr(value, "__len__") and not isinstance(value, Sequence):
            # As torch's data sets and those of Hugging Face are: without an end of their own where they are only iterated.
            for row in range(len(value)):
                yield value[row]
        elif hasattr(value, "__iter__") or hasattr(value, "__getitem__"):
            yield from value
        else:
            raise DataError(
                f"'{self._code}'",
                expected="an iterable of samples or batches, a torch Dataset or DataLoader, or a function that returns one",
                got=type(value).__name__,
            )

    def _batch(self, item: Any, number: int) -> Batch:
        inputs, target = self._named(item, number)
        first = self._specs[0]
        arrays = {spec.name: _array(inputs[spec.name], spec) for spec in self._specs}
        what, single = f"batch {number + 1}", arrays[first.name].ndim == len(first.shape) - 1
        if single:
            what, arrays = f"sample {number + 1}", {name: array[None] for name, array in arrays.items()}
        targets = None if target is None else _plain(target)
        if targets is not None and targets.dtype.kind not in "biuf":
            raise DataError(f"{what} of '{self._code}' has targets that are no numbers", got=type(target).__name__)
        return Batch(arrays, targets[None] if single and targets is not None else targets, what)

    def _named(self, item: Any, number: int) -> tuple[dict[str, Any], Any]:
        """The inputs by name, and the target, if there is one."""
        names = [spec.name for spec in self._specs]
        if isinstance(item, Mapping):
            return self._of_mapping(item)
        values = list(item) if isinstance(item, tuple | list) and not _is_row(item) else [item]
        if len(values) not in {len(names), len(names) + 1}:
            raise DataError(
                f"sample {number + 1} of '{self._code}'",
                expected=f"{', '.join(names)}, and the target if there is one",
                got=f"{len(values)} values" if len(values) != 1 else f"one {type(item).__name__}",
                hint="or give dictionaries with the inputs' names",
            )
        return dict(zip(names, values, strict=False)), values[len(names)] if len(values) > len(names) else None

    def _of_mapping(self, item: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        given = self._given
        for name in [*(name for each in self._columns.values() for name in each), *([given.target] if given.target else [])]:
            if name not in item:
                raise DataError(f"'{self._code}' gives no '{name}'", expected=f"one of {', '.join(map(str, item))}")
        if self._columns:
            inputs = {name: _joined([item[column] for column in columns]) for name, columns in self._columns.items()}
            return inputs, item[given.target] if given.target else None
        rest = [name for name in item if name != given.target]
        found, target = assign(rest, [spec.name for spec in self._specs], str(self._code), constants=self._values)
        target = given.target or target
        return {name: item[key] for name, key in found.items()}, item[target] if target else None


def _rows(batch: Batch, start: int, stop: int) -> Batch:
    targets = None if batch.targets is None or not batch.targets.ndim else batch.targets[start:stop]
    return Batch({name: array[start:stop] if array.ndim else array for name, array in batch.inputs.items()}, targets, batch.what)


def _joined(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else np.stack([_plain(value) for value in values], axis=-1)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype") and len(value.shape) > 0


def _is_row(value: Sequence[Any]) -> bool:
    """Whether a list is one array in Python's own numbers: ``[1.0, 2.0]``."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, bool | int | float) for each in value)


def _plain(value: Any) -> np.ndarray:
    """A NumPy array of a tensor or of anything that NumPy knows."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value)


def _array(value: Any, spec: TensorSpec) -> np.ndarray:
    array = _plain(value)
    # Python's own numbers have no width: they take that of the input.
    if not hasattr(value, "dtype") and array.dtype.kind == np.dtype(spec.dtype).kind == "i":
        array = array.astype(spec.dtype)
    return array
