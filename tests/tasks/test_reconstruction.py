"""Image restoration: as scikit-image counts it."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("reconstruction")
SSIM, PSNR = TASK.metrics
GIVEN = signature(picture=("float32", (3, 8, 8)))


def test_metrics_equal_scikit_image() -> None:
    for random in cases():
        low, high = [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)][int(random.integers(0, 3))]
        shape = (2, int(random.choice([1, 3])), int(random.integers(7, 12)), int(random.integers(7, 12)))
        actual = random.uniform(low, high, shape)
        actual[0, 0, 0, :2] = low, high
        predicted = actual + random.normal(0, (high - low) / 10, shape)
        pairs = list(zip(actual, predicted, strict=True))
        expected = [structural_similarity(true, found, data_range=high - low, channel_axis=0) for true, found in pairs]
        assert_equal(SSIM.score(predicted, actual).value, np.mean(expected))
        expected = [peak_signal_noise_ratio(true, found, data_range=high - low) for true, found in pairs]
        assert_equal(PSNR.score(predicted, actual).value, np.mean(expected))


def test_layouts_are_alike() -> None:
    random = np.random.default_rng(0)
    actual, predicted = random.uniform(0, 1, (2, 2, 3, 9, 11))
    last = SSIM.score(predicted.transpose(0, 2, 3, 1), actual.transpose(0, 2, 3, 1)).value
    assert last == pytest.approx(SSIM.score(predicted, actual).value)
    grey = SSIM.score(predicted[:, 0], actual[:, 0]).value
    assert grey == pytest.approx(SSIM.score(predicted[:, :1], actual[:, :1]).value)


def test_bytes_have_a_range_of_255_and_no_error_100_db() -> None:
    dark = np.full((1, 1, 8, 8), 1, dtype=np.uint8)
    assert PSNR.score(dark.astype(np.float32) + 1, dark).value == pytest.approx(20 * np.log10(255))
    assert PSNR.score(dark, dark).value == pytest.approx(100)


def test_targets_that_are_refused() -> None:
    assert_refused(TASK, GIVEN, np.zeros((2, 3, 9, 9)), "no pictures as the output's")
    assert_refused(TASK, GIVEN, np.zeros((2, 3, 8, 8), dtype=np.int64), "no pictures as the output's")
    assert_refused(TASK, signature(picture=("float32", (3, 4, 4))), np.zeros((2, 3, 4, 4)), "too small.*at least 7.*4 x 4")
    assert_refused(TASK, GIVEN, np.full((2, 3, 8, 8), np.nan), "not finite")


def test_fits_pictures_from_pictures() -> None:
    assert TASK.fits(GIVEN, np.full((2, 3, 8, 8), 0.5))
    assert TASK.fits(GIVEN, np.zeros((2, 3, 8, 8), dtype=np.uint8))
    assert not TASK.fits(signature(map=("float32", (1, 8, 8))), np.full((2, 1, 8, 8), 0.5))
    assert not TASK.fits(GIVEN, None)
