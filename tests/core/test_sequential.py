"""The test of signs: known values, and how often it is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toolkit.core.sequential import SignTest


@pytest.mark.parametrize(
    ("positive", "negative", "wealth"),
    # By hand: each factor is twice the share (k + 1/2) / (n + 1) that lay on what came.
    [(0, 0, 1.0), (1, 0, 1.0), (2, 0, 1.5), (1, 1, 0.5), (3, 0, 2.5), (2, 1, 0.5)],
)
def test_what_the_bettor_has(positive: int, negative: int, wealth: float) -> None:
    assert math.exp(SignTest(0.05, positive, negative).log_wealth) == pytest.approx(wealth)


def test_of_a_fair_coin_the_next_toss_changes_nothing_on_average() -> None:
    for positive, negative in ((0, 0), (4, 1), (7, 9), (30, 2)):
        here, up, down = (SignTest(0.05, positive + a, negative + b).log_wealth for a, b in ((0, 0), (1, 0), (0, 1)))
        assert (math.exp(up) + math.exp(down)) / 2 == pytest.approx(math.exp(here))


def test_signs_decide_in_either_direction_and_ties_say_nothing() -> None:
    for sign in (1, -1):
        test = SignTest(0.05)
        for _ in range(8):
            test.add(0.01 * sign)
            test.add(0.0)
        assert (test.decided, test.positive + test.negative) == (sign, 8)
    assert SignTest(0.05, 6, 0).decided == 0
    assert SignTest(0.05, 60, 40).decided == 0


def test_how_often_it_is_wrong_wherever_one_stops() -> None:
    """Of 2,000 streams of 400 fair tosses, looked at after each; and of streams with another bias, the wrong way hardly ever."""
    random = np.random.default_rng(0)
    wrong = sum(_first(random.random(400) < 0.5) != 0 for _ in range(2000))
    assert wrong <= 0.05 * 2000 + 3 * math.sqrt(2000 * 0.05 * 0.95)
    assert wrong > 0, "a test that never decides would be right as well"
    decisions = [_first(random.random(400) < 0.7) for _ in range(500)]
    assert decisions.count(1) > 490
    assert decisions.count(-1) <= 2


def _first(signs: np.ndarray) -> int:
    test = SignTest(0.05)
    for sign in signs:
        test.add(1.0 if sign else -1.0)
        if test.decided:
            return test.decided
    return 0
