"""What networks are for, one module a task: found, never listed. Above the core and below converters and engines; NumPy only."""

from __future__ import annotations

import numpy as np

from toolkit.core import Signature, UnknownNameError, discover

from .base import POINTS, Metric, Scorer, Sums, Task, mean_of
from .intervals import Loss, paired_loss

__all__ = [
    "POINTS",
    "Loss",
    "Metric",
    "Scorer",
    "Sums",
    "Task",
    "all_tasks",
    "find_metric",
    "find_task",
    "mean_of",
    "paired_loss",
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


def task_of(signature: Signature, targets: np.ndarray | None) -> Task | None:
    """The only task that fits; None where none does, or several do."""
    fitting = [task for task in all_tasks() if task.fits(signature, targets)]
    return fitting[0] if len(fitting) == 1 else None
