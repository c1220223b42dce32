"""The decibel formula: golden values, its edges, and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.core.decibels import LIMIT_DB, Powers, sqnr_db

ROWS = arrays(np.float32, (3, 4), elements=st.floats(-1000, 1000, width=32))


def test_golden_values() -> None:
    # A hundredth of the power is 20 dB less: 25 against 0.25, and 1 against 1.
    assert sqnr_db([np.array([3.0, 4.0])], [np.array([3.0, 4.5])]) == pytest.approx(20)
    assert sqnr_db([np.array([1.0])], [np.array([0.0])]) == pytest.approx(0)
    assert sqnr_db([np.array([1.0])], [np.array([11.0])]) == pytest.approx(-20)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint8])
def test_every_dtype_is_squared_in_float64(dtype: type[np.generic]) -> None:
    reference, candidate = np.full(1000, 100, dtype), np.full(1000, 110, dtype)
    assert sqnr_db([reference], [candidate]) == pytest.approx(20)
    assert sqnr_db([candidate], [reference]) == pytest.approx(10 * math.log10(121))


def test_equal_is_the_limit_even_for_zeros_and_for_nothing() -> None:
    for array in (np.ones(3), np.zeros(3), np.full(3, 1e-200)):
        assert sqnr_db([array], [array]) == LIMIT_DB
    assert sqnr_db([], []) == LIMIT_DB


def test_noise_beside_zeros_is_below_every_floor() -> None:
    zeros, noise = np.zeros(4), np.full(4, 1e-5)
    assert sqnr_db([zeros], [noise]) == -LIMIT_DB
    assert sqnr_db([zeros], [noise], limit_db=10_000) == pytest.approx(10 * (math.log10(2.2250738585072014e-308) - math.log10(4e-10)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("where", ["reference", "candidate", "both"])
def test_what_is_not_finite_or_cannot_be_squared_is_the_lowest(value: float, where: str) -> None:
    good, bad = np.ones(3), np.array([1.0, value, 1.0])
    reference, candidate = (bad if where in {name, "both"} else good for name in ("reference", "candidate"))
    assert sqnr_db([reference], [candidate]) == -LIMIT_DB


def test_small_noise_does_not_leave_float64() -> None:
    assert Powers(1e300, 1e-300).ratio_db(limit_db=10_000) == pytest.approx(6000)


def test_unequal_numbers_of_arrays_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        sqnr_db([np.ones(1)], [])


@given(ROWS, ROWS)
def test_the_ratio_is_within_its_limits_and_does_not_know_the_unit(reference: np.ndarray, candidate: np.ndarray) -> None:
    found = sqnr_db([reference], [candidate])
    assert -LIMIT_DB <= found <= LIMIT_DB
    assert sqnr_db([4 * reference.astype(np.float64)], [4 * candidate.astype(np.float64)]) == pytest.approx(found)
    assert sqnr_db([-reference], [-candidate]) == found


@given(ROWS, ROWS, ROWS, ROWS)
def test_batches_add_up(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> None:
    parts = Powers.of([a], [b]) + Powers.of([c], [d])
    assert parts.ratio_db() == pytest.approx(sqnr_db([a, c], [b, d]))
    assert parts.ratio_db() == pytest.approx(sqnr_db([np.concatenate([a, c])], [np.concatenate([b, d])]))


@given(ROWS, st.floats(1e-3, 1e3))
def test_ten_times_the_noise_costs_twenty_decibels(reference: np.ndarray, scale: float) -> None:
    reference = reference.astype(np.float64) + 2000  # So that neither limit is met.
    noise = scale * np.random.default_rng(0).standard_normal(reference.shape)
    near, far = (sqnr_db([reference], [reference + factor * noise]) for factor in (1, 10))
    assert near - far == pytest.approx(20, abs=1e-6)
