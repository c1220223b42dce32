"""Intervals: known answers from the literature, and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import bootstrap_median, bootstrap_ratio, paired_difference, shortfall, wilson


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


@pytest.mark.parametrize(
    ("both", "only_first", "only_second"),
    [(0.88, 0.02, 0.01), (0.60, 0.10, 0.10), (0.985, 0.01, 0.0), (0.30, 0.01, 0.03)],
)
@pytest.mark.parametrize("trials", [100, 1000])
def test_the_paired_interval_covers_the_truth_of_other_pairs(both: float, only_first: float, only_second: float, trials: int) -> None:
    generator = np.random.default_rng(1)
    draws = generator.multinomial(trials, [both, only_first, only_second, 1 - both - only_first - only_second], size=1000)
    found = [paired_difference(*pairs(*draw)) for draw in draws]
    truth = only_first - only_second
    assert np.mean([each.low <= truth <= each.high for each in found]) > 0.925  # nominal .95, standard error .007


@pytest.mark.parametrize(("agree", "trials"), [(192, 192), (237, 240), (380, 381), (1, 7), (0, 5), (9_999, 10_000)])
def test_a_shortfall_is_what_another_library_says(agree: int, trials: int) -> None:
    """SciPy's own Wilson interval, of the samples that do not agree."""
    from scipy.stats import binomtest

    found = shortfall(agree, trials)
    other = binomtest(trials - agree, trials).proportion_ci(0.95, method="wilson")
    assert found.value == pytest.approx((trials - agree) / trials)
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("share", [0.99, 0.95, 0.5])
@pytest.mark.parametrize("trials", [240, 3000])
def test_the_shortfall_covers_the_truth(share: float, trials: int) -> None:
    generator = np.random.default_rng(2)
    found = [shortfall(int(agree), trials) for agree in generator.binomial(trials, share, size=1000)]
    assert np.mean([each.low <= 1 - share <= each.high for each in found]) > 0.925


@given(st.integers(1, 3000), st.data())
def test_a_shortfall_has_the_upper_end_of_the_paired_interval(trials: int, data: st.DataObject) -> None:
    """So that what passed by agreement before still does; the lower end is what changed."""
    agree = data.draw(st.integers(0, trials))
    paired = paired_difference(*pairs(agree, trials - agree, 0, 0))
    found = shortfall(agree, trials)
    assert (found.value, found.high) == pytest.approx((paired.value, paired.high))
    assert found.low >= max(0.0, paired.low - 1e-12)


@given(st.integers(1, 10_000), st.data())
def test_a_share_lies_in_its_own_interval(trials: int, data: st.DataObject) -> None:
    interval = wilson(data.draw(st.integers(0, trials)), trials)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert wilson(0, trials).low == 0
    assert wilson(trials, trials).high == 1


def test_agreement_within_a_point_needs_381_samples() -> None:
    assert shortfall(381, 381).high <= 0.01 < shortfall(380, 380).high


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
