"""Every error this project raises on purpose.

::

    ToolkitError                  one clear line for a person; the command line exits with 2
    ├── InputError                what the caller gave cannot be used
    │   ├── ArtifactError         a model file or a manifest is missing, cut short or changed
    │   │   └── TrustError        a bundle is not signed, not by a trusted key, or was changed since
    │   ├── SignatureError        wrong input name, order, shape or dtype
    │   ├── UnknownNameError      no such model, precision, format, device, data set
    │   └── DataError             a data set that is missing, empty or of the wrong shape
    ├── MissingDependencyError    an extra is not installed; names the command that installs it
    ├── DeviceError               the device asked for is not there
    ├── ConversionError           a converter could not make the target
    │   └── InconclusiveError     it may hold its limit, but the samples are too few to confirm that
    ├── EngineError               an engine refused a model or failed while running it
    ├── ProcessError              a child process crashed, ran out of time or of memory
    ├── StorageError              the disk is full or a folder cannot be written
    └── TransferError             a store cannot be reached, refuses, or lacks what was asked for

    ToolkitWarning                something to know, which stops nothing; the command line prints it as one line

A message says what was expected, what came, and what to do next.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LONGEST = 2000
_LONGEST_WORDS = 300
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class ToolkitError(Exception):
    """Base of all errors of the toolkit.

    Args:
        problem: what is wrong, naming the thing itself.
        expected: what would have been right.
        got: what came instead.
        hint: what to do next, as a full sentence or a command.
    """

    def __init__(self, problem: str, *, expected: str = "", got: str = "", hint: str = "") -> None:
        self.problem, self.expected, self.got, self.hint = problem, expected, got, hint
        detail = ", ".join(part for part in (f"expected {expected}" if expected else "", f"got {got}" if got else "") if part)
        super().__init__(printable("; ".join(part for part in (": ".join(p for p in (problem, detail) if p), hint) if part)))


def printable(text: str) -> str:
    """`text` in one line, safe on a terminal and not endless: a name in a stranger's file may hold escape sequences, or a megabyte."""
    start = text[: _LONGEST + 1]
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in start)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def first_line(error: Exception) -> str:
    """The first line of what a library says; the error's kind where it says nothing."""
    return (_COLOUR.sub("", str(error)).strip().splitlines() or [type(error).__name__])[0][:_LONGEST_WORDS]


def words_of(error: BaseException, *, lines: int = 1) -> str:
    """A library's error in one line: its kind and the first `lines` of its text that say something, all where those only announce more."""
    # OpenVINO begins with where in its sources an error was raised.
    lines_of = _COLOUR.sub("", str(error)).strip().splitlines()
    said = [line.strip() for line in lines_of if line and not line.startswith(("Exception from ", "Check '"))]
    text = " ".join(said[:lines])
    if text.endswith(":"):
        text = " ".join(said)
    return f"{type(error).__name__}: {text[:_LONGEST_WORDS]}" if text else type(error).__name__


class InputError(ToolkitError):
    """What the caller gave cannot be used."""


class ArtifactError(InputError):
    """A model file or its manifest is missing, truncated or changed."""


class TrustError(ArtifactError):
    """A bundle that must be signed is not, or not by a key that is trusted, or was changed since."""


class SignatureError(InputError):
    """An input or output has the wrong name, order, shape or dtype."""


class UnknownNameError(InputError):
    """A name that is not in a registry; says which are, and the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        guess = f"did you mean '{near[0]}'?" if near else ""
        super().__init__(
            f"unknown {kind} '{name}'", expected=f"one of {', '.join(known)}" if known else "", hint=" ".join(filter(None, (guess, hint)))
        )


class DataError(InputError):
    """A data set is missing, empty or of the wrong shape."""


class MissingDependencyError(ToolkitError):
    """A package is not installed; the hint is the command that installs it."""


class DeviceError(ToolkitError):
    """The requested device is not on this machine, or the engine did not really use it."""


class ConversionError(ToolkitError):
    """A converter could not make its target."""


class InconclusiveError(ConversionError):
    """What was made may hold its limit, but the samples are too few to confirm that."""


class EngineError(ToolkitError):
    """An inference engine refused a model or failed while running it."""


class ProcessError(ToolkitError):
    """A child process crashed, timed out or was killed."""


class StorageError(ToolkitError):
    """A file or folder could not be written."""


class TransferError(ToolkitError):
    """A store of bundles cannot be reached, refuses, or has not what was asked for."""


class ToolkitWarning(UserWarning):
    """What a person should know although it stops nothing, in one line that is safe on a terminal."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def class_of(kind: str, default: type[ToolkitError]) -> type[ToolkitError]:
    """The class called `kind`, to raise an error again that another process has told; `default` for a name that is none of ours.

    `UnknownNameError` becomes its parent: the names that were known are in its text already.
    """
    found = globals().get(kind)
    if found is UnknownNameError:
        return InputError
    return found if isinstance(found, type) and issubclass(found, ToolkitError) else default
