"""A user's own metric, named as ``mymetric.py:dice``. It runs in a process of its own, as all code does that a user names.

Either a function of one sample, ``def dice(output, target)``, or of all of them, ``def f1(outputs, targets)``, which returns one number, or
one for each sample. An output is an array, or where the network has several a dictionary of them by name; the first axis of ``outputs`` and
``targets`` is the sample. What else is known of it are the function's attributes:

    dice.unit = "points"            a share in [0, 1], whose drop is counted in points; else a unit in words, by default none
    dice.higher_is_better = False   by default it is True

Its docstring's first line is its title.
"""

from __future__ import annotations

import inspect
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from toolkit.core import DataError, InputError, Interval, run_isolated, sha256_of
from toolkit.core.mapped import Place, parts_of, places, writable
from toolkit.core.user_code import CodeName, errors_of

from .base import Metric, Scorer, mean_of
from .intervals import RESAMPLES, Loss, paired_loss
from .values import value_interval

T = TypeVar("T")
_CALLS = 400
"""How often a function of all samples is asked for an interval: it may be slow, and no array of weights makes it quick."""
_REFERENCE, _CANDIDATE, _TARGETS = "reference/", "candidate/", "targets"


@dataclass(frozen=True)
class About:
    """What a function says of itself: its title, its unit and its direction."""

    title: str
    unit: str
    higher_is_better: bool


@dataclass(frozen=True)
class Scored:
    """A metric of reference and candidate, with what it says of itself."""

    about: About
    reference: float
    candidate: float
    drop: float
    low: float | None
    high: float | None
    differing: int
    samples: int

    @property
    def loss(self) -> Loss:
        """As `paired_loss` gives it; JSON has no infinity."""
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        return Loss(self.reference, self.candidate, Interval(self.drop, low, high), self.differing, self.samples)


@dataclass(frozen=True)
class _Request:
    metric: str
    folder: str
    arrays: dict[str, Place]


def is_users(metric: str) -> bool:
    """Whether a metric's name is that of a user's function."""
    return ":" in metric


def resolved(metric: str) -> str:
    """The name with its file's whole path, so that it is found from any folder."""
    code = CodeName.parse(metric) if is_users(metric) else None
    return f"{Path(code.module).resolve()}:{code.name}" if code is not None and code.is_file else metric


def metric_sha256(metric: str) -> str:
    """The hash of the file of a user's metric; nothing for any other."""
    code = CodeName.parse(metric) if is_users(metric) else None
    return sha256_of(Path(code.module)) if code is not None and code.is_file and Path(code.module).is_file() else ""


def about_metric(metric: str) -> About:
    """What a user's function says of itself; raises `InputError` where there is none, or none that takes outputs and targets."""
    _code(metric)
    return msgspec.convert(run_isolated(f"{__name__}:about_task", _Request(metric, str(Path.cwd()), {})), About)


def users_loss(metric: str, *, reference: Mapping[str, np.ndarray], candidate: Mapping[str, np.ndarray], targets: np.ndarray) -> Scored:
    """How much worse `candidate` is than `reference` by a user's function.

    Args:
        metric: ``mymetric.py:dice``.
        reference: outputs ``[N, ...]`` by name.
        candidate: as many.
        targets: ``[N, ...]``.

    Raises:
        InputError: the function cannot be found, raises, or returns anything but numbers, of which there are as many as samples, or one.
        ProcessError: it crashed or ran too long.
    """
    arrays = {f"{_REFERENCE}{name}": array for name, array in reference.items()}
    arrays |= {f"{_CANDIDATE}{name}": array for name, array in candidate.items()}
    return _told("loss_task", metric, {**arrays, _TARGETS: targets}, Scored)


@dataclass(frozen=True)
class Valued:
    """A metric of one network with its 95 % interval, and with what it says of itself."""

    about: About
    value: float
    low: float | None
    high: float | None

    @property
    def interval(self) -> Interval:
        """The value with its interval; JSON has no infinity."""
        return Interval(self.value, -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)


