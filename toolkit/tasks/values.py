"""A metric on its own, with a 95 % interval: what `toolkit evaluate` says of one network."""

from __future__ import annotations

import math

import numpy as np

from toolkit.core import POINTS, Interval, wilson

from ._resampled import is_share_of_right, resampled
from .base import Metric, Scorer, Sums

RESAMPLES = 1000


def value_interval(metric: Metric, scorer: Scorer, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The value, a share in [0, 1], with its interval: Wilson's for a share of right answers, else the percentile interval of a bootstrap
    over samples (Efron 1979), or Wilson's again where all samples are right, or none; without end where the metric is too often not
    defined.
    """
    if is_share_of_right(metric, scorer):
        assert isinstance(scorer, Sums)
        return wilson(int(scorer.rows[:, 0].sum()), len(scorer))
    value, count = scorer.value, len(scorer)
    drawn = resampled(scorer.values, count, resamples=resamples, seed=seed) if count > 1 and math.isfinite(value) else None
    if drawn is None:
        return Interval(value, -math.inf, math.inf)
    low, high = np.quantile(drawn, [0.025, 0.975])
    if metric.unit == POINTS and low == high == value in (0, 1):
        return wilson(round(value * count), count)  # A bootstrap draws only what it has seen, be there four samples.
    return Interval(value, min(value, float(low)), max(value, float(high)))
