"""What a language must tell: which artifacts its engines run, which files it prepares, and the texts of its program.

A new language is one file in this folder with a `Language`, and a folder of its name in ``templates``.
"""

from __future__ import annotations

import string
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from toolkit.core import Format, Precision, TensorSpec, UnknownNameError, discover, printable

ARRAYS = "arrays"
"""The kind of what a network takes that is prepared from no file but arrays."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far an app's numbers may be from the example's.

    Args:
        atol: with ``rtol``, of every value: ``atol + rtol |expected|``; 0 where the precision has no such tolerance.
        rtol: the same.
        sqnr_db: what every output must reach where a value is beyond that, its signal-to-quantization-noise ratio in decibels.
        prepared: the largest difference of any value of a prepared input.
    """

    atol: float
    rtol: float
    sqnr_db: float
    prepared: float

    @property
    def text(self) -> str:
        """The rule of the outputs in words."""
        floor = f"at least {self.sqnr_db:g} dB of signal-to-noise ratio in every output"
        return f"every value within {self.atol:g} + {self.rtol:g} of its size, or {floor}" if self.atol else floor


@dataclass(frozen=True, kw_only=True)
class About:
    """What the program knows of its network; ``about.json`` holds it.

    Args:
        title: the network's name.
        artifact: its format and precision.
        model: the file that the engine opens.
        precision: of the artifact.
        inputs: in order; a size is a number, or a name where it is free.
        outputs: in order.
        labels: the names of the classes that the first output scores; none where it scores no classes.
        kind: of the files that are prepared; arrays for none.
        preparation: of that kind.
        suffixes: of its files.
        example: its file among the examples; empty for arrays.
        limits: of the test.
    """

    title: str
    artifact: str
    model: str
    precision: Precision
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...]
    kind: str
    preparation: dict[str, object]
    suffixes: tuple[str, ...]
    example: str
    limits: Limits


@dataclass(frozen=True, kw_only=True)
class Program:
    """All that a folder is made of.

    Args:
        about: what the program reads.
        format: of the model file.
        computed_by: the engine that gave the expected outputs, with its version.
        note: in words how a file becomes the input; empty for arrays.
        arguments: what the program is called with for the example.
    """

    about: About
    format: Format
    computed_by: str
    note: str
    arguments: str


@dataclass(frozen=True)
class App:
    """What was written.

    Args:
        folder: where.
        language: its name.
        engine: that computed the expected outputs, with its version.
        kind: of the files that the program prepares: picture, sound, text, or arrays.
        tolerance: of the test, in words.
        files: their names.
        steps: the commands, in the folder, that build, test and run.
    """

    folder: Path
    language: str
    engine: str
    kind: str
    tolerance: str
    files: tuple[str, ...]
    steps: tuple[str, ...]


class Language(ABC):
    """A language with an engine for each format.

    Args:
        name: as users write it.
        engines: by format the toolkit's engine whose outputs the program must give; another one computes them where it is not installed.
        kinds: of files that its programs prepare: picture, sound, text.
        one_file: whether it loads models of one file only.
        lacks: dtypes that its programs do not have.
    """

    name: ClassVar[str]
    engines: ClassVar[dict[Format, str]]
    kinds: ClassVar[frozenset[str]]
    one_file: ClassVar[bool] = False
    lacks: ClassVar[frozenset[str]] = frozenset()

    def prepares(self, kind: str, preparation: Mapping[str, object]) -> bool:  # noqa: ARG002 - for those that lack a part
        """Whether its programs prepare files of a kind in this way."""
        return kind in self.kinds

    @abstractmethod
    def texts(self, program: Program) -> dict[str, str]:
        """The files of the program by name, without the README; raises `MissingDependencyError` for a version that nobody knows."""

    @abstractmethod
    def steps(self, program: Program) -> tuple[str, ...]:
        """The commands, in the folder, that build, test and run."""

    def words(self, program: Program) -> dict[str, str]:  # noqa: ARG002 - for those that have some
        """What the README says besides, by the names in its template."""
        return {}

    def readme(self, program: Program) -> str:
        """The README of the folder."""
        about = program.about
        values = {
            "title": plain(f"{about.title} {about.artifact}"),
            "signature": "\n".join(
                f"- `{plain(f'{kind} {spec}')}`" for kind, specs in (("in ", about.inputs), ("out", about.outputs)) for spec in specs
            ),
            "steps": "\n".join(self.steps(program)),
            "takes": _takes(program),
            "answers": _answers(about),
            "computed_by": program.computed_by,
            "tolerance": about.limits.text,
            "example": program.arguments.split()[0],
            **self.words(program),
        }
        return filled(template(self.name, "README.md"), values)


def all_languages() -> tuple[Language, ...]:
    """Every language, by name."""
    return discover(__package__ or "", Language)


def find_language(name: str) -> Language:
    """The language called `name`; raises `UnknownNameError`."""
    for language in all_languages():
        if language.name == name:
            return language
    raise UnknownNameError("language", name, [language.name for language in all_languages()])


class _Template(string.Template):
    """Shells, C++ and JavaScript have other uses for a dollar."""

    delimiter = "@"


def template(language: str, name: str) -> str:
    """The text of a template."""
    return (files(__package__) / "templates" / language / name).read_text(encoding="utf-8")


def filled(text: str, values: dict[str, str]) -> str:
    """A template with its values."""
    return _Template(text).substitute(values)


def plain(text: str) -> str:
    """Text from a stranger's file in one line, safe in Markdown's code and in a comment."""
    return printable(text).replace("`", "'").replace("*/", "* /")


def _takes(program: Program) -> str:
    about = program.about
    arrays = "one `.npy` file for each input, in order or as `NAME=FILE`" if len(about.inputs) > 1 else "a `.npy` file"
    if about.kind == ARRAYS:
        return f"It takes {arrays}. {program.note}".strip()
    return f"It takes a {about.kind} ({', '.join(about.suffixes)}) or {arrays} with what the network itself takes. {program.note}"


def _answers(about: About) -> str:
    return "the labels with the highest scores" if about.labels else "the outputs' types, shapes and first values"