def users_value(metric: str, *, outputs: Mapping[str, np.ndarray], targets: np.ndarray) -> Valued:
    """What a user's function says of outputs ``[N, ...]`` by name; errors as `users_loss`."""
    arrays = {f"{_CANDIDATE}{name}": array for name, array in outputs.items()}
    return _told("value_task", metric, {**arrays, _TARGETS: targets}, Valued)


def users_score(metric: str, *, outputs: Mapping[str, np.ndarray], targets: np.ndarray) -> tuple[About, float]:
    """As `users_value`, without an interval, for which the function is called many times."""
    arrays = {f"{_CANDIDATE}{name}": array for name, array in outputs.items()}
    return _told("score_task", metric, {**arrays, _TARGETS: targets}, tuple[About, float])


def _told(task: str, metric: str, arrays: Mapping[str, np.ndarray], kind: type[T]) -> T:
    """What this module's `task` says of a metric and arrays, in a process of its own."""
    _code(metric)
    with tempfile.TemporaryDirectory(prefix="toolkit-metric-") as folder:
        request = _Request(metric, str(Path.cwd()), places(arrays, Path(folder)))
        return msgspec.convert(run_isolated(f"{__name__}:{task}", request), kind)


def score_task(request: _Request) -> tuple[About, float]:
    """The child's half of `users_score`."""
    function = _Function.load(request)
    return function.about, function.of_candidate(request).value


def value_task(request: _Request) -> Valued:
    """The child's half of `users_value`."""
    function = _Function.load(request)
    scorer = function.of_candidate(request)
    found = value_interval(function.metric, scorer, resamples=_CALLS)
    low, high = (end if math.isfinite(end) else None for end in (found.low, found.high))
    return Valued(function.about, found.value, low, high)


def about_task(request: _Request) -> About:
    """The child's half of `about_metric`."""
    return _Function.load(request).about


def loss_task(request: _Request) -> Scored:
    """The child's half of `users_loss`."""
    function = _Function.load(request)
    arrays = {name: writable(place) for name, place in request.arrays.items()}
    outputs = [
        {name.removeprefix(side): array for name, array in arrays.items() if name.startswith(side)} for side in (_REFERENCE, _CANDIDATE)
    ]
    first, second = (function.scorer(each, arrays[_TARGETS]) for each in outputs)
    loss = paired_loss(function.metric, first, second, resamples=_CALLS if isinstance(first, _Called) else RESAMPLES)
    low, high = (end if math.isfinite(end) else None for end in (loss.drop.low, loss.drop.high))
    return Scored(function.about, loss.reference, loss.candidate, loss.drop.value, low, high, loss.differing, loss.samples)


def _code(metric: str) -> CodeName:
    code = CodeName.parse(metric)
    if code is None:
        raise InputError(f"--metric '{metric}'", expected="a metric's name, or a function of a Python file such as mymetric.py:dice")
    if code.is_file and not Path(code.module).is_file():
        raise InputError(f"no file '{code.module}'", expected="a Python file with a metric")
    return code


