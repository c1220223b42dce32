"""What a reader of users' data must be: which words it knows, and samples that fit a network's inputs.

A new kind of data is one file in this folder with a `DataReader`; the public method checks, the underscored one reads.
``tests/pipeline/data/contract.py`` is the test that every reader passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar, final

from toolkit.core import DataError, Preprocessing, Samples, Signature

MAX_SAMPLES = 100_000
"""How many samples are prepared unless a user says otherwise: some loaders never end."""
TRAIN = ("train", "training")
TESTS = ("val", "valid", "validation", "test")
"""What the parts of data are called by those who divide them themselves; the first that is there verifies."""


T = TypeVar("T")


def named_parts(find: Callable[[str], T | None]) -> tuple[T, T] | None:
    """What trains and what verifies, where `find` knows both by one of their names."""
    train, tests = (next((found for name in names if (found := find(name)) is not None), None) for names in (TRAIN, TESTS))
    return None if train is None or tests is None else (train, tests)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a user names as data, and how they are read.

    Args:
        word: what stands behind ``--data``: a name, a file, a folder, code.
        prepare: a file that says how pictures are prepared; empty for ``prepare.toml`` beside the data, if it is there.
        columns: ``NAME=INPUT`` each, or ``NAME,NAME=INPUT``: which columns an input is made of, in order.
        target: the column of the targets; empty for the usual names.
        max_samples: prepare no more than so many; 0 for `MAX_SAMPLES`, beyond which data may have no end.
        root: the folder from which modules are imported; empty for the one that the command runs in.
    """

    word: str
    prepare: str = ""
    columns: tuple[str, ...] = ()
    target: str = ""
    max_samples: int = 0
    root: str = ""

    @property
    def limit(self) -> int:
        """How many samples are prepared at most."""
        return self.max_samples or MAX_SAMPLES


OPTIONS = {"prepare": "--prepare", "columns": "--column", "target": "--target", "max_samples": "--max-samples"}
"""What of `Given` a user can say, and how."""


def as_given(data: str | Given | None) -> Given | None:
    """The data that a word names, read in the usual way; nothing for no word."""
    if isinstance(data, str):
        return Given(word=data) if data else None
    return data


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What data must become.

    Args:
        signature: of the network; the samples must fit its inputs.
        labels: names of its classes in order; empty where nobody knows them.
        preprocessing: how its inputs are known to be prepared; None where nobody knows.
        calibration: at most so many samples fix integer ranges: a reader may read no more of a part that only calibrates.
        evaluation: at most so many verify; None for all.
        folder: where a named data set's own files are.
    """

    signature: Signature
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    calibration: int = 512
    evaluation: int | None = None
    folder: Path | None = None

    @property
    def fixed(self) -> Signature:
        """The signature with the sizes that are fixed, or that the samples had before."""
        return self.signature.fixed(self.signature.fixes[0]) if self.signature.fixes else self.signature


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a reader has read; all samples fit the signature.

    Args:
        samples: those to divide; where there are `tests`, those that calibrate.
        tests: a part that the data themselves name for evaluation; None where they name none.
        ordered: whether any first part of them is a fair one already.
        labels: names of the classes in the order of their numbers, where the data tell.
        preprocessing: how the inputs were prepared, where that can be said.
    """

    samples: Samples
    tests: Samples | None = None
    ordered: bool = False
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None


class DataReader(ABC):
    """A kind of data that users have."""

    name: ClassVar[str]
    """Short, and no other reader's."""
    takes: ClassVar[str]
    """What it takes, with an example, for messages: ``a .npz or .npy file``."""
    example: ClassVar[str]
    """What a user writes, for the help of ``--data``: ``samples.npz``."""
    options: ClassVar[frozenset[str]] = frozenset()
    """Which of `OPTIONS` it reads; the others are refused."""
    rank: ClassVar[int] = 0
    """Of several readers that own a word, the one with the highest rank reads it."""

    @abstractmethod
    def owns(self, word: str) -> bool:
        """Whether `word` names data of this kind, by its form and by what lies there."""

    @abstractmethod
    def path(self, word: str) -> Path | None:
        """The file or folder that must be there; None for a name that is found elsewhere."""

    def absolute(self, word: str) -> str:
        """The word as it is understood from any folder."""
        path = self.path(word)
        return word if path is None else str(path.resolve())

    def check_names(self, word: str, inputs: Sequence[str], *, constants: Collection[str] = ()) -> None:  # noqa: B027 - most kinds cannot tell
        """Raise `DataError` where the data can be told, without being read, not to be called as `inputs`; `constants` need no data."""

    def shapes(self, word: str) -> dict[str, tuple[int, ...]]:  # noqa: ARG002 - most kinds cannot tell
        """The shapes of the arrays by their names, where they can be told without being read."""
        return {}

    def values(self, word: str) -> dict[str, float]:  # noqa: ARG002 - most kinds cannot tell
        """The arrays of one number by their names, where they can be told without reading the others."""
        return {}

    @final
    def read(self, given: Given, wanted: Wanted) -> Found:
        """The samples; raises `DataError` for what is damaged, empty, or does not fit."""
        useless = [word for name, word in OPTIONS.items() if name not in self.options and getattr(given, name)]
        if useless:
            raise DataError(f"data '{given.word}' take no {', '.join(useless)}", got=self.takes)
        path = self.path(given.word)
        if path is not None and not path.exists():
            raise DataError(f"no samples at '{path}'", expected=self.takes)
        return self._read(given, wanted)

    @abstractmethod
    def _read(self, given: Given, wanted: Wanted) -> Found:
        """As `read`, of what is there."""
