from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.core import InputError
from toolkit.models.alphago.arena.elo import likeliest, score_of_elo
from toolkit.models.alphago.arena.sprt import Sprt


def test_bounds_are_walds() -> None:
    state = Sprt(alpha=0.05, beta=0.1).test((0,) * 5)
    assert (state.llr, state.lower, state.upper) == pytest.approx((0, math.log(0.1 / 0.95), math.log(0.9 / 0.05)))
    assert state.verdict == "continue"


def test_without_draws_the_ratio_is_the_binomial_one() -> None:
    test = Sprt(elo0=0, elo1=50)
    p0, p1 = score_of_elo(0), score_of_elo(50)
    expected = 70 * math.log(p1 / p0) + 30 * math.log((1 - p1) / (1 - p0))
    assert test.test((30, 0, 70)).llr == pytest.approx(expected, abs=1e-9)


def test_evidence_decides_both_ways_and_none_does_not() -> None:
    test = Sprt(elo0=0, elo1=30)
    assert test.test((2, 10, 60, 40, 30)).verdict == "accept"
    assert test.test((30, 40, 60, 10, 2)).verdict == "reject"
    assert test.test((1, 0, 0, 0, 1)).verdict == "continue"
    assert test.test((0, 0, 0, 0, 1)).verdict == "continue"


def test_equal_players_who_only_draw_are_told_apart_from_stronger_ones() -> None:
    assert Sprt(elo0=0, elo1=30).test((0, 0, 200, 0, 0)).verdict == "reject"


@pytest.mark.parametrize(("elo", "wrong"), [(0.0, "accept"), (60.0, "reject")])
def test_error_rates_are_those_asked_for(elo: float, wrong: str) -> None:
    # Pairs as real matches give them: most pairs split, the rest symmetric around it; then tilted to the true Elo.
    chances = likeliest((10, 20, 40, 20, 10), score_of_elo(elo))
    test, random, verdicts, lengths = Sprt(elo0=0, elo1=60, alpha=0.05, beta=0.05), np.random.default_rng(11), [], []
    for _ in range(300):
        counts = np.zeros(5, np.int64)
        while (state := test.test(counts.tolist())).verdict == "continue":
            counts += random.multinomial(4, chances)
        verdicts.append(state.verdict)
        lengths.append(counts.sum())
    assert verdicts.count(wrong) / len(verdicts) < 0.09  # type: ignore[arg-type]
    assert np.median(lengths) < 120


def test_senseless_tests_are_refused() -> None:
    with pytest.raises(InputError, match="elo0 < elo1"):
        Sprt(elo0=10, elo1=5)
    with pytest.raises(InputError, match="alpha and beta"):
        Sprt(alpha=0.6)
