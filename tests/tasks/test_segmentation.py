"""Segmentation: as scikit-learn counts pixels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, jaccard_score

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("segmentation")
MIOU, PIXELS = TASK.metrics
GIVEN = signature(scores=("float32", (3, 8, 8)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        count, classes, side = int(random.integers(1, 5)), int(random.integers(2, 6)), int(random.integers(2, 7))
        labels = random.integers(0, classes, (count, side, side))
        scores = random.normal(size=(count, classes, side, side)) + 2 * np.eye(classes)[labels].transpose(0, 3, 1, 2)
        labels[random.random(labels.shape) < 0.2] = 255
        predicted = TASK.predictions({"scores": scores})
        counted = labels != 255
        if not counted.any():
            continue
        true, found = labels[counted], scores.argmax(axis=1)[counted]
        assert_equal(PIXELS.score(predicted, labels).value, accuracy_score(true, found))
        assert_equal(MIOU.score(predicted, labels).value, jaccard_score(true, found, labels=np.union1d(true, found), average="macro"))


@pytest.mark.parametrize("shape", [(5, 8, 8), (8, 8, 5), (9, 6, 6), (3, 8, 6), (8, 6, 3)])
def test_where_the_classes_are(shape: tuple[int, int, int]) -> None:
    axis = 1 + {5: shape.index(5) if 5 in shape else 0, 9: 0, 3: shape.index(3) if 3 in shape else 0}[min({5, 9, 3} & set(shape))]
    scores = np.random.default_rng(0).normal(size=(2, *shape))
    predicted = TASK.predictions({"scores": scores})
    np.testing.assert_array_equal(predicted.labels, scores.argmax(axis=axis))
    assert predicted.classes == scores.shape[axis]
    TASK.check(signature(scores=("float32", shape)), predicted.labels, "photos")


def test_one_score_a_pixel_and_classes_a_pixel() -> None:
    one = TASK.predictions({"mask": np.array([[[[-1.0, 2.0], [0.1, -3.0]]]])})
    np.testing.assert_array_equal(one.labels, [[[0, 1], [1, 0]]])
    assert one.classes == 2
    labels = np.array([[[3, 1], [0, 3]]])
    assert MIOU.score(TASK.predictions({"classes": labels}), labels).value == 1
    assert MIOU.score(TASK.predictions({"classes": labels}), np.array([[[3, 3], [0, 255]]])).value == pytest.approx((1 + 0.5 + 0) / 3)


def test_a_predicted_class_that_is_none_is_wrong() -> None:
    actual = np.array([[[0, 1]], [[0, 1]]])
    predicted = TASK.predictions({"classes": np.array([[[0, 255]], [[0, -1]]])})
    assert MIOU.score(predicted, actual).value == 0.5
    assert PIXELS.score(predicted, actual).value == 0.5


def test_nothing_that_counts() -> None:
    nothing = np.full((2, 8, 8), 255)
    assert np.isnan(MIOU.score(TASK.predictions({"scores": np.zeros((2, 3, 8, 8))}), nothing).value)


def test_targets_that_are_refused() -> None:
    assert_refused(TASK, GIVEN, np.zeros((2, 8, 8)), r"no classes of pixels.*got float64\[2, 8, 8\]")
    assert_refused(TASK, GIVEN, np.zeros((2, 8), dtype=np.int64), "no classes of pixels")
    assert_refused(TASK, GIVEN, np.zeros((2, 4, 4), dtype=np.int64), r"another size than the output.*\[N, 8, 8\]")
    assert_refused(TASK, GIVEN, np.full((2, 8, 8), 3), "unknown class.*below 3, got 3")
    assert_refused(TASK, GIVEN, np.full((2, 8, 8), -1), "unknown class.*got -1")
    assert_refused(TASK, signature(scores=("float32", (3,))), np.zeros((2, 8, 8), dtype=np.int64), "classes of pixels")


def test_fits_a_whole_number_for_each_pixel() -> None:
    labels = np.zeros((2, 8, 8), dtype=np.uint8)
    assert TASK.fits(GIVEN, labels)
    assert TASK.fits(signature(classes=("int64", (8, 8))), labels)
    assert not TASK.fits(GIVEN, labels.astype(np.float32))
    assert not TASK.fits(GIVEN, labels[:, :4])
    assert not TASK.fits(GIVEN, None)
