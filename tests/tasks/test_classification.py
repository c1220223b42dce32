"""Classification: as scikit-learn counts it."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, top_k_accuracy_score

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("classification")
ACCURACY, TOP5, MACRO = TASK.metrics
GIVEN = signature(scores=("float32", (10,)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        count, classes = int(random.integers(1, 30)), int(random.integers(6, 9))
        labels, scores = random.integers(0, classes, count), random.normal(size=(count, classes))
        predicted = scores.argmax(axis=1)
        assert_equal(ACCURACY.score(scores, labels).value, accuracy_score(labels, predicted))
        assert_equal(TOP5.score(scores, labels).value, top_k_accuracy_score(labels, scores, k=5, labels=np.arange(classes)))
        present = np.union1d(labels, predicted)
        assert_equal(MACRO.score(scores, labels).value, f1_score(labels, predicted, average="macro", labels=present, zero_division=0))


def test_targets_that_are_refused() -> None:
    assert_refused(TASK, GIVEN, np.array([0, 10]), "10")
    assert_refused(TASK, GIVEN, np.array([-1, 3]), "-1")


def test_fits_a_label_for_each_row_of_scores() -> None:
    labels = np.zeros(4, dtype=np.int64)
    assert TASK.fits(GIVEN, labels)
    assert not TASK.fits(GIVEN, None)
    assert not TASK.fits(GIVEN, labels.astype(np.float32))
    assert not TASK.fits(signature(score=("float32", (1,))), labels)
