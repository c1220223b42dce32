"""How good a file is that was made of a float model, by what both give on the calibration samples: noise, and the task's metric."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.core import DataError, Manifest, Precision, Samples, Signature, rule_for
from toolkit.core.evidence import scale_of
from toolkit.core.sample_axes import rows_first
from toolkit.tasks import Limits, is_users, task_for
from toolkit.tasks.user_metric import users_score

from .noise import ENOUGH_DB, REFUSED_DB, Exact, Outputs, ratios

_GAIN_DB = 1.0
_UNHARMED_DB = 15.0
"""Enough where the metric lost nothing: decisions are what a network is for."""
_CERTAIN = 3.0
"""Where none of n samples is lost, up to this many of the next n would be, with 95 % confidence (Hanley and Lippman-Hand 1983)."""
_LESS = 0.9
"""By so much less must a metric have lost that this says more than decibels do."""
_AIM = 0.5
"""So much of what may be lost may be lost on the samples by which a noisy file is chosen: on others the best of several loses more."""
_FLOOR = rule_for(Precision.INT8).floor
"""What parity asks of integers where no metric decides."""


@dataclass(frozen=True)
class Quality:
    """How close a file's outputs are to the float model's on the calibration samples."""

    ratios: Mapping[str, float]
    """The signal-to-noise ratio of each output in decibels, that of the worst part where it has several."""
    lost: float = 0.0
    """What the metric lost, as a share of what it may lose; 0 where nothing says what the outputs mean."""
    measured: bool = False
    """Whether a metric was measured."""
    uncovered: frozenset[str] = frozenset()
    """The outputs on which that metric does not depend: they must keep their ratio."""
    allowed: float = math.inf
    """How many of the calibration samples the metric may lose."""

    @property
    def worst_db(self) -> float:
        """The worst output's ratio."""
        return min(self.ratios.values())

    @property
    def coarse(self) -> bool:
        """Whether one sample is more than the metric may lose: that it lost nothing says little then, and the noise counts too."""
        return self.allowed < 1

    @property
    def enough(self) -> bool:
        """Whether nothing better is worth its cost."""
        unharmed = self.measured and self.lost <= 0 and self.allowed >= _CERTAIN
        return not self.fails and self.worst_db >= (_UNHARMED_DB if unharmed else ENOUGH_DB)

    @property
    def fails(self) -> bool:
        """Whether parity may fail by what the calibration samples say: by the metric alone where there is one and they can tell."""
        names = self.uncovered if self.measured and not self.coarse else self.ratios
        noisy = _FLOOR is not None and min((self.ratios[name] for name in names), default=math.inf) < _FLOOR.sqnr_db
        aim = 1 if self.worst_db >= ENOUGH_DB else _AIM  # With little noise it is one sample of few that is lost.
        return noisy or (self.measured and self.lost > aim)

    def beats(self, other: Quality) -> bool:
        """Whether this is better by what is worth an operation in float: a decibel that matters in any output, else of the worst one."""
        if self.enough != other.enough:
            return self.enough
        if self.fails != other.fails:
            return other.fails
        if self.fails and self.measured and other.measured and min(self.lost, other.lost) < _LESS * max(self.lost, other.lost):
            return self.lost < other.lost
        gains = [min(ratio, ENOUGH_DB) - min(other.ratios[name], ENOUGH_DB) for name, ratio in self.ratios.items()]
        return sum(gains) > _GAIN_DB or (sum(gains) >= 0 and self.worst_db > other.worst_db + _GAIN_DB)


