"""Embeddings: nearest neighbours and verification as scikit-learn counts them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import embedding, find_task

TASK = find_task("embedding")
RECALL, EER, AUC = TASK.metrics
GIVEN = signature(embedding=("float32", (8,)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        count = int(random.integers(4, 20))
        labels = random.integers(0, 3, count)
        rows = random.normal(size=(3, 4))[labels] + random.normal(size=(count, 4))
        several = np.bincount(labels)[labels] > 1
        nearest = NearestNeighbors(n_neighbors=2, metric="cosine").fit(rows).kneighbors(rows, return_distance=False)[:, 1]
        expected = (labels[nearest] == labels)[several].mean() if several.any() else np.nan
        assert_equal(RECALL.score(rows, labels).value, expected)
        first, second = np.triu_indices(count, 1)
        together, alike = labels[first] == labels[second], cosine_similarity(rows)[first, second]
        if together.all() or not together.any():
            continue
        assert_equal(AUC.score(rows, labels).value, roc_auc_score(together, alike))
        accepted, hits, _ = roc_curve(together, alike, drop_intermediate=False)
        crossing = np.argmax(accepted >= 1 - hits)
        before = max(crossing - 1, 0)
        if accepted[crossing] > accepted[before] and hits[crossing] == hits[before]:
            expected = 1 - hits[crossing]
        else:
            expected = (
                brentq(lambda x, a=accepted, h=hits: 1 - x - interp1d(a, h)(x), 0, 1)
                if (np.diff(accepted) > 0).all()
                else accepted[crossing]
            )
        if hits[crossing] == hits[before] or accepted[crossing] == accepted[before]:
            assert_equal(EER.score(rows, labels).value, expected)


def test_equal_errors() -> None:
    """Four pairs that belong together and five that do not: at the threshold where one in four is rejected, one in five is accepted."""
    together = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0])
    rate = embedding.equal_error_rate(-np.arange(9.0), together.astype(float), np.ones((1, 9)))[0]
    assert rate == pytest.approx(0.2)
    assert embedding.equal_error_rate(np.zeros(9), together.astype(float), np.ones((1, 9)))[0] == pytest.approx(0.5)


def test_without_targets_neighbours_agree() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(30, 8))
    own = TASK.as_targets(rows)
    assert [metric.score(rows, own).value for metric in TASK.metrics] == [1, 0, 1]
    other = RECALL.score(random.normal(size=(30, 8)), own).value
    assert other < 0.3


def test_of_too_many_pairs_all_that_belong_together_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(60) // 4
    rows = random.normal(size=(15, 8))[labels] + random.normal(size=(60, 8))
    whole = AUC.score(rows, labels).value
    monkeypatch.setattr(embedding, "PAIRS", 600)
    part = AUC.score(rows, labels)
    assert isinstance(part, embedding._Pairs)
    assert part.together.sum() == 15 * 6
    assert len(part.together) == 600
    assert part.value == pytest.approx(whole, abs=0.02)


def test_targets_that_are_refused() -> None:
    assert_refused(TASK, GIVEN, np.arange(4), "no identity twice")
    assert_refused(TASK, GIVEN, np.zeros((4, 2), dtype=np.int64), "no identities")
    assert_refused(TASK, GIVEN, np.array([-1, -1]), "unknown identity")
    assert_refused(TASK, signature(maps=("float32", (3, 8, 8))), np.zeros(4, dtype=np.int64), "are for embeddings")


def test_shows_rows_of_length_1() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 8))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert TASK.shows({"rows": unit})
    assert not TASK.shows({"rows": rows})
    assert not TASK.shows({"rows": np.abs(unit)})
    assert not TASK.shows({"rows": unit, "more": unit})
    assert not TASK.fits(GIVEN, np.array([0, 0]))
