"""Keypoints: similarity as pycocotools counts it, PCK as it is defined."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("keypoints")
PCK, OKS = TASK.metrics
GIVEN = signature(points=("float32", (4, 2)))


def _oks(predicted: np.ndarray, actual: np.ndarray) -> float:
    """The similarity of one sample, from pycocotools' own function."""
    points = len(actual)
    judge = COCOeval(iouType="keypoints")
    if points != 17:
        judge.params.kpt_oks_sigmas = np.full(points, 1 / points)
    visible = actual[:, 2] > 0
    sides = actual[visible, :2].max(axis=0) - actual[visible, :2].min(axis=0)
    judge._gts[0, 0] = [{"keypoints": actual.reshape(-1), "bbox": [0, 0, 1, 1], "area": float(sides.prod()), "ignore": 0}]
    judge._dts[0, 0] = [{"keypoints": np.column_stack([predicted, np.ones(points)]).reshape(-1), "score": 1.0}]
    judge.params.maxDets = [20]
    return float(judge.computeOks(0, 0)[0, 0])


def test_similarity_equals_pycocotools() -> None:
    for random in cases():
        points = int(random.choice([17, 5]))
        actual = np.concatenate([random.uniform(0, 100, (2, points, 2)), random.integers(0, 3, (2, points, 1))], axis=2)
        actual[:, 0, 2] = 2
        predicted = actual[:, :, :2] + random.normal(0, 5, (2, points, 2))
        assert_equal(OKS.score(predicted, actual).value, float(np.mean([_oks(*pair) for pair in zip(predicted, actual, strict=True)])))


def test_share_of_near_points() -> None:
    actual = np.array([[[0, 0, 2], [10, 0, 1], [5, 5, 2], [90, 90, 0.0]]])
    predicted = np.array([[[0, 2.0], [10, 2.1], [5, 5], [0, 0]]])
    assert PCK.score(predicted, actual).value == pytest.approx(2 / 3)
    assert np.isnan(PCK.score(predicted, np.zeros((1, 4, 3))).value)
    assert np.isnan(OKS.score(predicted, np.zeros((1, 4, 3))).value)


def test_heat_maps_and_scores() -> None:
    maps = np.zeros((1, 2, 5, 7))
    maps[0, 0, 3, 6] = maps[0, 1, 0, 2] = 1
    np.testing.assert_array_equal(TASK.predictions({"maps": maps}), [[[6, 3], [2, 0]]])
    points = np.array([[[6, 3, 0.9], [2, 0, 0.1]]])
    np.testing.assert_array_equal(TASK.predictions({"points": points}), points[:, :, :2])


def test_targets_that_are_refused() -> None:
    fine = np.zeros((2, 4, 3))
    TASK.check(GIVEN, fine, "photos")
    assert_refused(TASK, GIVEN, fine[:, :3], r"no points.*float\[N, 4, 3\]")
    assert_refused(TASK, GIVEN, fine[:, :, :2], "no points")
    assert_refused(TASK, GIVEN, np.where(fine == 0, np.nan, 0), "not finite")
    assert_refused(TASK, GIVEN, fine + 0.5, "visibility that is none.*got 0.5")
    assert_refused(TASK, signature(scores=("float32", (3,))), fine, "are for points")


def test_fits_points_with_a_visibility() -> None:
    assert TASK.fits(GIVEN, np.zeros((2, 4, 3)))
    assert TASK.fits(signature(maps=("float32", (4, 16, 16))), np.zeros((2, 4, 3)))
    assert not TASK.fits(GIVEN, np.zeros((2, 5, 3)))
    assert not TASK.fits(GIVEN, np.full((2, 4, 3), 0.5))
    assert not TASK.fits(GIVEN, None)
