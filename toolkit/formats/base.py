"""What a file format must say of itself: which files it has, whether a file is one, and what is inside.

A new format is one file in this folder with a `FileFormat`, and a member of the enumeration `toolkit.core.Format`; the public methods
check, the underscored ones work. ``tests/formats/contract.py`` is the test that every format passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import ClassVar, TypeVar, final

from toolkit.core import ArtifactError, Format, Operators, Precision, ToolkitError, first_line, needs

T = TypeVar("T")


@dataclass(frozen=True)
class Start:
    """How bundles start with a format."""

    order: int
    """Of several trained models in one bundle, the one whose format has the lowest number counts."""
    reference: str
    """The engine whose outputs every other format is compared with."""
    always: bool = True
    """Whether an artifact of this format is always the start: no converter makes one."""


@dataclass(frozen=True)
class Layer:
    """An operation of a float model that a quantizer can do in integers or leave in float."""

    name: str
    """In the file, where no other layer has it."""
    kind: str
    """In the format's own words."""
    multiply_adds: int
    """For one sample; 0 for what multiplies no matrices."""


class FileFormat(ABC):
    """A file format: its names, its engine, and what can be read of its files without one."""

    format: ClassVar[Format]
    title: ClassVar[str]
    """What people call it."""
    suffixes: ClassVar[tuple[str, ...]]
    """How the name of a bare file of this format ends, in lower case; no other format has one of them."""
    default_engine: ClassVar[str]
    """The name of the engine that runs it unless another is asked for."""
    start: ClassVar[Start | None] = None
    """How bundles start with it; None where a file is no source."""
    is_folder: ClassVar[bool] = False
    """Whether a user has a folder, with a file of the format's own name in it, and no single file."""
    needs_inputs: ClassVar[bool] = False
    """Whether a file does not say what its inputs are, so that who brings one must say it."""
    extra: ClassVar[str] = "convert"
    """The extra that brings what reads its operators and layers, where that is a package."""

    @final
    @property
    def name(self) -> str:
        """The format's name."""
        return self.format.value

    @final
    def check(self, file: Path) -> None:
        """Raise `ArtifactError` unless `file` is a complete file of this format, with what belongs to it beside it, that can be opened
        within limits.

        No engine is needed, and nothing in the file is run.
        """
        self._read(file, self._check)

    @final
    def operators(self, file: Path) -> Operators:
        """How many operators of each type are in a file, and how many of them are quantized: those that compute on integers or read an
        integer weight, never the conversion between integers and floats itself.

        Raises:
            ArtifactError: the file is missing, truncated or of another format.
            MissingDependencyError: the package that reads the format is not installed.
        """
        return self._read(file, self._operators)

    @final
    def layers(self, file: Path) -> tuple[Layer, ...]:
        """The operations of a float model that a quantizer may be told to leave alone, in order of computation; errors as `operators`."""
        return self._read(file, self._layers)

    @final
    def precision(self, file: Path) -> Precision:
        """What the weights and activations of a file are that came from elsewhere; no engine is needed. Errors as `check`."""
        return self._read(file, self._precision)

    def _precision(self, file: Path) -> Precision:  # noqa: ARG002 - for formats that keep integers
        return Precision.FP32

    def owns(self, path: Path) -> bool:
        """Whether a bare file is of this format by the end of its name; where formats share one, by what is in it."""
        return path.suffix.lower() in self.suffixes

    def files(self, path: Path) -> dict[str, Path]:
        """The files of the model at `path`, a bare file or a folder, by their names in an artifact.

        Raises:
            ArtifactError: one is missing, or they cannot be told.
            InputError: one is a link, is elsewhere, or has a name that an artifact needs for another.
        """
        return {self.format.file_name: path}

    @final
    def input_names(self, file: Path) -> tuple[str, ...] | None:
        """What the inputs of a file are called, where that is told without an engine; None where it is not, or the file is damaged.

        No check: it only spares who named samples wrongly the wait for a framework.
        """
        try:
            return self._input_names(file)
        except Exception:  # Whatever a damaged file raises, `check` says it.
            return None

    def _input_names(self, file: Path) -> tuple[str, ...] | None:  # noqa: ARG002 - for formats that tell it
        return None

    @abstractmethod
    def _check(self, file: Path) -> None:
        """As `check`, for a file that is there; any exception means that it is not of this format."""

    @abstractmethod
    def _operators(self, file: Path) -> Operators:
        """As `operators`, for a file that is there; any exception means that it is not of this format."""

    def _layers(self, file: Path) -> tuple[Layer, ...]:  # noqa: ARG002 - for formats whose quantizer leaves layers in float
        return ()

    def _read(self, file: Path, read: Callable[[Path], T]) -> T:
        if not file.is_file():
            raise ArtifactError(f"no model file '{file}'", expected="an existing file")
        expected = f"a complete file in the format {self.title}"
        if file.stat().st_size == 0:
            raise ArtifactError(f"'{file}' is empty", expected=expected, got="0 bytes")
        try:
            with needs(self.extra):
                return read(file)
        except (ToolkitError, OSError, MemoryError):
            raise
        except Exception as error:
            raise ArtifactError(
                f"'{file}' cannot be read", expected=expected, got=first_line(error), hint="save or convert it again"
            ) from error


def elements(shape: Iterable[object]) -> int:
    """The elements of one sample of a tensor: every symbol counts as 1."""
    return prod(size if isinstance(size, int) and size > 0 else 1 for size in shape)
