"""By what a candidate is judged: the task's metric and what it may lose."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from toolkit.core import MAX_DROP, POINTS, Manifest, Samples, TaskMetric
from toolkit.tasks import Metric, Task, paired_loss, task_for, task_shown


@dataclass(frozen=True)
class Limits:
    """What a candidate may lose, and of what.

    Args:
        max_drop: in the metric's unit, or in percent of the reference's value.
        relative: which of the two; None for the metric's own way: points of a share, percent of all else.
        task: what the outputs mean; empty for what the artifact's manifest, or the samples, say.
        metric: the name of the one that decides; empty for the task's first. A metric that is named decides in every reduced precision.
    """

    max_drop: float = MAX_DROP
    relative: bool | None = None
    task: str = ""
    metric: str = ""

    @property
    def text(self) -> str:
        """What may be lost, in words, before anything is measured: ``2 % of map50``, ``1 of the metric``."""
        return f"{self.max_drop:g}{' %' if self.relative else ''} of {self.metric or 'the metric'}"

    def allowed(self, task: TaskMetric | None) -> float:
        """The largest drop in the unit of a metric that was measured; ``max_drop`` itself without one."""
        if task is None:
            return self.max_drop
        relative = task.unit != POINTS if self.relative is None else self.relative
        scale = 100.0 if task.unit == POINTS else 1.0
        return abs(task.reference) * scale * self.max_drop / 100 if relative else self.max_drop


@dataclass(frozen=True)
class Criterion:
    """The task and the metric by which two artifacts are compared on the same samples; both None where nothing says what outputs mean."""

    task: Task | None
    metric: Metric | None
    named: bool = False

    @classmethod
    def of(cls, manifest: Manifest, samples: Samples, limits: Limits, reference: Mapping[str, np.ndarray]) -> Criterion:
        """What the limits, the manifest or the samples say, or else what the outputs of the reference show.

        Raises:
            UnknownNameError: no such task or metric.
        """
        if samples.drawn:  # Random numbers show nothing.
            named, metric = task_for(manifest, None, task=limits.task, metric=limits.metric)
            return cls(named, metric)
        task, metric = task_for(manifest, samples.targets, task=limits.task, metric=limits.metric)
        if task is None and reference and (shown := task_shown(reference)):
            task, metric = shown, shown.metrics[0]
        return cls(task, metric, named=bool(limits.metric))

    def judged(self, manifest: Manifest) -> tuple[str, ...]:
        """The names of the outputs that the metric is of."""
        return self.task.judged(manifest.signature) if self.task else ()

    def measure(
        self, manifest: Manifest, samples: Samples, *, reference: Mapping[str, np.ndarray], candidate: Mapping[str, np.ndarray]
    ) -> TaskMetric | None:
        """The metric of both; without targets that of how far the candidate answers as the reference does. None where there is none.

        Args:
            reference: outputs ``[N, ...]`` by name.
            candidate: as many, or fewer of a file with a fixed batch.

        Raises:
            DataError: targets by which the network cannot be judged.
        """
        if self.task is None or self.metric is None or samples.drawn:
            return None
        names = self.judged(manifest)
        rows = min(min(len(outputs[name]) for name in names) for outputs in (reference, candidate))
        if not rows:
            return None
        said, heard = (self.task.predictions({name: outputs[name][:rows] for name in names}) for outputs in (reference, candidate))
        if samples.targets is not None:
            self.task.check(manifest.signature, samples.targets, samples.origin)
        targets = self.task.as_targets(said) if samples.targets is None else samples.targets[:rows]
        loss = paired_loss(self.metric, self.metric.score(said, targets), self.metric.score(heard, targets))
        return TaskMetric(
            name=self._name(labelled=samples.targets is not None),
            samples=rows,
            reference=_finite(loss.reference),
            candidate=_finite(loss.candidate),
            drop=_finite(loss.drop.value),
            drop_low=_finite(loss.drop.low),
            drop_high=_finite(loss.drop.high),
            differing=loss.differing,
            unit=self.metric.unit,
            higher_is_better=self.metric.higher_is_better,
        )

    def _name(self, *, labelled: bool) -> str:
        assert self.task is not None
        assert self.metric is not None
        if labelled:
            return self.metric.title
        first = self.metric.name == self.task.metrics[0].name
        return self.task.agreement if first else f"{self.metric.title} against the reference's answers"


def _finite(number: float) -> float:
    """JSON has no infinity, and no NaN: what is not defined is as far as can be."""
    return max(-sys.float_info.max, min(number, sys.float_info.max)) if not math.isnan(number) else sys.float_info.max
