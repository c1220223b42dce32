"""By what a candidate is judged: the task's metric and what it may lose."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from toolkit.core import Manifest, Samples, TaskMetric
from toolkit.tasks import Limits, Loss, Metric, Task, is_users, paired_loss, task_for
from toolkit.tasks.user_metric import check_users_targets, users_loss


@dataclass(frozen=True)
class Criterion:
    """By what two artifacts are compared on the same samples.

    Args:
        task: what the outputs mean; None where nothing says it.
        metric: of the task; None for none.
        users: the name of a user's own metric, in place of the task's.
        named: whether somebody named the metric.
    """

    task: Task | None
    metric: Metric | None
    users: str = ""
    named: bool = False

    @classmethod
    def of(cls, manifest: Manifest, samples: Samples, limits: Limits, reference: Mapping[str, np.ndarray]) -> Criterion:
        """What the limits, the manifest or the samples say, or else what the outputs of the reference show.

        Raises:
            UnknownNameError: no such task or metric.
        """
        drawn = samples.drawn  # Random numbers show nothing.
        shown, targets = (None, None) if drawn else (reference, samples.targets)
        task, metric = task_for(manifest, targets, task=limits.task, metric=limits.metric, outputs=shown)
        if is_users(limits.metric) and not drawn:
            return cls(task, None, users=limits.metric, named=True)
        return cls(task, metric, named=bool(limits.metric) and not drawn)

    def judged(self, manifest: Manifest) -> tuple[str, ...]:
        """The names of the outputs that the metric is of."""
        if self.users:
            return tuple(spec.name for spec in manifest.signature.outputs)
        return self.task.judged(manifest.signature) if self.task else ()

    def covered(self, manifest: Manifest) -> tuple[str, ...]:
        """The names of the outputs on which the metric depends: the others must keep the ratio of their errors."""
        if self.users or self.task is None or self.metric is None:
            return self.judged(manifest)
        return self.task.covered(manifest.signature, self.metric)

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
        names = self.judged(manifest)
        if not names or samples.drawn:
            return None
        rows = min(min(len(outputs[name]) for name in names) for outputs in (reference, candidate))
        if not rows:
            return None
        first, second = ({name: outputs[name][:rows] for name in names} for outputs in (reference, candidate))
        if self.users:
            check_users_targets(self.users, samples.targets, samples.origin)
            assert samples.targets is not None
            scored = users_loss(self.users, reference=first, candidate=second, targets=samples.targets[:rows])
            about = scored.about
            return _measured(scored.loss, name=about.title, unit=about.unit, higher_is_better=about.higher_is_better)
        assert self.task is not None
        assert self.metric is not None
        said, heard = self.task.predictions(first), self.task.predictions(second)
        if samples.targets is not None:
            self.task.check(manifest.signature, samples.targets, samples.origin)
        targets = self.task.as_targets(said) if samples.targets is None else samples.targets[:rows]
        loss = paired_loss(self.metric, self.metric.score(said, targets), self.metric.score(heard, targets))
        name = self.task.called(self.metric, labelled=samples.targets is not None)
        return _measured(loss, name=name, unit=self.metric.unit, higher_is_better=self.metric.higher_is_better)


def _measured(loss: Loss, *, name: str, unit: str, higher_is_better: bool) -> TaskMetric:
    return TaskMetric(
        name=name,
        samples=loss.samples,
        reference=_finite(loss.reference),
        candidate=_finite(loss.candidate),
        drop=_finite(loss.drop.value),
        drop_low=_finite(loss.drop.low),
        drop_high=_finite(loss.drop.high),
        differing=loss.differing,
        unit=unit,
        higher_is_better=higher_is_better,
    )


def _finite(number: float) -> float:
    """JSON has no infinity, and no NaN: what is not defined is as far as can be."""
    return max(-sys.float_info.max, min(number, sys.float_info.max)) if not math.isnan(number) else sys.float_info.max
