"""Intervals: bootstrap for timings, score intervals for shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def mean_interval(values: np.ndarray) -> Interval:
    """The mean of many values ``[N]`` with its normal interval."""
    mean, error = float(np.mean(values)), float(np.std(values)) / math.sqrt(len(values))
    return Interval(mean, mean - Z95 * error, mean + Z95 * error)


def bootstrap_median(values: Sequence[float], *, resamples: int = 2000, seed: int = 0) -> Interval:
    """The median of `values` with its percentile-bootstrap interval (Efron 1979); one value gives an interval of no width."""
    return _bootstrap(np.asarray(values, dtype=np.float64), np.median, resamples=resamples, seed=seed)


def bootstrap_ratio(numerators: Sequence[float], denominators: Sequence[float], *, resamples: int = 2000, seed: int = 0) -> Interval:
    """The geometric mean of the paired ratios ``numerators[i] / denominators[i]`` with its percentile-bootstrap interval."""
    logs = np.log(np.asarray(numerators, dtype=np.float64) / np.asarray(denominators, dtype=np.float64))
    interval = _bootstrap(logs, np.mean, resamples=resamples, seed=seed)
    return Interval(math.exp(interval.value), math.exp(interval.low), math.exp(interval.high))


def _bootstrap(values: np.ndarray, statistic: Callable[..., np.ndarray], *, resamples: int, seed: int) -> Interval:
    picks = np.random.default_rng(seed).integers(0, len(values), size=(resamples, len(values)))
    low, high = np.quantile(statistic(values[picks], axis=1), [0.025, 0.975])
    return Interval(float(statistic(values)), float(low), float(high))


def wilson(successes: int, trials: int) -> Interval:
    """A share with its 95 % score interval (Wilson 1927)."""
    share = successes / trials
    centre = share + Z95**2 / (2 * trials)
    spread = Z95 * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    scale = 1 + Z95**2 / trials
    # Rounded, an end may lie a bit beyond the share itself, as if no success were some.
    low, high = min(share, (centre - spread) / scale), max(share, (centre + spread) / scale)
    return Interval(share, max(0.0, low), min(1.0, high))


def shortfall(successes: int, trials: int) -> Interval:
    """How far a share stays below 1, which it cannot exceed, with a 95 % interval that begins at 0 or above.

    What `wilson` leaves of 1: for the agreement with a reference that by definition agrees with itself in every sample.
    `paired_difference` would give the same upper end, but a lower one below 0, as if a copy could agree more than that.
    """
    return wilson(trials - successes, trials)


def paired_difference(first: np.ndarray, second: np.ndarray) -> Interval:
    """Share of successes in `first` minus that in `second`, both ``[N]`` bool on the same samples, with a 95 % interval.

    The square-and-add score interval for paired shares, method 10 of Newcombe, "Improved confidence intervals for the
    difference between binomial proportions based on paired data", Statistics in Medicine 17 (1998). Unlike a bootstrap
    it keeps a width when no sample differs.
    """
    trials = len(first)
    both = int(np.sum(first & second))
    only_first = int(np.sum(first & ~second))
    only_second = int(np.sum(~first & second))
    neither = trials - both - only_first - only_second
    one, two = wilson(both + only_first, trials), wilson(both + only_second, trials)
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    phi = 0.0
    if margins:
        cross = float(both * neither - only_first * only_second)
        # Newcombe's continuity correction, which keeps phi from overstating a positive correlation.
        cross = max(cross - trials / 2, 0.0) if cross > 0 else cross
        phi = cross / math.sqrt(margins)

    def spread(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))

    difference = one.value - two.value
    low = difference - spread(one.value - one.low, two.high - two.value)
    high = difference + spread(one.high - one.value, two.value - two.low)
    return Interval(difference, max(-1.0, low), min(1.0, high))
