"""Multi-label classification: as scikit-learn counts it."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, f1_score

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases, scored
from toolkit.tasks import find_task

TASK = find_task("multilabel")
MICRO, MACRO, PRECISION = TASK.metrics
GIVEN = signature(scores=("float32", (3,)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        count, classes = int(random.integers(1, 20)), int(random.integers(2, 6))
        labels, scores = random.integers(0, 2, (count, classes)), scored(random, (count, classes))
        if random.random() < 0.5:
            scores = 1 / (1 + np.exp(-scores))
        predicted = scores > (0.5 if (scores >= 0).all() and (scores <= 1).all() else 0)
        assert_equal(MICRO.score(scores, labels).value, f1_score(labels, predicted, average="micro", zero_division=np.nan))
        present = np.flatnonzero((labels + predicted).any(axis=0))
        expected = f1_score(labels, predicted, average="macro", labels=present, zero_division=np.nan) if len(present) else np.nan
        assert_equal(MACRO.score(scores, labels).value, expected)
        occurs = labels.any(axis=0)
        expected = average_precision_score(labels[:, occurs], scores[:, occurs], average="macro") if occurs.any() else np.nan
        assert_equal(PRECISION.score(scores, labels).value, expected)


def test_scores_that_are_no_probabilities_say_yes_above_0() -> None:
    labels = np.array([[1, 0], [1, 1]])
    assert MICRO.score(np.array([[0.3, -2.0], [1.5, 0.2]]), labels).value == 1
    assert MICRO.score(np.array([[0.3, 0.0], [0.9, 0.2]]), labels).value == 0.5


def test_targets_that_are_refused() -> None:
    assert_refused(TASK, GIVEN, np.array([0, 1]), r"no labels of each class.*got int64\[2\]")
    assert_refused(TASK, GIVEN, np.zeros((2, 4), dtype=np.int64), "no labels of each class")
    assert_refused(TASK, GIVEN, np.array([[0, 1, 2]]), "0 or 1 for each, got 2")
    assert_refused(TASK, GIVEN, np.array([[0, 1, np.nan]]), "0 or 1 for each, got nan")


def test_fits_zeros_and_ones_that_are_no_classes() -> None:
    assert TASK.fits(GIVEN, np.array([[1, 1, 0], [0, 0, 0]]))
    assert TASK.fits(GIVEN, np.array([[1.0, 1, 0], [0, 0, 0]]))
    assert not TASK.fits(GIVEN, np.eye(3))
    assert not TASK.fits(GIVEN, np.array([[1, 2, 0]]))
    assert not TASK.fits(GIVEN, None)
