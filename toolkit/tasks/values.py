"""A metric on its own, with a 95 % interval: what `toolkit evaluate` says of one network."""

from __future__ import annotations

import math

import numpy as np

from toolkit.core import POINTS, Interval, wilson

from .base import Metric, Scorer, Sums

RESAMPLES = 1000
_CELLS = 4_000_000
"""How many weights are held at a time: 32 MB."""
_DEFINED = 0.9
"""In how many of the sets that are drawn a metric must be defined for an interval."""


def is_share_of_right(metric: Metric, scorer: Scorer) -> bool:
    """Whether every sample is right or wrong and nothing else."""
    if metric.unit != POINTS or not metric.higher_is_better or not isinstance(scorer, Sums):
        return False
    rows = scorer.rows
    return rows.shape[1] == 2 and len(rows) > 0 and bool((rows[:, 1] == 1).all() and np.isin(rows[:, 0], (0, 1)).all())


def value_interval(metric: Metric, scorer: Scorer, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The value, a share in [0, 1], with its interval: Wilson's for a share of right answers, else the percentile interval of a bootstrap
    over samples (Efron 1979); without end where the metric is too often not defined.
    """
    if is_share_of_right(metric, scorer):
        assert isinstance(scorer, Sums)
        return wilson(int(scorer.rows[:, 0].sum()), len(scorer))
    value, count = scorer.value, len(scorer)
    random, step = np.random.default_rng(seed), max(1, _CELLS // max(count, 1))
    found: list[np.ndarray] = []
    for start in range(0, resamples if count > 1 else 0, step):
        weights = random.multinomial(count, np.full(count, 1 / count), size=min(step, resamples - start)).astype(np.float64)
        found.append(scorer.values(weights))
    drawn = np.concatenate([*found, np.zeros(0)])
    drawn = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or len(drawn) < max(1.0, _DEFINED * resamples):
        return Interval(value, -math.inf, math.inf)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, min(value, float(low)), max(value, float(high)))
