"""What the kinds of tables share: a row a sample, numbers or texts in columns."""

from __future__ import annotations

import csv
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, final

import numpy as np

from toolkit.core import TARGETS, DataError, InputError, Preprocessing, Signature, TensorSpec, Tokens, first_line, sha256_of
from toolkit.core.mapped import CHUNK_BYTES

from ._columns import columns_of
from ._preparation import Preparation
from ._prepared import Batch, cached, key_of, written
from .base import DataReader, Found, Given, Wanted

ROWS = 1024
PADDING = -1
"""What fills up tokens that are targets, as the tasks have it."""
Row: TypeAlias = tuple[str, Mapping[str, Any]]
"""Its place, and its values by column."""


class Table(DataReader):
    """A file of rows, whose inputs are made of columns of numbers, or each of one of texts."""

    options: ClassVar = frozenset({"columns", "target", "max_samples", "prepare"})
    suffixes: ClassVar[tuple[str, ...]]

    @final
    def owns(self, word: str) -> bool:
        """By the end of its name."""
        return Path(word).suffix.lower() in self.suffixes

    @final
    def path(self, word: str) -> Path:
        """The file."""
        return Path(word)

    @abstractmethod
    def columns(self, file: Path) -> list[str]:
        """The names of its columns."""

    @abstractmethod
    def rows(self, file: Path, columns: Sequence[str]) -> Iterator[Row]:
        """Each row's place in the file, for messages, with at least these columns."""

    @final
    def _read(self, given: Given, wanted: Wanted) -> Found:
        file = Path(given.word)
        preparation = Preparation.beside(file, given.prepare)
        with readable(file):
            known = self.columns(file)
        inputs, target = chosen(known, given, wanted.signature)
        facts = (file.name, sha256_of(file), preparation.text, preparation.target, given.max_samples)
        key = key_of(self.name, facts, wanted.signature.inputs, wanted.labels, inputs, target)

        def make(folder: Path) -> None:
            reading = Reading(file, wanted, inputs, target=target, limit=given.limit, preparation=preparation)
            columns = [*(name for names in inputs.values() for name in names), *([target] if target else [])]
            with readable(file):
                labels = reading.look(self.rows(file, columns)) if target else ()
                batches = reading.batches(self.rows(file, columns), labels)
                written(
                    folder,
                    "samples",
                    batches,
                    signature=wanted.signature,
                    origin=file.name,
                    notes=reading.notes,
                    labels=labels,
                    preprocessing=Preprocessing(text=preparation.text) if preparation.text else None,
                )

        return cached(key, make)


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn whatever a reader of tables raises into one line."""
    try:
        yield
    except (OSError, ValueError, csv.Error, RecursionError) as error:  # UnicodeDecodeError, JSONDecodeError and pyarrow's are ValueErrors.
        raise DataError(f"'{file}' cannot be read as a table: {first_line(error)}") from error


def chosen(known: list[str], given: Given, signature: Signature) -> tuple[dict[str, list[str]], str]:
    """The columns of each input, and that of the targets, if there is one."""
    specs = {spec.name: spec for spec in signature.inputs}
    inputs = columns_of(given.columns, list(specs))
    target = given.target or next((name for name in TARGETS if name in known and name not in specs), "")
    for name in [*(name for names in inputs.values() for name in names), *([target] if target else [])]:
        if name not in known:
            raise DataError(f"'{given.word}' has no column '{name}'", expected=f"one of {', '.join(known) or 'none: it is empty'}")
    if inputs:
        return inputs, target
    rest = [name for name in known if name != target]
    if set(specs) <= set(rest):
        return {name: [name] for name in specs}, target
    if len(specs) == 1 and rest:
        return {next(iter(specs)): rest}, target
    raise DataError(
        f"'{given.word}' does not say which columns the inputs {', '.join(specs)} are made of",
        expected=f"--column NAME=INPUT for each, of {', '.join(known) or 'none: it is empty'}",
    )


class Reading:
    """Turns rows into batches.

    Args:
        file: where they are from, for messages.
        wanted: what they must become.
        inputs: the columns of each.
        target: the column of the targets; empty for none.
        limit: how many rows are taken.
        preparation: how texts become tokens.
        value: what an input is of a row, where it is no numbers and no text.
    """

    def __init__(
        self,
        file: Path,
        wanted: Wanted,
        inputs: dict[str, list[str]],
        *,
        target: str,
        limit: int,
        preparation: Preparation,
        value: Callable[[TensorSpec, Any, str], np.ndarray] | None = None,
    ) -> None:
        self._file, self._wanted, self._target, self._limit = file, wanted, target, limit
        self._specs = {spec.name: spec for spec in wanted.signature.inputs}
        self._inputs, self._preparation, self._value = inputs, preparation, value
        self._whole, self._longest = True, 1
        self.notes: list[str] = []

    def look(self, rows: Iterator[Row]) -> tuple[str, ...]:
        """The names of the classes, where the targets are words; nothing for numbers, which are whole or not in all rows alike, and for
        texts that become tokens.
        """
        words: set[str] = set()
        numbers = 0
        for number, (place, row) in enumerate(rows):
            if number == self._limit:
                break
            value = row[self._target]
            if isinstance(value, str) and (tokens := self._preparation.target) is not None:
                self._longest = max(self._longest, len(self._encoded(tokens, value, self._target, place)))
                numbers += 1
            elif isinstance(value, str) and _number(value) is None:
                words.add(value)
            else:
                numbers += 1
                self._whole &= _is_whole(_number(value) if isinstance(value, str) else value)
        if numbers:
            return ()  # A word among numbers is then refused by its line.
        own = self._wanted.labels
        return own if own and words <= set(own) else tuple(sorted(words))

    def batches(self, rows: Iterator[Row], labels: tuple[str, ...]) -> Iterator[Batch]:
        """At most `limit` rows, so many at once."""
        numbers = {label: number for number, label in enumerate(labels)}
        arrays: dict[str, list[np.ndarray]] = {name: [] for name in self._inputs}
        targets: list[Any] = []
        first, size = "", 0
        for count, (place, row) in enumerate(rows):
            if count == self._limit:
                self.notes.append(f"the first {self._limit:,} rows are taken (--max-samples)")
                break
            first = first or place
            for name, columns in self._inputs.items():
                arrays[name].append(self._values(self._specs[name], columns, row, place))
                size += arrays[name][-1].nbytes
            if self._target:
                targets.append(self._class(row[self._target], numbers, place))
                if np.shape(targets[-1]) != np.shape(targets[0]):
                    raise DataError(
                        f"'{self._file}' {place}, column '{self._target}'",
                        expected=f"as many numbers as in {first}: {_shape(targets[0])}",
                        got=_shape(targets[-1]),
                        hint="fill up what is shorter as the task has it (docs/tasks.md)",
                    )
            if len(next(iter(arrays.values()))) == ROWS or size > CHUNK_BYTES:
                yield self._batch(arrays, targets, first)
                arrays, targets, first, size = {name: [] for name in self._inputs}, [], "", 0
        if first:
            yield self._batch(arrays, targets, first)

    def _batch(self, arrays: dict[str, list[np.ndarray]], targets: list[Any], first: str) -> Batch:
        whole = None if not self._target else np.array(targets, np.int64 if self._whole else np.float32)
        return Batch({name: np.stack(rows) for name, rows in arrays.items()}, whole, f"rows from {first} on")

    def _values(self, spec: TensorSpec, columns: list[str], row: Mapping[str, Any], place: str) -> np.ndarray:
        if self._value is not None:
            return self._value(spec, row[columns[0]], place)
        tokens, text = self._preparation.text, row[columns[0]]
        if tokens is not None and len(columns) == 1 and isinstance(text, str) and np.dtype(spec.dtype).kind in "iu":
            return self._tokens(spec, tokens, text, columns[0], place)
        values: list[Any] = []
        for name in columns:
            values += [self._checked(each, name, place, spec.dtype) for each in _flat(row[name])]
        shape = spec.shape[1:]
        if len(shape) == 1 and isinstance(shape[0], str):
            shape = (len(values),)
        if not all(isinstance(size, int) for size in shape) or prod(int(size) for size in shape) != len(values):
            raise DataError(
                f"'{self._file}' {place} gives {len(values)} numbers for the input {spec}",
                expected=f"{'x'.join(map(str, shape)) or '1'} of them",
                got=f"columns {', '.join(columns[:8])}{', …' if len(columns) > 8 else ''}",
                hint="choose them: --column NAME=INPUT, and the target with --target",
            )
        with np.errstate(over="ignore"):  # What is beyond the type becomes infinity, and is refused as that.
            return np.array(values).astype(spec.dtype).reshape([int(size) for size in shape])

    def _tokens(self, spec: TensorSpec, tokens: Tokens, text: str, name: str, place: str) -> np.ndarray:
        """The numbers of a text, filled up or cut to the length of the input."""
        length = spec.shape[1] if len(spec.shape) == 2 and isinstance(spec.shape[1], int) else tokens.length
        if len(spec.shape) != 2 or length is None:
            raise DataError(f"a text does not fill the input {spec}", expected="[batch, LENGTH]", hint="say length in prepare.toml: [text]")
        return np.array(tokens.row(self._encoded(tokens, text, name, place), length), spec.dtype)

    def _encoded(self, tokens: Tokens, text: str, name: str, place: str) -> list[int]:
        try:
            return tokens.encode(text)
        except InputError as error:
            raise DataError(f"'{self._file}' {place}, column '{name}': {error}") from error

    def _checked(self, value: Any, name: str, place: str, dtype: str) -> float | int:
        number = _number(value) if isinstance(value, str) else value
        whole = np.dtype(dtype).kind in "iu"
        if not isinstance(number, int | float) or not math.isfinite(number) or (whole and number != int(number)):
            kind = "a whole number" if whole else "a number"
            raise DataError(
                f"'{self._file}' {place}, column '{name}'", expected=kind, got=f"'{value}'" if value not in {"", None} else "nothing"
            )
        return int(number) if whole else number

    def _class(self, value: Any, numbers: Mapping[str, int], place: str) -> Any:
        if isinstance(value, str) and (tokens := self._preparation.target) is not None:
            found = self._encoded(tokens, value, self._target, place)
            return [*found, *[PADDING] * (self._longest - len(found))]
        if isinstance(value, str) and value in numbers:
            return numbers[value]
        if isinstance(value, list):
            return [self._class(each, {}, place) for each in value]
        return self._checked(value, self._target, place, "float32")


def _flat(value: Any) -> Iterator[Any]:
    """The numbers of lists in lists, in order; of anything else itself."""
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _is_whole(value: Any) -> bool:
    return all(isinstance(each, int) for each in _flat(value))


def _shape(value: Any) -> str:
    return "x".join(map(str, np.shape(value))) or "1"


def _number(text: str) -> float | int | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None