@dataclass(frozen=True)
class _Function:
    code: CodeName
    call: Callable[[Any, Any], Any]
    of_one: bool

    @classmethod
    def load(cls, request: _Request) -> _Function:
        code = _code(request.metric)
        call = code.value(Path(request.folder))
        names = [*inspect.signature(call).parameters] if callable(call) else []
        if names[:2] not in (["output", "target"], ["outputs", "targets"]):
            raise InputError(
                f"metric '{code}'",
                expected="a function of (outputs, targets), or of one sample's (output, target)",
                got=f"({', '.join(names)})" if callable(call) else type(call).__name__,
            )
        return cls(code, call, names[0] == "output")

    @property
    def about(self) -> About:
        title = (inspect.getdoc(self.call) or self.code.name).splitlines()[0].strip().rstrip(".") or self.code.name
        higher = getattr(self.call, "higher_is_better", True)
        return About(title, str(getattr(self.call, "unit", "")), bool(higher))

    @property
    def metric(self) -> Metric:
        """What it is beside those of tasks."""
        about = self.about
        title, higher = about.title, about.higher_is_better
        return Metric(name=self.code.name, title=title, score=self.scorer, unit=about.unit, higher_is_better=higher)

    def of_candidate(self, request: _Request) -> Scorer:
        """Of the outputs of one network."""
        arrays = {name: writable(place) for name, place in request.arrays.items()}
        outputs = {name.removeprefix(_CANDIDATE): array for name, array in arrays.items() if name.startswith(_CANDIDATE)}
        return self.scorer(outputs, arrays[_TARGETS])

    def scorer(self, outputs: Mapping[str, np.ndarray], targets: np.ndarray) -> Scorer:
        """Of outputs ``[N, ...]`` by name and targets ``[N, ...]``."""
        if self.of_one:
            parts = parts_of(targets, *outputs.values())
            rows = (row for true, *part in parts for row in zip(true, *part, strict=True))
            values = [self.number(self.value(dict(zip(outputs, row, strict=True)), target)) for target, *row in rows]
            return mean_of(np.array(values))
        found = np.asarray(self.value(dict(outputs), targets))
        if found.ndim == 0:
            return _Called(self, outputs, targets)
        if found.shape != (len(targets),) or not np.isfinite(found.astype(np.float64)).all():
            got = f"shape {list(found.shape)}" if found.shape != (len(targets),) else "NaN or infinity"
            raise InputError(
                f"metric '{self.code}' returned no number for each sample", expected=f"{len(targets)} numbers, or one", got=got
            )
        return mean_of(found.astype(np.float64))

    def value(self, outputs: Mapping[str, np.ndarray], targets: Any) -> Any:
        """What the function returns; a network's only output is given as it is."""
        given = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        with errors_of(self.code, hint="the metric runs in a process of its own, on outputs and targets as arrays"):
            return self.call(given, targets)

    def number(self, value: Any, *, may_be_nan: bool = False) -> float:
        """What the function returned, as a float; raises `InputError`."""
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"metric '{self.code}' returned {type(value).__name__}", expected="a number") from error
        if not math.isfinite(number) and not may_be_nan:
            raise InputError(f"metric '{self.code}' returned {number}", expected="a finite number")
        return number


@dataclass(frozen=True, eq=False)
class _Called(Scorer):
    """A function of all samples, called for each set of them anew."""

    function: _Function
    outputs: Mapping[str, np.ndarray]
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def values(self, weights: np.ndarray) -> np.ndarray:
        """As `Scorer.values`."""
        return np.array([self._of(np.repeat(np.arange(len(self)), row.astype(np.int64))) for row in weights])

    def _of(self, rows: np.ndarray) -> float:
        value = self.function.value({name: array[rows] for name, array in self.outputs.items()}, self.targets[rows])
        # Of some samples drawn again it may not be defined, as an area where all are of one class; of all of them it must be.
        return self.function.number(value, may_be_nan=len(np.unique(rows)) < len(self))

    def differs(self, other: Scorer) -> np.ndarray:
        """As `Scorer.differs`: samples whose outputs differ."""
        assert isinstance(other, _Called)
        unequal = [(array != other.outputs[name]).reshape(len(self), -1).any(axis=1) for name, array in self.outputs.items()]
        found: np.ndarray = np.logical_or.reduce(unequal)
        return found


def check_users_targets(metric: str, targets: np.ndarray | None, origin: str) -> None:
    """Raise `DataError` where a user's metric has nothing to compare with."""
    if targets is None:
        raise DataError(f"samples '{origin}' have no targets", expected=f"an array 'targets' for the metric '{metric}'")
