"""Policy and value: as scikit-learn counts them."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, mean_absolute_error

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task, task_of

TASK = find_task("policy-value")
MOVE, VALUE = TASK.metrics
GIVEN = signature(policy=("float32", (9,)), value=("float32", (1,)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        count = int(random.integers(1, 20))
        targets = np.column_stack([random.integers(0, 9, count), random.uniform(-1, 1, count)])
        policy, value = random.normal(size=(count, 9)), random.uniform(-1, 1, (count, 1))
        predicted = TASK.predictions({"policy": policy, "value": value})
        assert_equal(MOVE.score(predicted, targets).value, accuracy_score(targets[:, 0], policy.argmax(axis=1)))
        assert_equal(VALUE.score(predicted, targets).value, mean_absolute_error(targets[:, 1], value[:, 0]))
        turned = TASK.predictions({"value": value[:, 0], "policy": policy})
        assert MOVE.score(turned, targets).value == MOVE.score(predicted, targets).value


def test_targets_that_are_refused() -> None:
    TASK.check(GIVEN, np.array([[8, 0.5]]), "games")
    assert_refused(TASK, GIVEN, np.array([[9, 0.5]]), "unknown move.*below 9, got 9")
    assert_refused(TASK, GIVEN, np.array([[0.5, 0.5]]), "a move that is none.*got 0.5")
    assert_refused(TASK, GIVEN, np.array([1, 2]), "no moves and values")
    assert_refused(TASK, GIVEN, np.array([[1, np.nan]]), "not finite")
    assert_refused(TASK, signature(policy=("float32", (9,))), np.array([[8, 0.5]]), "are moves and values")


def test_fits_by_targets_or_by_names() -> None:
    assert TASK.fits(GIVEN, np.array([[8, 0.5]]))
    assert task_of(GIVEN, None) is TASK
    assert not TASK.fits(signature(one=("float32", (9,)), two=("float32", (1,))), None)
    assert TASK.fits(signature(one=("float32", (9,)), two=("float32", (1,))), np.array([[8, 0.5]]))
    assert not TASK.fits(GIVEN, np.array([[8.5, 0.5]]))
