"""What networks are for, one module a task: found, never listed. Above the core and below converters and engines; NumPy only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.core import Manifest, Samples, Signature, UnknownNameError, discover, scores_classes

from .base import Metric, Scorer, Sums, Task, mean_of
from .intervals import Loss, paired_loss
from .limits import Limits
from .user_metric import check_users_targets, is_users

__all__ = [
    "Limits",
    "Loss",
    "Metric",
    "Scorer",
    "Sums",
    "Task",
    "all_tasks",
    "check_targets",
    "find_metric",
    "find_task",
    "is_users",
    "mean_of",
    "paired_loss",
    "task_for",
    "task_of",
]


def all_tasks() -> tuple[Task, ...]:
    """Every task, sorted by name."""
    return discover("toolkit.tasks", Task)


def find_task(name: str) -> Task:
    """The task of this name; raises `UnknownNameError`."""
    known = {task.name: task for task in all_tasks()}
    if name not in known:
        raise UnknownNameError("task", name, list(known))
    return known[name]


def find_metric(name: str, task: Task | None = None) -> tuple[Task, Metric]:
    """The metric of this name, and the task that it belongs to: `task` where that has one so called; raises `UnknownNameError`."""
    for each in (task,) if task else all_tasks():
        for metric in each.metrics:
            if metric.name == name:
                return each, metric
    raise UnknownNameError("metric", name, [metric.name for each in ((task,) if task else all_tasks()) for metric in each.metrics])


def task_of(signature: Signature, targets: np.ndarray | None, outputs: Mapping[str, np.ndarray] | None = None) -> Task | None:
    """The only task that fits, or that alone `outputs` show, where some are at hand; None where none does, or several do."""
    asked = [task for task in all_tasks() if targets is None or task.shows_beside_targets] if outputs else []
    telling = [task for task in asked if task.shows(outputs or {})]
    fitting = telling or [task for task in all_tasks() if task.fits(signature, targets)]
    return fitting[0] if len(fitting) == 1 else None


def task_for(
    manifest: Manifest,
    targets: np.ndarray | None,
    *,
    task: str = "",
    metric: str = "",
    outputs: Mapping[str, np.ndarray] | None = None,
) -> tuple[Task | None, Metric | None]:
    """By which task and metric a network is judged; two times None where nothing says what its outputs mean. A user's own metric is none of
    a task's.

    What the caller names comes before what the manifest keeps, then names of classes, then what only one task's `outputs` of a float
    network on real samples, where some are at hand, or its networks and targets look like.

    Raises:
        UnknownNameError: no such task, or no such metric of it.
    """
    named = task or manifest.task
    found = find_task(named) if named else None
    if is_users(metric):
        return found, None
    if metric:
        return find_metric(metric, find_task(task) if task else found if found and metric in found.metric_names else None)
    if found is None and manifest.labels and scores_classes(manifest.signature):
        found = find_task("classification")
    if found is None:
        found = task_of(manifest.signature, targets, outputs)
    return found, found.metrics[0] if found and found.metrics else None


def check_targets(manifest: Manifest, samples: Samples, *, task: str = "", metric: str = "") -> None:
    """Raise `DataError` for targets by which such a network cannot be judged; where nothing says what they mean, nothing is judged by
    them.
    """
    if is_users(metric) and not samples.drawn:
        check_users_targets(metric, samples.targets, samples.origin)
    if samples.targets is None or is_users(metric):
        return
    found, _ = task_for(manifest, samples.targets, task=task, metric=metric)
    if found is None and scores_classes(manifest.signature):
        found = find_task("classification")  # Its words say what is wrong with targets that are nearly labels.
    if found is not None:
        found.check(manifest.signature, samples.targets, samples.origin)
