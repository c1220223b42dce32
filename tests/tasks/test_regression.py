"""Regression and forecasting: as scikit-learn counts them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from tests.tasks.examples import signature
from tests.tasks.oracles import assert_equal, assert_refused, cases
from toolkit.tasks import find_task

TASK = find_task("regression")
R2, MAE, RMSE = TASK.metrics
GIVEN = signature(numbers=("float32", (3,)))


def test_metrics_equal_scikit_learn() -> None:
    for random in cases():
        count, quantities = int(random.integers(2, 20)), int(random.integers(1, 4))
        actual = random.normal(random.choice([0, 1000]), 3, (count, quantities))
        if random.random() < 0.2:
            actual[:, 0] = 4.0
        predicted = actual + random.normal(0, random.choice([0.1, 5]), actual.shape)
        assert_equal(R2.score(predicted, actual).value, r2_score(actual, predicted))
        assert_equal(MAE.score(predicted, actual).value, mean_absolute_error(actual, predicted))
        assert_equal(RMSE.score(predicted, actual).value, root_mean_squared_error(actual, predicted))


@pytest.mark.parametrize(("shape", "axes"), [((6,), (0,)), ((6, 1), (0, 1)), ((6, 5, 2), (0, 1, 2)), ((6, 2, 4, 4), (0, 2, 3, 1))])
def test_what_a_quantity_is(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    """A column, a series of a forecast, a channel of a map."""
    random = np.random.default_rng(0)
    actual, predicted = random.normal(size=shape), random.normal(size=shape)
    flat = [array.transpose(axes).reshape(-1, array.transpose(axes).shape[-1] if array.ndim > 1 else 1) for array in (actual, predicted)]
    assert_equal(R2.score(predicted, actual).value, r2_score(*flat))
    assert_equal(RMSE.score(predicted, actual).value, root_mean_squared_error(*flat))


def test_a_constant_that_is_met_or_missed() -> None:
    constant = np.full((4, 1), 3.0)
    assert R2.score(constant, constant).value == 1
    assert R2.score(constant + 1, constant).value == 0


def test_targets_that_are_refused() -> None:
    TASK.check(GIVEN, np.zeros((2, 3), dtype=np.int64), "photos")
    assert_refused(TASK, GIVEN, np.zeros((2, 4)), r"do not match the output.*got float64\[2, 4\]")
    assert_refused(TASK, GIVEN, np.array([["a", "b", "c"]]), "do not match the output")
    assert_refused(TASK, GIVEN, np.array([[0, 1, np.inf]]), r"not finite.*inf at \[0, 2\]")


def test_fits_numbers_of_the_outputs_shape() -> None:
    assert TASK.fits(GIVEN, np.full((2, 3), 0.5))
    assert TASK.fits(signature(number=("float32", (1,))), np.full(2, 0.5))
    assert not TASK.fits(GIVEN, np.zeros((2, 3), dtype=np.int64))
    assert not TASK.fits(GIVEN, np.full((2, 4), 0.5))
    assert not TASK.fits(GIVEN, None)
