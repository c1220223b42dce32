"""The paired interval: known answers, and that few samples say little."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.intervals import WORLDS, coverage
from toolkit.core import paired_difference, shortfall, wilson
from toolkit.tasks import Loss, Metric, Scorer, Sums, find_metric, mean_of, paired_loss
from toolkit.tasks.detection import MeanPrecision, Ranked
from toolkit.tasks.values import value_interval

ACCURACY = find_metric("accuracy")[1]
MAP50 = find_metric("map50")[1]
F1 = find_metric("label-f1")[1]
MAE = find_metric("mae")[1]


def _shares(values: list[float] | np.ndarray) -> Scorer:
    """A mean that is not of right and wrong alone."""
    return mean_of(np.asarray(values, dtype=np.float64))


def test_shares_of_right_have_the_score_interval() -> None:
    random = np.random.default_rng(0)
    right, still = random.random(80) < 0.9, random.random(80) < 0.8
    loss = paired_loss(ACCURACY, mean_of(right), mean_of(still))
    expected = paired_difference(right, still)
    assert (loss.reference, loss.candidate) == (right.mean(), still.mean())
    assert (loss.drop.low, loss.drop.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert loss.differing == (right != still).sum()


def test_a_reference_that_is_right_by_definition_loses_nothing_below_0() -> None:
    loss = paired_loss(ACCURACY, mean_of(np.ones(50)), mean_of(np.arange(50) > 0))
    expected = shortfall(49, 50)
    assert (loss.drop.value, loss.drop.low, loss.drop.high) == pytest.approx(
        tuple(100 * x for x in (expected.value, expected.low, expected.high))
    )
    assert loss.drop.low >= 0


def test_a_mean_has_about_the_interval_of_student() -> None:
    random = np.random.default_rng(0)
    first = random.normal(0.7, 0.1, 100)
    second = first - random.normal(0.05, 0.1, 100)
    loss = paired_loss(F1, _shares(first), _shares(second))
    half = 1.984 * np.std(first - second, ddof=1) / 10
    assert loss.drop.value == pytest.approx(100 * (first - second).mean())
    assert loss.drop.low == pytest.approx(100 * ((first - second).mean() - half), abs=0.4)
    assert loss.drop.high == pytest.approx(100 * ((first - second).mean() + half), abs=0.4)


def test_what_is_better_when_lower() -> None:
    random = np.random.default_rng(0)
    errors = random.uniform(1, 2, 60)
    worse = paired_loss(MAE, _shares(errors), _shares(errors + random.uniform(0.1, 0.3, 60)))
    assert 0.1 < worse.drop.low < worse.drop.value < worse.drop.high < 0.3
    better = paired_loss(MAE, _shares(errors), _shares(errors - random.uniform(0.1, 0.3, 60)))
    assert -0.3 < better.drop.low < better.drop.high < -0.1


def test_samples_that_are_alike_leave_what_was_not_seen() -> None:
    """As Wilson's interval for none of n: a bootstrap alone would have no width."""
    widths = []
    for count in (4, 20, 100, 400, 1600):
        values = np.random.default_rng(0).uniform(0.5, 0.9, count)
        loss = paired_loss(F1, _shares(values), _shares(values))
        assert loss.differing == 0
        assert loss.drop.value == 0
        assert loss.drop.high == -loss.drop.low == pytest.approx(100 * 3.8415 / (count + 3.8415), rel=1e-3)
        widths.append(loss.drop.high)
    assert widths == sorted(widths, reverse=True)


def test_narrower_with_more_samples() -> None:
    widths = []
    for count in (4, 12, 50, 200, 800):
        random = np.random.default_rng(1)
        first = random.uniform(0.5, 1, count)
        loss = paired_loss(F1, _shares(first), _shares(np.where(random.random(count) < 0.3, first - 0.2, first)))
        widths.append(loss.drop.high - loss.drop.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0] / 10


@pytest.mark.parametrize("lost", [0.0, 0.001, 0.05])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_four_samples_never_confirm_a_limit_of_one_point(count: int, lost: float) -> None:
    values = np.linspace(0.6, 0.9, count)
    assert paired_loss(F1, _shares(values), _shares(values - lost)).drop.high > 1
    assert paired_loss(ACCURACY, mean_of(np.ones(count)), mean_of(np.ones(count))).drop.high > 1


