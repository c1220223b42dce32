"""Which mistake, or which two together, explain an app's array: each is made on purpose, and the result compared."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, DataError, InputError, TensorSpec, discover
from toolkit.pipeline.data._preparation import Preparation

from .base import Change, Kind

_CLEARER = 5.0
"""By so much nearer a mistake must be than the right input to be believed where that is within its tolerance too."""
_SMALL = 1e-7


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Args:
        source: the file that the app's array is of.
        wanted: how it becomes the network's input.
        right: whether it is what the network takes.
        changes: the mistakes that explain it; none where nothing does.
        off: how far the array is from the right one, the root mean square of the difference over the right one's spread; None where they
            have other shapes.
        left: the same from what the mistakes give.
        tried: how many arrays were compared.
        nearest: where nothing explains it, what comes nearest.
    """

    source: str
    wanted: str
    right: bool
    changes: tuple[Change, ...]
    off: float | None
    left: float | None
    tried: int
    nearest: tuple[Change, ...] = ()

    @property
    def verdict(self) -> str:
        """In one line."""
        if self.right:
            return f"the app's input is right: {_share(self.off)} off what the network takes"
        if self.changes:
            return "; ".join(change.what for change in self.changes)
        near = f"; nearest: {'; '.join(change.what for change in self.nearest)} ({_share(self.left)} off)" if self.nearest else ""
        return f"no known mistake explains the app's input, {_share(self.off)} off{near}"


def _share(number: float | None) -> str:
    return "another shape" if number is None else f"{100 * number:.2g} %"


def all_kinds() -> tuple[Kind[Any], ...]:
    """Every kind of input, by name."""
    return discover("toolkit.pipeline.app_input", Kind)


def diagnose(artifact: Artifact, app: np.ndarray, file: Path) -> Diagnosis:
    """Compare an app's array, with or without the batch of one, with what `file` is for the network of an artifact: by the ``prepare.toml``
    beside `file`, else as the manifest says.

    Raises:
        InputError: the array cannot be one input.
        DataError: the file cannot be read, or nothing says how it becomes an input.
    """
    kind = next((each for each in all_kinds() if each.owns(file)), None)
    if kind is None:
        raise InputError(f"'{file}'", expected=", or ".join(each.takes for each in all_kinds()), got=f"'{file.suffix}'")
    if not file.is_file():
        raise DataError(f"there is no file '{file}'", expected=kind.takes)
    steps = kind.right(file, artifact.manifest, Preparation.beside(file))
    found, dtype = _row(app, steps.spec), _of_dtype(app, steps.spec)
    search = _Search(kind, steps, found)
    right = search.off(())
    best = search.best(right)
    off, left = _known(right), _known(search.off(best))
    about = str(file), kind.wanted(steps)
    if search.off(best) > kind.tolerance:
        return Diagnosis(*about, False, (), off, left, search.count, nearest=best)
    return Diagnosis(*about, not best and not dtype, (*best, *dtype), off, left, search.count)


def _known(number: float) -> float | None:
    return None if np.isinf(number) else number


def _row(app: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """The only row of the array, in float64."""
    if app.dtype.kind not in "biuf":
        raise InputError("the app's input", expected=f"numbers for {spec}", got=str(app.dtype))
    if app.size == 0 or not np.isfinite(app).all():
        raise InputError("the app's input", expected=f"finite numbers for {spec}", got="none" if app.size == 0 else "NaN or infinity")
    if app.ndim == len(spec.shape) and len(app) != 1:
        raise InputError(
            "the app's input", expected="one row", got=f"{len(app)} in {list(app.shape)}", hint="give x[:1], with its own file"
        )
    return np.asarray(app[0] if app.ndim == len(spec.shape) else app, np.float64)


def _of_dtype(app: np.ndarray, spec: TensorSpec) -> tuple[Change, ...]:
    if app.dtype == np.dtype(spec.dtype):
        return ()
    return (Change(f"the array is {app.dtype}, the network takes {spec.dtype}", f"x = x.astype(np.{spec.dtype})"),)


class _Search:
    """Tries mistakes, each once."""

    def __init__(self, kind: Kind[Any], steps: Any, app: np.ndarray) -> None:
        self._kind, self._steps, self._app = kind, steps, app
        self._found: dict[tuple[Any, ...], float] = {}

    @property
    def count(self) -> int:
        """How many arrays were compared."""
        return len(self._found)

    def best(self, right: float) -> tuple[Change, ...]:
        """The fewest mistakes that explain the array, none where it is right; else those that come nearest."""
        every = list(self._kind.changes(self._steps))
        singles = [(change,) for change in every]
        first = self._nearest([(), *singles])
        if right <= self._kind.tolerance and self.off(first) > right / _CLEARER:
            return ()
        if self.off(first) <= self._kind.tolerance:
            return first
        pairs = [pair for pair in itertools.combinations(every, 2) if not set(pair[0].fields) & set(pair[1].fields)]
        return self._nearest([first, *pairs])

    def _nearest(self, sets: Sequence[tuple[Change, ...]]) -> tuple[Change, ...]:
        return min(sets, key=lambda changes: (self.off(changes), len(changes)))

    def off(self, changes: tuple[Change, ...]) -> float:
        """How far the app's array is from what comes of these mistakes; infinite where the shapes differ."""
        key = tuple((change.what, *change.fields.items()) for change in changes)
        if key not in self._found:
            steps = self._steps
            for change in changes:
                steps = change.applied(steps)
            self._found[key] = _off(self._app, self._kind.array(steps).astype(np.float64))
        return self._found[key]


def _off(app: np.ndarray, wanted: np.ndarray) -> float:
    if app.shape != wanted.shape:
        return np.inf
    spread = float(wanted.std()) or float(np.abs(wanted).max()) or 1.0
    return float(np.sqrt(np.mean(np.square(app - wanted)))) / max(spread, _SMALL)