class Judge:
    """Compares files with the float model that they were made of.

    Args:
        manifest: the float model's.
        exact: what it gives on the samples.
        samples: those of the calibration; their targets count where they have some.
        limits: what the user names of task, metric and limit.
    """

    def __init__(self, manifest: Manifest, exact: Exact, samples: Samples | None, limits: Limits) -> None:
        self._exact = exact
        self._uncovered: frozenset[str] = frozenset()
        if is_users(limits.metric):
            self._score = _users(manifest, samples, limits)
        else:
            self._score, self._uncovered = _tasks(manifest, exact, samples, limits)
        self._limits, self._count = limits, len(samples or ())
        self._known: Scored | None = None

    def quality(self, outputs: Callable[[], Iterator[Outputs]]) -> Quality:
        """Of a file that gives these `outputs`, batch by batch; minus infinity where the engine refuses it."""
        seen: list[Outputs] = []
        kept = self._score is not None and self._exact.is_kept

        def pairs() -> Iterator[tuple[Outputs, Outputs]]:
            for exact, noisy in zip(self._exact, outputs(), strict=True):
                if kept:
                    seen.append(noisy)
                yield exact, noisy

        try:
            found = ratios(pairs(), self._exact.groups)
        except Exception:  # Whatever an engine raises: onnxruntime's errors have no common class.
            logging.getLogger(__name__).warning("the engine refuses a file", exc_info=True)
            return Quality(dict.fromkeys(next(iter(self._exact)), -math.inf))
        if not kept or min(found.values()) <= REFUSED_DB or (lost := self._lost(seen)) is None:
            return Quality(found)
        return Quality(found, lost[0], measured=True, uncovered=self._uncovered, allowed=lost[1])

    def _lost(self, seen: list[Outputs]) -> tuple[float, float] | None:
        """What the metric lost, as a share of its limit, and how many samples that limit is; None where it is undefined on so few
        samples, or was guessed and does not fit.
        """
        assert self._score is not None
        try:
            if self._known is None:
                self._known = self._score(list(self._exact), None)
            known, found = self._known, self._score(seen, self._known)
        except Exception:  # Whatever a metric raises: it runs again where files are verified, and is told of there.
            logging.getLogger(__name__).warning("the metric does not fit", exc_info=True)
            return None
        if not (math.isfinite(known.value) and math.isfinite(found.value)):
            return None
        drop = (known.value - found.value) * (1 if known.higher_is_better else -1)
        limit = self._limits.allowed_of(known.value, known.unit)
        whole = abs(known.value) * scale_of(known.unit)
        return (drop * scale_of(known.unit) / limit, self._count * limit / whole if whole else math.inf) if limit else (0.0, math.inf)


@dataclass(frozen=True)
class Scored:
    """A metric of a file's outputs, and by which targets."""

    value: float
    unit: str
    higher_is_better: bool
    targets: Any


Score = Callable[[list[Outputs], Scored | None], Scored]
"""The metric of outputs, batch by batch; of the float model where nothing is known of that yet: its answers are the targets of samples
that have none."""


def _users(manifest: Manifest, samples: Samples | None, limits: Limits) -> Score | None:
    """By the user's own function; none without targets."""
    if samples is None or samples.drawn or samples.targets is None:
        return None
    joined, targets = _joining(manifest.signature, samples), np.asarray(samples.targets)

    def score(batches: list[Outputs], _known: Scored | None) -> Scored:
        about, value = users_score(limits.metric, outputs=joined(batches, list(batches[0])), targets=targets)
        return Scored(value, about.unit, about.higher_is_better, targets)

    return score


def _tasks(manifest: Manifest, exact: Exact, samples: Samples | None, limits: Limits) -> tuple[Score | None, frozenset[str]]:
    """By the metric of the task that parity finds, and the outputs on which it does not depend; none of random inputs, and where nothing
    says what the outputs mean.
    """
    if samples is None or samples.drawn:
        return None, frozenset()
    try:
        shown = _shown(exact, joined := _joining(manifest.signature, samples))
        task, metric = task_for(manifest, samples.targets, task=limits.task, metric=limits.metric, outputs=shown)
        if task is not None and samples.targets is not None:
            task.check(manifest.signature, samples.targets, samples.origin)
    except DataError:
        return None, frozenset()
    if task is None or metric is None:
        return None, frozenset()
    judged, targets = task.judged(manifest.signature), samples.targets

    def score(batches: list[Outputs], known: Scored | None) -> Scored:
        predictions = task.predictions(joined(batches, judged))
        actual = known.targets if known else task.as_targets(predictions) if targets is None else np.asarray(targets)
        return Scored(metric.score(predictions, actual).value, metric.unit, metric.higher_is_better, actual)

    return score, frozenset(spec.name for spec in manifest.signature.outputs) - frozenset(task.covered(manifest.signature, metric))


def _shown(exact: Exact, joined: _Joined) -> dict[str, np.ndarray] | None:
    """The outputs of all samples; None where they are too large to be kept, or are no rows: numbers, or other sizes in each batch."""
    if not exact.is_kept:
        return None
    batches = list(exact)
    try:
        return joined(batches, list(batches[0]))
    except ValueError:
        return None


_Joined = Callable[[list[Outputs], Iterable[str]], dict[str, np.ndarray]]
"""Outputs of some names over all samples, their rows first, from those of batches."""


def _joining(signature: Signature, samples: Samples) -> _Joined:
    specs, count, alone = {spec.name: spec for spec in signature.outputs}, len(samples), samples.one_by_one

    def rows(batch: Outputs, name: str) -> np.ndarray:
        return rows_first(batch[name], specs[name], signature, one_by_one=alone) if name in specs else batch[name]

    def joined(batches: list[Outputs], names: Iterable[str]) -> dict[str, np.ndarray]:
        # The last batch of a fixed size was filled up with samples that it has already.
        return {name: np.concatenate([rows(batch, name) for batch in batches])[:count] for name in names}

    return joined
