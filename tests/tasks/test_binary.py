"""Binary scores: as scikit-learn counts them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases, scored
from toolkit.tasks import find_task

TASK = find_task("binary")
AUC, PRECISION = TASK.metrics
GIVEN = signature(score=("float32", (1,)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        count = int(random.integers(2, 30))
        labels, scores = random.integers(0, 2, count), scored(random, (count,))
        if 0 < labels.sum() < count:
            assert_equal(AUC.score(scores, labels).value, roc_auc_score(labels, scores))
        if labels.any():
            assert_equal(PRECISION.score(scores, labels).value, average_precision_score(labels, scores))


def test_weights_equal_scikit_learn() -> None:
    for random in list(cases())[:50]:
        labels, scores, weights = random.integers(0, 2, 40), scored(random, (40,)), random.integers(0, 4, (1, 40)).astype(float)
        assert_equal(AUC.score(scores, labels).values(weights)[0], roc_auc_score(labels, scores, sample_weight=weights[0]))
        assert_equal(PRECISION.score(scores, labels).values(weights)[0], average_precision_score(labels, scores, sample_weight=weights[0]))


def test_one_class_alone_has_no_curve() -> None:
    assert np.isnan(AUC.score(np.array([0.1, 0.9]), np.array([1, 1])).value)
    assert np.isnan(PRECISION.score(np.array([0.1, 0.9]), np.array([0, 0])).value)


@pytest.mark.parametrize(("scores", "decided"), [([0.2, 0.7, 0.4], [0, 1, 0]), ([-3, 2, -1], [0, 1, 0]), ([0.2, 0.3, 0.1], [0, 1, 0])])
def test_what_a_reference_decides(scores: list[float], decided: list[int]) -> None:
    """Above a half, or above 0 where these are no probabilities; where all are one, the strongest against the rest."""
    own = TASK.as_targets(np.array(scores))
    assert own.tolist() == decided
    assert AUC.score(np.array(scores), own).value == 1


def test_targets_that_are_refused() -> None:
    assert_refused(TASK, GIVEN, np.array([[0, 1], [1, 1]]), r"no decisions.*got int64\[2, 2\]")
    assert_refused(TASK, GIVEN, np.array([0, 2]), "no decisions.*0 or 1, got 2")
    assert_refused(TASK, signature(scores=("float32", (3,))), np.array([0, 1]), "one score a sample")


def test_fits_one_score_and_yes_or_no() -> None:
    assert TASK.fits(GIVEN, np.array([0, 1]))
    assert TASK.fits(signature(score=("float32", ())), np.array([[0], [1]]))
    assert TASK.fits(GIVEN, np.array([True, False]))
    assert not TASK.fits(GIVEN, np.array([0, 2]))
    assert not TASK.fits(GIVEN, np.array([0.5, 1]))
    assert not TASK.fits(GIVEN, None)
