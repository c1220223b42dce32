"""Every task that is found keeps the contract."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.tasks.contract import check_task
from tests.tasks.examples import EXAMPLES
from toolkit.core import Signature, TensorSpec, UnknownNameError
from toolkit.tasks import Task, all_tasks, find_metric, find_task, task_of

TASKS = [pytest.param(task, id=task.name) for task in all_tasks() if task.metrics]


def test_each_task_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(task.name for task in all_tasks() if task.metrics)


def test_what_has_no_metric_is_judged_as_any_outputs() -> None:
    without = [task for task in all_tasks() if not task.metrics]
    assert [task.name for task in without] == ["any", "autoencoding", "generation"]
    example = EXAMPLES["classification"](np.random.default_rng(0))
    for task in without:
        assert not task.fits(example.signature, example.targets)
        assert task.judged(example.signature) == ()


def test_a_picture_that_comes_back_beside_labels_is_an_autoencoders() -> None:
    shape = ("batch", 1, 8, 8)
    same = Signature((TensorSpec("image", "float32", shape),), (TensorSpec("back", "float32", shape),))
    assert task_of(same, np.arange(20)) is find_task("autoencoding")
    assert task_of(same, None) is None, "it may as well take noise from pictures"


@pytest.mark.parametrize("task", TASKS)
def test_contract(task: Task) -> None:
    check_task(task, EXAMPLES[task.name](np.random.default_rng(0)))


@pytest.mark.parametrize("task", [each for each in TASKS if each.id != "embedding"])
def test_no_other_task_fits(task: Task) -> None:
    example = EXAMPLES[task.name](np.random.default_rng(0))
    assert [each.name for each in all_tasks() if each is not task and each.fits(example.signature, example.targets)] == []
    assert task_of(example.signature, example.targets, example.outputs) is (None if task.name == "translation" else task)


def test_outputs_tell_an_embedding_from_scores() -> None:
    random = np.random.default_rng(0)
    embedding, scores = EXAMPLES["embedding"](random), EXAMPLES["classification"](random)
    for targets in (embedding.targets, None):
        assert task_of(embedding.signature, targets, embedding.outputs) is find_task("embedding")
    assert task_of(embedding.signature, embedding.targets) is find_task("classification")
    assert task_of(scores.signature, scores.targets, scores.outputs) is find_task("classification")
    sure = {"scores": np.eye(9, dtype=np.float32)}
    assert task_of(scores.signature, scores.targets, sure) is find_task("classification")


def test_metric_names_are_unique() -> None:
    names = Counter(metric.name for task in all_tasks() for metric in task.metrics)
    assert [name for name, count in names.items() if count > 1] == []


def test_a_name_that_is_none() -> None:
    with pytest.raises(UnknownNameError, match="task 'detektion'"):
        find_task("detektion")
    with pytest.raises(UnknownNameError, match="metric 'map51'"):
        find_metric("map51")
    assert find_metric("map50")[0] is find_task("detection")
    with pytest.raises(UnknownNameError, match="metric 'map50'"):
        find_metric("map50", find_task("classification"))


def test_scores_without_targets_are_of_no_task() -> None:
    """What is [N, C] may be scores, an embedding or anything."""
    given = Signature((TensorSpec("image", "float32", ("batch", 3, 8, 8)),), (TensorSpec("output", "float32", ("batch", 10)),))
    assert task_of(given, None) is None
