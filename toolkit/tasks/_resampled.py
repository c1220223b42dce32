"""Samples drawn again, and what needs no such drawing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.core import POINTS

from .base import Metric, Scorer, Sums

CELLS = 4_000_000
"""How many weights are held at a time: 32 MB."""
_DEFINED = 0.9
"""In how many of the sets that are drawn a metric must be defined for an interval."""


def resampled(values: Callable[[np.ndarray], np.ndarray], count: int, *, resamples: int, seed: int) -> np.ndarray | None:
    """What `values` gives for the weights of so many samples, drawn again with replacement; None where it is too often not defined.

    Args:
        values: of weights ``[B, N]``, ``[B]``.
        count: N, at least 1.
        resamples: how often they are drawn.
        seed: of the draws.
    """
    random, step = np.random.default_rng(seed), max(1, CELLS // count)
    drawn = np.concatenate([
        values(random.multinomial(count, np.full(count, 1 / count), size=min(step, resamples - start)).astype(np.float64))
        for start in range(0, resamples, step)
    ])  # fmt: skip
    defined: np.ndarray = drawn[np.isfinite(drawn)]
    return defined if len(defined) >= _DEFINED * resamples else None


def is_share_of_right(metric: Metric, scorer: Scorer) -> bool:
    """Whether every sample is right or wrong and nothing else: such a share has a score interval."""
    if metric.unit != POINTS or not metric.higher_is_better or not isinstance(scorer, Sums):
        return False
    rows = scorer.rows
    return rows.shape[1] == 2 and len(rows) > 0 and bool((rows[:, 1] == 1).all() and np.isin(rows[:, 0], (0, 1)).all())
