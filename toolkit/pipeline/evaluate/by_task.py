"""How good a network is by the metrics of its task, or by a user's own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from toolkit.core import Artifact, DataError, Interval, Samples
from toolkit.core.evidence import value_text
from toolkit.tasks import Limits, Metric, Task, is_users
from toolkit.tasks.user_metric import check_users_targets, users_value
from toolkit.tasks.values import value_interval

from .base import Evaluation, Table, answers_of
from .drawing import Picture
from .task_pictures import task_pictures, task_tables


@dataclass(frozen=True)
class MetricValue:
    """One metric of one artifact.

    Args:
        name: for options; a user's own by its file and function.
        title: for people.
        unit: points of a share, whose value is in [0, 1], else that of the value.
        higher_is_better: the direction.
        value: on the samples as they are.
        low: the lower end of its 95 % interval; None where there is none.
        high: the upper end.
        samples: how many.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    value: float
    low: float | None
    high: float | None
    samples: int

    @property
    def interval(self) -> str:
        """``58.30 % to 65.80 %``."""
        return (
            "none" if self.low is None or self.high is None else f"{value_text(self.low, self.unit)} to {value_text(self.high, self.unit)}"
        )

    @property
    def text(self) -> str:
        """``62.10 % [58.30 % to 65.80 %], n=500``."""
        return f"{self.shown} [{self.interval}], n={self.samples:,}"

    @property
    def shown(self) -> str:
        """``62.10 %``, ``31.2 dB``."""
        return value_text(self.value, self.unit)


@dataclass(frozen=True)
class TaskFigures:
    """The metrics of ``task``; a user's own metric stands alone, and says nothing of a task."""

    task: str
    metrics: tuple[MetricValue, ...]


def evaluate_task(artifact: Artifact, samples: Samples, task: Task | None, limits: Limits, **options: Any) -> Evaluation:
    """Evaluate an artifact over samples with targets by every metric of its task, or by the one that ``limits`` name.

    Args:
        artifact: of the task.
        samples: with targets as the task wants them.
        task: None with a user's metric.
        limits: name a metric, or none.
        options: those of `answers_of`.

    Raises:
        DataError: no targets.
        EngineError: the engine failed.
    """
    if is_users(limits.metric):
        check_users_targets(limits.metric, samples.targets, samples.origin)
    else:
        assert task is not None
        if samples.targets is None:
            raise DataError(f"samples '{samples.origin}' have no targets", expected=f"for {task.title.lower()}: {task.targets}")
    answers = answers_of(artifact, samples, **options)
    rows = len(answers.samples)
    assert answers.samples.targets is not None
    tables: list[Table] = []
    draw: Callable[[], list[Picture]] = list
    if task is None or is_users(limits.metric):
        scored = users_value(limits.metric, outputs=answers.outputs, targets=answers.samples.targets)
        about = scored.about
        name, higher = limits.metric.rpartition("/")[2], about.higher_is_better
        found = [_value(scored.interval, name=name, title=about.title, unit=about.unit, higher=higher, samples=rows)]
    else:
        outputs = {name: answers.outputs[name][:rows] for name in task.judged(artifact.manifest.signature)}
        predictions = task.predictions(outputs)
        wanted = [metric for metric in task.metrics if limits.metric in {"", metric.name}]
        targets = answers.samples.targets
        found = [_measured(metric, predictions, targets) for metric in wanted]
        tables = task_tables(task, predictions, targets, artifact)
        draw = partial(task_pictures, task, answers, predictions, targets, artifact)
    figures = TaskFigures("" if task is None or is_users(limits.metric) else task.name, tuple(found))
    cells = tuple((each.title, each.shown, each.interval, "higher" if each.higher_is_better else "lower") for each in found)
    # The one that decides; the others stand in the table.
    facts = ((f"{found[0].title} [95 %]", found[0].text),)
    table = Table("Metrics", ("metric", "value", "95 % interval", "better"), cells)
    return Evaluation(answers.run, figures, facts, (table, *tables), draw)


def _measured(metric: Metric, predictions: Any, targets: np.ndarray) -> MetricValue:
    scorer = metric.score(predictions, targets)
    interval, higher = value_interval(metric, scorer), metric.higher_is_better
    return _value(interval, name=metric.name, title=metric.title, unit=metric.unit, higher=higher, samples=len(scorer))


def _value(interval: Interval, *, name: str, title: str, unit: str, higher: bool, samples: int) -> MetricValue:
    low, high = (end if math.isfinite(end) else None for end in (interval.low, interval.high))
    value = interval.value
    if not math.isfinite(value):
        raise DataError(f"{title} is not defined on these {samples} samples", hint="more samples, or another --metric")
    return MetricValue(name, title, unit, higher, value, low, high, samples)
