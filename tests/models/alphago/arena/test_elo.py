from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.core import InputError, wilson
from toolkit.models.alphago.arena.elo import elo_difference, elo_of_score, likeliest, mean_score, ratings, score_interval, score_of_elo

PAIRS = st.lists(st.integers(0, 40), min_size=5, max_size=5).filter(any)


@pytest.mark.parametrize(
    ("score", "elo"), [(0.5, 0.0), (0.75, 190.8485), (10 / 11, 400.0), (0.9, 381.6970), (0.25, -190.8485), (0.64, 99.9510)]
)
def test_known_differences(score: float, elo: float) -> None:
    assert elo_of_score(score) == pytest.approx(elo, abs=1e-4)
    assert score_of_elo(elo) == pytest.approx(score, abs=1e-6)


def test_all_or_nothing_is_infinite() -> None:
    assert elo_of_score(1) == math.inf
    assert elo_of_score(0) == -math.inf


@pytest.mark.parametrize(("lost", "won"), [(0, 1), (0, 10), (3, 7), (50, 50), (1, 0), (20, 380)])
def test_without_draws_the_interval_is_wilsons(lost: int, won: int) -> None:
    expected, got = wilson(won, won + lost), score_interval((lost, 0, won))
    assert (got.value, got.low, got.high) == pytest.approx((expected.value, expected.low, expected.high), abs=1e-7)


def test_a_clean_sweep_has_a_lower_bound() -> None:
    interval = elo_difference((0, 0, 0, 0, 20))
    assert interval.value == interval.high == math.inf
    assert interval.low == pytest.approx(elo_of_score(wilson(20, 20).low), abs=1e-4)


def test_equal_pairs_keep_a_width() -> None:
    interval = elo_difference((0, 0, 30, 0, 0))
    assert interval.value == 0
    assert interval.low < -10
    assert interval.high == pytest.approx(-interval.low)


def test_pairs_say_more_than_the_same_games_alone() -> None:
    # Openings that decide the game: each pair is one win for both, which pairs show and single games hide.
    paired, single = score_interval((0, 0, 100, 0, 0)), score_interval((100, 0, 100))
    assert paired.high - paired.low < 0.6 * (single.high - single.low)


@given(PAIRS, st.floats(0.02, 0.98))
def test_the_likeliest_distribution_has_the_mean_and_beats_its_neighbours(counts: list[int], mean: float) -> None:
    chances, scores = likeliest(counts, mean), np.linspace(0, 1, 5)
    assert chances.min() >= 0
    assert chances.sum() == pytest.approx(1, abs=1e-9)
    assert chances @ scores == pytest.approx(mean, abs=1e-8)

    def log_likelihood(p: np.ndarray) -> float:
        seen = np.asarray(counts) > 0
        return float(np.sum(np.asarray(counts)[seen] * np.log(np.maximum(p[seen], 1e-300))))

    best = log_likelihood(chances)
    for i in range(3):  # Directions that change neither the sum nor the mean.
        for sign in (1, -1):
            step = np.zeros(5)
            step[i : i + 3] = sign * 1e-4 * np.array([1, -2, 1])
            if (chances + step).min() >= 0:
                assert log_likelihood(chances + step) <= best + 1e-6


@given(PAIRS)
def test_intervals_are_in_order_and_mirror(counts: list[int]) -> None:
    one, other = score_interval(counts), score_interval(counts[::-1])
    assert 0 <= one.low <= one.value <= one.high <= 1
    assert one.low < one.high
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low), abs=1e-7)


@pytest.mark.parametrize(
    ("chances", "pairs"), [([0.1, 0.2, 0.4, 0.2, 0.1], 10), ([0.02, 0.03, 0.15, 0.2, 0.6], 20), ([0.3, 0, 0.4, 0, 0.3], 40)]
)
def test_intervals_cover(chances: list[float], pairs: int) -> None:
    random, truth = np.random.default_rng(5), float(np.array(chances) @ np.linspace(0, 1, 5))
    covered = [low.low <= truth <= low.high for low in (score_interval(counts) for counts in random.multinomial(pairs, chances, size=400))]
    assert np.mean(covered) > 0.92


def test_no_results_are_refused() -> None:
    with pytest.raises(InputError, match="needs results"):
        mean_score((0, 0, 0))


def test_two_players_are_rated_by_their_score() -> None:
    best, worst = ratings({("a", "b"): (25, 0, 75)}, anchor="b", prior=0.0)
    assert (best.name, best.games, best.points) == ("a", 100, 75)
    assert best.elo.value == pytest.approx(190.85, abs=0.01)
    assert best.elo.high - best.elo.value == pytest.approx(1.96 * 400 / math.log(10) / math.sqrt(100 * 0.75 * 0.25), abs=0.1)
    assert (worst.elo.low, worst.elo.value, worst.elo.high) == (0, 0, 0)


def test_a_ladder_is_recovered_from_expected_scores() -> None:
    truth = {"a": 0.0, "b": 120.0, "c": 300.0, "d": 700.0}
    results = {}
    for (x, strength), (y, other) in itertools.combinations(truth.items(), 2):
        won = round(100_000 * score_of_elo(strength - other))
        results[x, y] = (100_000 - won, 0, won)
    rated = ratings(results, anchor="a", at=1000.0)
    assert [one.name for one in rated] == ["d", "c", "b", "a"]
    for one in rated:
        assert one.elo.value == pytest.approx(1000 + truth[one.name], abs=1.5)


def test_who_won_all_is_finite_by_the_prior_and_rises_with_games() -> None:
    few, many = (ratings({("a", "b"): (0, 0, n)}, anchor="b")[0].elo for n in (10, 100))
    assert 0 < few.value < many.value < 2000
    assert few.low < few.value < few.high


def test_a_draw_is_half_a_win_for_both() -> None:
    draws, wins = (ratings({("a", "b"): counts}, anchor="b")[0].elo.value for counts in ((10, 20, 30), (20, 0, 40)))
    assert draws == pytest.approx(wins, abs=1e-4)


def test_groups_that_never_met_are_refused() -> None:
    with pytest.raises(InputError, match="no games connect c, d with 'a'"):
        ratings({("a", "b"): (1, 0, 1), ("c", "d"): (1, 0, 1)}, anchor="a")
    with pytest.raises(InputError, match="'x' played no game"):
        ratings({("a", "b"): (1, 0, 1)}, anchor="x")


def test_against_itself_alone() -> None:
    assert [one.elo.value for one in ratings({("a", "b"): (5, 0, 5)}, anchor="a", prior=0)] == pytest.approx([0, 0], abs=1e-6)
