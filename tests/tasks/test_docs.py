"""docs/tasks.md says what the classes say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolkit.core import MAX_DROP, POINTS
from toolkit.tasks import Metric, Task, all_tasks

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")


def _row(task: Task, metric: Metric) -> str:
    direction, limit = "higher" if metric.higher_is_better else "lower", "point" if metric.unit == POINTS else "%"
    return f"| {task.name} | `{metric.name}` | {metric.title} | {metric.unit or 'its own'} | {direction} | {MAX_DROP:g} {limit} | "


@pytest.mark.parametrize("task", [pytest.param(task, id=task.name) for task in all_tasks()])
def test_each_task_is_described(task: Task) -> None:
    assert f"| `{task.name}`: {task.title} | {task.targets} | " in PAGE
    assert not task.agreement or f"- {task.name}: {task.agreement}\n" in PAGE
    for metric in task.metrics:
        assert _row(task, metric) in PAGE


def test_nothing_else_is_described() -> None:
    assert sorted(re.findall(r"^\| [\w-]+ \| `([\w-]+)` \|", PAGE, re.MULTILINE)) == sorted(
        metric.name for task in all_tasks() for metric in task.metrics
    )
    assert re.findall(r"^\| `([\w-]+)`: ", PAGE, re.MULTILINE) == [task.name for task in all_tasks()]
