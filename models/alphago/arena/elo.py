"""Elo from results: the difference of two players with an interval that holds for few games, and a scale of many players.

Results are counted by score: ``counts[i]`` results with score ``i / (len(counts) - 1)``. Three counts are single games (lost, drawn,
won), five are pairs of games with colours swapped (0, half, ... 2 of 2 points). A pair is one observation, because its games share an
opening and are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core import InputError, needs
from toolkit.core.statistics import Z95, Interval

_SCALE = 400 / math.log(10)  # Elo for one unit of log odds.


def elo_of_score(score: float) -> float:
    """The Elo difference at which `score`, points for a game, is expected; infinite at 0 and 1."""
    if score <= 0 or score >= 1:
        return math.copysign(math.inf, score - 0.5)
    return _SCALE * math.log(score / (1 - score))


def score_of_elo(elo: float) -> float:
    """The points for a game expected from an Elo difference (Elo 1978, logistic form)."""
    return 1 / (1 + math.exp(-elo / _SCALE))


def mean_score(counts: Sequence[int]) -> float:
    """Points for a game; raises `InputError` without results."""
    total = sum(counts)
    if total == 0:
        raise InputError("an Elo difference needs results", expected="at least one", got="none")
    return sum(i * n for i, n in enumerate(counts)) / ((len(counts) - 1) * total)


def likeliest(counts: Sequence[int], mean: float) -> np.ndarray:
    """The distribution of scores, ``[len(counts)]``, with that mean, 0 < `mean` < 1, under which the results are likeliest.

    It is ``share[i] / (1 + x * (score[i] - mean))`` with one number x (Owen 1988, "Empirical likelihood ratio confidence intervals for a
    single functional", Biometrika 75). Where the observed scores alone cannot have this mean, the rest of the mass lies on score 0
    or 1: the multiplier of an unobserved score must not be negative, which bounds x.
    """
    with needs("go"):
        from scipy.optimize import brentq
    shares = np.asarray(counts, np.float64) / sum(counts)
    away = np.linspace(0, 1, len(counts)) - mean
    low, high = -1 / away[-1], -1 / away[0]

    def slope(x: float) -> float:
        seen = shares > 0
        return float(np.sum(shares[seen] * away[seen] / (1 + x * away[seen])))

    # Just inside the bounds, where a score that was observed would divide by zero.
    inner = low * (1 - 1e-12), high * (1 - 1e-12)
    if slope(inner[0]) <= 0:
        x = low
    elif slope(inner[1]) >= 0:
        x = high
    else:
        x = brentq(slope, *inner, xtol=1e-14)
    chances = np.divide(shares, 1 + x * away, out=np.zeros_like(shares), where=shares > 0)
    chances[0 if x > 0 else -1] += max(0.0, 1 - chances.sum())
    return chances


def score_interval(counts: Sequence[int]) -> Interval:
    """Points for a game with a 95 % interval: the means that Rao's score test does not reject.

    The test compares the observed mean with `mean` by the variance that the likeliest distribution with that mean has, not by the observed
    variance; for games without draws it is Wilson's interval (1927). It keeps a width when all results are equal.
    """
    with needs("go"):
        from scipy.optimize import brentq
    value, total = mean_score(counts), sum(counts)
    scores = np.linspace(0, 1, len(counts))

    def excess(mean: float) -> float:
        chances = likeliest(counts, mean)
        variance = float(np.sum(chances * (scores - mean) ** 2))
        return total * (value - mean) ** 2 - Z95**2 * variance

    # Beside the value, not at it: results that are all equal have no variance there, and the excess is zero instead of negative.
    edge = 1e-9
    low = brentq(excess, edge, value - edge) if value > 2 * edge else 0.0
    high = brentq(excess, value + edge, 1 - edge) if value < 1 - 2 * edge else 1.0
    return Interval(value, low, high)


def elo_difference(counts: Sequence[int]) -> Interval:
    """By how much Elo the player with these results is stronger, with the 95 % interval of `score_interval`; an end may be infinite."""
    interval = score_interval(counts)
    return Interval(elo_of_score(interval.value), elo_of_score(interval.low), elo_of_score(interval.high))


@dataclass(frozen=True)
class Rating:
    """A player's Elo with its 95 % interval, the games and the points that it comes from."""

    name: str
    elo: Interval
    games: int
    points: float


def ratings(results: Mapping[tuple[str, str], tuple[int, int, int]], *, anchor: str, at: float = 0.0, prior: float = 1.0) -> list[Rating]:
    """The Elo of all players at once, best first: the maximum of Bradley and Terry's likelihood (1952), a draw half a win for both.

    Intervals are those of the difference to the anchor, from the curvature of the likelihood at its maximum.

    Args:
        results: for two players, what the first lost, drew and won against the second.
        anchor: the player whose Elo is `at`.
        prior: so many drawn games are added between players that met; without them, a player who won all has no finite Elo.

    Raises:
        InputError: the anchor did not play, or nothing connects a player with it.
    """
    names = sorted({name for pair in results for name in pair})
    index = {name: i for i, name in enumerate(names)}
    if anchor not in index:
        raise InputError(f"'{anchor}' played no game", expected=f"one of {', '.join(names)}")
    games, points = np.zeros((len(names), len(names))), np.zeros((len(names), len(names)))
    for (first, second), (lost, drawn, won) in results.items():
        a, b = index[first], index[second]
        games[a, b] += lost + drawn + won
        games[b, a] += lost + drawn + won
        points[a, b] += won + drawn / 2
        points[b, a] += lost + drawn / 2
    _check_connected(games, names, index[anchor])
    met = games > 0
    strengths, covariance = _bradley_terry(games + prior * met, points + prior / 2 * met, index[anchor])
    spread = Z95 * np.sqrt(np.diag(covariance))

    def rating(i: int) -> Rating:
        elo, margin = at + _SCALE * strengths[i], _SCALE * spread[i]
        interval = Interval(float(elo), float(elo - margin), float(elo + margin))
        return Rating(names[i], interval, int(games[i].sum()), float(points[i].sum()))

    return sorted((rating(i) for i in range(len(names))), key=lambda one: -one.elo.value)


def _bradley_terry(games: np.ndarray, points: np.ndarray, anchor: int) -> tuple[np.ndarray, np.ndarray]:
    """Log strengths ``[n]``, 0 for the anchor, and their covariance ``[n, n]``."""
    with needs("go"):
        from scipy.optimize import minimize
        from scipy.special import expit
    free = np.flatnonzero(np.arange(len(games)) != anchor)

    def full(x: np.ndarray) -> np.ndarray:
        strengths = np.zeros(len(games))
        strengths[free] = x
        return strengths[:, None] - strengths[None, :]

    def cost(x: np.ndarray) -> float:
        return float(np.sum(points * np.logaddexp(0, -full(x))))

    def gradient(x: np.ndarray) -> np.ndarray:
        return (games * expit(full(x)) - points).sum(1)[free]

    def curvature(x: np.ndarray) -> np.ndarray:
        chance = expit(full(x))
        weight = games * chance * (1 - chance)
        return (np.diag(weight.sum(1)) - weight)[np.ix_(free, free)]

    solution = np.zeros(0)
    if len(free):
        solution = minimize(cost, np.zeros(len(free)), jac=gradient, hess=curvature, method="trust-exact", options={"gtol": 1e-9}).x
    covariance = np.zeros_like(games)
    covariance[np.ix_(free, free)] = np.linalg.inv(curvature(solution))
    strengths = np.zeros(len(games))
    strengths[free] = solution
    return strengths, covariance


def _check_connected(games: np.ndarray, names: list[str], anchor: int) -> None:
    reached, frontier = {anchor}, [anchor]
    while frontier:
        near = set(np.flatnonzero(games[frontier.pop()]).tolist()) - reached
        reached |= near
        frontier.extend(near)
    lonely = [name for i, name in enumerate(names) if i not in reached]
    if lonely:
        raise InputError(
            f"no games connect {', '.join(lonely)} with '{names[anchor]}'", hint="play a match between the two groups, or rate them apart"
        )
