"""Intervals: known answers from the literature, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import bootstrap_median, bootstrap_ratio, paired_difference, wilson


def pairs(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [both, first, second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_wilson_known_answer() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3: 81/263 and 15/148.
    for (r, n), (low, high) in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        interval = wilson(r, n)
        assert interval.low == pytest.approx(low, abs=5e-5)
        assert interval.high == pytest.approx(high, abs=5e-5)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=5, max_size=300))
def test_the_paired_interval_holds_the_estimate_and_turns_with_its_sign(rows: list[tuple[bool, bool]]) -> None:
    first, second = np.array(rows).T
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert there.value == pytest.approx(first.mean() - second.mean())
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_no_difference_still_has_a_width() -> None:
    small, large = paired_difference(*pairs(97, 0, 0, 3)), paired_difference(*pairs(9700, 0, 0, 300))
    assert small.value == large.value == 0
    assert small.high > large.high > 0


def test_the_paired_interval_covers_the_truth() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        u = generator.random(500)
        interval = paired_difference(u < 0.90, (u < 0.88) | (u > 0.99))
        hits += interval.low <= 0.01 <= interval.high
    assert hits / 400 > 0.92  # nominal .95, standard error .011


def test_the_bootstrap_of_equal_values_has_no_width() -> None:
    interval = bootstrap_median([3.0] * 5)
    assert (interval.low, interval.value, interval.high) == (3.0, 3.0, 3.0)


def test_the_bootstrap_is_seeded_and_ordered() -> None:
    values = list(np.random.default_rng(1).lognormal(size=30))
    one, two = bootstrap_median(values), bootstrap_median(values)
    assert one == two
    assert one.low < one.value < one.high


@given(st.floats(0.1, 10), st.lists(st.floats(0.1, 10), min_size=3, max_size=20))
def test_a_constant_ratio_is_found_whatever_the_drift(ratio: float, drift: list[float]) -> None:
    interval = bootstrap_ratio([ratio * d for d in drift], drift)
    assert interval.low == pytest.approx(ratio)
    assert interval.high == pytest.approx(ratio)
