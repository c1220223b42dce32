"""Which task and metric a network is judged by: who says it, in which order, and what nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.core import DataError, Format, Manifest, Precision, Samples, Signature, TensorSpec, UnknownNameError
from toolkit.tasks import all_tasks, check_targets, find_metric, find_task, task_for, task_of

RANDOM = np.random.default_rng(0)


def network(*shape: int | str, labels: tuple[str, ...] = (), task: str = "") -> Manifest:
    """The manifest of a network with one output ``[batch, *shape]``."""
    signature = Signature((TensorSpec("x", "float32", ("batch", 2)),), (TensorSpec("y", "float32", ("batch", *shape)),))
    return Manifest("net", Format.ONNX, Precision.FP32, signature, {}, edge="", labels=labels, task=task)


def samples(targets: np.ndarray | None) -> Samples:
    return Samples({"x": np.zeros((4, 2), np.float32)}, targets, "s.npz")


@pytest.mark.parametrize(
    ("shape", "targets", "task"),
    [
        ((3,), np.arange(40) % 3, "classification"),
        (("classes",), np.arange(40) % 3, "classification"),
        ((3,), RANDOM.integers(0, 2, (40, 3)), "multilabel"),
        ((3,), np.eye(3)[np.arange(40) % 3], None),  # One 1 in each row: a class, or one label of several.
        ((3,), RANDOM.random((40, 3)), "regression"),
        ((), np.arange(40) % 2, "binary"),
        ((1,), RANDOM.random(40), "regression"),
        ((1,), np.arange(40), None),
        ((4, 8, 8), RANDOM.integers(0, 4, (40, 8, 8)), "segmentation"),
        ((7, 60), np.zeros((40, 3, 5), np.float32), "detection"),
        ((3,), None, None),
        ((128,), None, None),
    ],
)
def test_targets_that_only_one_task_has_tell_it(shape: tuple[int | str, ...], targets: np.ndarray | None, task: str | None) -> None:
    found, metric = task_for(network(*shape), targets)
    assert (found and found.name) == task
    assert metric is (found.metrics[0] if found else None)


def test_what_is_named_comes_before_the_manifest_and_that_before_the_targets() -> None:
    labels = np.arange(40) % 3
    assert task_for(network(3, task="embedding"), labels)[0] is find_task("embedding")
    assert task_for(network(3, task="embedding"), labels, task="classification")[0] is find_task("classification")
    task, metric = task_for(network(3), None, metric="macro-f1")
    assert (task, metric) == (find_task("classification"), find_metric("macro-f1")[1])
    assert task_for(network(3, labels=("a", "b", "c")), None)[0] is find_task("classification")
    assert task_for(network(3, 8, 8, labels=("a", "b", "c")), None)[0] is None, "names of classes alone are no class scores"
    assert task_for(network(3, task="any"), labels) == (find_task("any"), None)
    assert task_for(network(3, task="classification"), labels, metric="mine.py:f") == (find_task("classification"), None)


def test_outputs_show_what_no_signature_tells() -> None:
    rows = RANDOM.standard_normal((50, 16))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    chances = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
    for outputs, task in ((unit, "embedding"), (chances, "classification"), (rows, None)):
        found, _ = task_for(network(16), None, outputs={"y": outputs})
        assert (found and found.name) == task
    assert task_for(network(16), np.arange(50) % 3, outputs={"y": unit})[0] is find_task("embedding"), "identities, not classes"


def test_names_that_nobody_knows() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'detection'"):
        find_task("detecton")
    with pytest.raises(UnknownNameError, match="did you mean 'map50'"):
        find_metric("map5")
    with pytest.raises(UnknownNameError, match="metric 'map50': expected one of accuracy"):
        find_metric("map50", find_task("classification"))


@pytest.mark.parametrize(("shape", "refused"), [((3,), True), (("classes",), True), ((1,), False), ((3, 8, 8), False), ((), False)])
def test_targets_that_are_nearly_labels_are_told_what_they_lack(shape: tuple[int | str, ...], refused: bool) -> None:
    """One-hot rows, for networks of several kinds: one without class scores has no accuracy that could be wrong."""
    one_hot = samples(np.eye(3)[[0, 1, 2, 0]])
    if not refused:
        check_targets(network(*shape), one_hot)
        return
    with pytest.raises(DataError, match=r"no class labels.*argmax\(axis=1\)|no class labels"):
        check_targets(network(*shape), one_hot)


def test_named_targets_are_checked_by_their_task() -> None:
    with pytest.raises(DataError, match="no boxes"):
        check_targets(network(7, 60), samples(np.zeros((4, 3))), metric="map50")
    with pytest.raises(DataError, match="have no targets"):
        check_targets(network(3), samples(None), metric="mine.py:f")
    check_targets(network(3), samples(np.array(["a", "b", "c", "d"])), metric="mine.py:f")
    check_targets(network(3, task="any"), samples(np.array(["a", "b", "c", "d"])))
    check_targets(replace(network(3)), samples(None), task="detection")


def test_no_two_tasks_share_a_metrics_name() -> None:
    names = [name for task in all_tasks() for name in task.metric_names]
    assert len(names) == len(set(names))
    assert task_of(network(3).signature, None) is None
