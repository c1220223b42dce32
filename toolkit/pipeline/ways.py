"""Several ways to one artifact: the first whose result passes parity is taken, and why the others were left is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.converters.base import Converter
from toolkit.converters.cache import copy
from toolkit.converters.task import Obtained
from toolkit.core import Artifact, InputError, ParityReport, Precision, ToolkitError, Verdict, first_line

from .verify import Verifier, default_engine

Attempt = Callable[[Converter, Path], Obtained]
"""One conversion, into a folder."""


class Judge:
    """Says of an artifact why it is not what it was made for; thread-safe, one after the other.

    Its observations are those that verify the artifact later: nothing runs twice.
    """

    def __init__(self, verifier: Verifier) -> None:
        self._verifier, self._lock = verifier, threading.Lock()

    def problem(self, artifact: Artifact) -> str:
        """The reason of a report that failed, or what the engine says that refuses it; empty where it passes, or no engine is here."""
        with self._lock:
            try:
                engine = default_engine(artifact)
            except InputError:
                return ""
            try:
                reports = self._verifier.reports(artifact, engine)
            except ToolkitError as error:
                return first_line(error)
            # An fp32 file that passes by its decibels alone may not be the best that there is.
            exact = artifact.manifest.precision is Precision.FP32
            bad = (each for each in reports if each.verdict is Verdict.FAILED or (exact and not _within_tolerance(each)))
            return next((f"diverges: {report.reason}" for report in bad), "")


def _within_tolerance(report: ParityReport) -> bool:
    return all(error.within_tolerance for error in report.outputs)


@dataclass(frozen=True)
class Found:
    """What became of the ways to one kind of artifact."""

    made: Obtained | None
    """The result of the first way that has no problem, else of the first that has any; None where none has."""
    error: ToolkitError | None
    """The first way's, where none has a result."""
    left: tuple[str, ...]
    """A line for each other way that was tried: its name, and why it was left."""


def first_right(ways: Sequence[Converter], attempt: Attempt, folders: Iterator[Path], judge: Judge | None) -> Found:
    """Try the ways in order.

    Args:
        ways: converters to the same kind of artifact.
        attempt: runs one.
        folders: where each attempt goes; what is taken lies in the first of them.
        judge: whom to ask about a result, where there are several ways; None where nothing shall be verified.
    """
    wanted = next(folders)
    made: Obtained | None = None
    errors: list[ToolkitError] = []
    left: dict[str, str] = {}
    for converter in ways:
        folder = wanted if made is None else next(folders)
        try:
            found = attempt(converter, folder)
        except ToolkitError as error:
            errors.append(error)
            left[converter.name] = first_line(error)
            continue
        problem = judge.problem(found.artifact) if judge and len(ways) > 1 else ""
        if not problem:
            taken = found if folder == wanted else replace(found, artifact=copy(found.artifact, wanted))
            return Found(taken, None, _lines(left))
        left[converter.name] = problem
        made = made or found
    if made is None:
        left.pop(ways[0].name)
        return Found(None, errors[0], _lines(left))
    left.pop(made.artifact.manifest.edge)
    return Found(made, None, _lines(left))


def _lines(left: Mapping[str, str]) -> tuple[str, ...]:
    names: dict[str, list[str]] = {}
    for name, why in left.items():
        names.setdefault(why, []).append(name)
    return tuple(f"{', '.join(each)}: {why}" for why, each in names.items())
