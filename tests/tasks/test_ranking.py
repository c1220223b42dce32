"""Ranking: as scikit-learn counts it."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import ndcg_score, recall_score

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases, scored
from toolkit.tasks import find_task

TASK = find_task("ranking")
NDCG, RECALL = TASK.metrics
GIVEN = signature(scores=("float32", (4,)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        shape = (int(random.integers(1, 4)), int(random.integers(11, 20)))
        relevance, scores = random.integers(0, 4, shape), scored(random, shape)
        relevance[:, 0] = 3
        assert_equal(NDCG.score(scores, relevance).value, ndcg_score(relevance, scores))
        first = np.zeros(shape, dtype=bool)
        np.put_along_axis(first, np.argsort(-scores, axis=1, kind="stable")[:, :10], True, axis=1)
        expected = [recall_score(true > 0, found) for true, found in zip(relevance, first, strict=True)]
        assert_equal(RECALL.score(scores, relevance).value, np.mean(expected))


def test_padding_is_no_candidate() -> None:
    scores, relevance = np.array([[0.9, 0.5, 7.0, 0.1]]), np.array([[2, 0, -1, 1]])
    assert_equal(NDCG.score(scores, relevance).value, ndcg_score([[2, 0, 1]], [[0.9, 0.5, 0.1]]))
    assert RECALL.score(scores, relevance).value == 1


def test_nothing_relevant_does_not_count() -> None:
    relevance = np.array([[0, 0], [1, 0]])
    assert NDCG.score(np.array([[1.0, 2.0], [2.0, 1.0]]), relevance).value == 1
    assert np.isnan(NDCG.score(np.ones((1, 2)), relevance[:1]).value)


def test_equal_scores_of_a_reference_are_equally_relevant() -> None:
    scores = np.array([[3.0, 3.0, 1.0, 0.0]])
    np.testing.assert_array_equal(TASK.as_targets(scores), [[9, 9, 8, 7]])
    assert NDCG.score(scores, TASK.as_targets(scores)).value == 1


def test_targets_that_are_refused() -> None:
    fine = np.array([[2, 0, -1, 1]])
    TASK.check(GIVEN, fine, "photos")
    assert_refused(TASK, GIVEN, fine[:, :3], "no relevance of each candidate")
    assert_refused(TASK, GIVEN, fine - 1, "relevance below 0.*got -2")
    assert_refused(TASK, GIVEN, np.array([[0, 1, np.nan, 0]]), "not finite")


def test_fits_grades() -> None:
    assert TASK.fits(GIVEN, np.array([[2, 0, -1, 1]]))
    assert not TASK.fits(GIVEN, np.array([[1, 0, 0, 1]]))
    assert not TASK.fits(GIVEN, np.array([[2.0, 0, 0, 1]]))
    assert not TASK.fits(GIVEN, None)