def _detectors(count: int) -> tuple[Scorer, Scorer]:
    """One whose mAP falls from about .62 to .37, on `count` images of three boxes: it no longer finds two fifths of what it found."""
    random = np.random.default_rng(3)
    image = np.repeat(np.arange(count), 3)
    score, found = random.random(len(image)), random.random(len(image)) < 0.63
    still = found & (random.random(len(image)) < 0.6)
    order = np.argsort(-score)
    actual = np.full(count, 3.0)
    pair = [
        MeanPrecision(count, (Ranked(image[order][keep], np.ones((1, keep.sum()), dtype=bool), actual),))
        for keep in (found[order], still[order])
    ]
    return pair[0], pair[1]


def test_a_detector_that_fell_is_beyond_the_limit_on_enough_images_and_undecided_on_four() -> None:
    many = paired_loss(MAP50, *_detectors(200))
    assert many.reference == pytest.approx(0.62, abs=0.04)
    assert many.candidate == pytest.approx(0.37, abs=0.04)
    assert many.drop.low > 1
    few = paired_loss(MAP50, *_detectors(4))
    assert few.drop.value > 1
    assert few.drop.low <= 1 <= few.drop.high


@pytest.mark.parametrize("fell", [[0.25, 0.25, 0.25, 0.25], [0.1, 0.2, 0.3, 0.4]])
def test_four_images_that_all_fell_are_undecided(fell: list[float]) -> None:
    """A bootstrap alone would have no width, or none that reaches beyond what was seen."""
    loss = paired_loss(F1, _shares([0.62] * 4), _shares(0.62 - np.array(fell)))
    assert loss.drop.low <= 1 <= loss.drop.high


def test_what_is_not_defined_has_no_end() -> None:
    def nothing(sums: np.ndarray) -> np.ndarray:
        return np.full(len(sums), np.nan)

    loss = paired_loss(F1, Sums(np.ones((5, 1)), nothing), Sums(np.ones((5, 1)), nothing))
    assert (loss.drop.low, loss.drop.high) == (-math.inf, math.inf)
    assert math.isnan(loss.reference)
    alone = paired_loss(MAE, _shares([1.0]), _shares([1.2]))
    assert (alone.drop.low, alone.drop.high) == (-math.inf, math.inf)


def test_mostly_undefined_resamples_have_no_end() -> None:
    """Of one positive among ten a third of the resamples have none."""
    metric = find_metric("auc")[1]
    scores, labels = np.linspace(0, 1, 10), (np.arange(10) == 7).astype(int)
    loss = paired_loss(metric, metric.score(scores, labels), metric.score(scores[::-1], labels))
    assert (loss.drop.low, loss.drop.high) == (-math.inf, math.inf)


def test_seeded() -> None:
    def once(seed: int) -> Loss:
        random = np.random.default_rng(0)
        return paired_loss(F1, _shares(random.random(30)), _shares(random.random(30)), seed=seed)

    assert once(0) == once(0) != once(1)


def test_all_right_is_no_certainty() -> None:
    """A detector that found every box of 48 images had mAP 100 % [100 % to 100 %]."""

    def boxes(found: float) -> Scorer:
        return Sums(np.column_stack([np.full(48, found), np.full(48, 3.0)]))

    found = value_interval(F1, boxes(3))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(wilson(48, 48).low)
    assert value_interval(F1, boxes(0)).high > 0.07
    assert value_interval(F1, boxes(1.5)).low == 0.5, "of what is neither, what was seen"


def test_units_that_are_no_shares_are_not_counted_in_points() -> None:
    metric = Metric(name="noise", title="noise", score=lambda a, b: mean_of(a - b), unit="dB")
    loss = paired_loss(metric, _shares(np.linspace(30, 40, 50)), _shares(np.linspace(29, 39, 50)))
    assert loss.drop.value == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_intervals_hold_the_truth(name: str) -> None:
    """docs/intervals.md has the whole table."""
    found = coverage(name, samples=200, share=0.3, sets=200, resamples=300)
    assert found.passes, found
