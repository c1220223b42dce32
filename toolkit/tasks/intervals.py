"""What a candidate loses of a metric against its reference on the same samples, with a 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toolkit.core import POINTS, Interval, paired_difference, shortfall
from toolkit.core.statistics import Z95

from ._resampled import CELLS, is_share_of_right, resampled
from .base import Metric, Scorer, Sums

RESAMPLES = 2000
_GROUPS = 1000
_LEAST_FREEDOM = 3.0


@dataclass(frozen=True)
class Loss:
    """A metric of reference and candidate on the same samples.

    Args:
        reference: its value.
        candidate: its value.
        drop: how much worse the candidate is, in the metric's unit, with its 95 % interval; points of a share.
        differing: samples that count otherwise.
        samples: all of them.
    """

    reference: float
    candidate: float
    drop: Interval
    differing: int
    samples: int


def paired_loss(metric: Metric, reference: Scorer, candidate: Scorer, *, resamples: int = RESAMPLES, seed: int = 0) -> Loss:
    """How much worse `candidate` is than `reference`; an interval without end where the metric is not defined on these samples.

    Shares of right answers have the score interval of `toolkit.core.paired_difference`, or of `shortfall` where the reference is right by
    definition. All others have the expanded percentile interval of a paired bootstrap over samples (Hesterberg, "What Teachers Should Know
    About the Bootstrap", The American Statistician 69 (2015), section 3.4): both are drawn again with the same weights. It is expanded by
    Student's t with as many degrees of freedom as there are samples on which the drop hangs, of all where few differ.

    A bootstrap draws only what it has seen: where no sample differs its interval has no width, be there four of them. So what `_unseen`
    says is added to it in quadrature. docs/intervals.md measures how often the intervals hold the truth.
    """
    assert len(reference) == len(candidate)
    count, differing = len(reference), int(reference.differs(candidate).sum())
    first, second = reference.value, candidate.value
    if is_share_of_right(metric, reference) and is_share_of_right(metric, candidate):
        drop = _of_shares(reference, candidate)
    else:
        drop = _bootstrapped(metric, reference, candidate, resamples=resamples, seed=seed, differing=differing)
    scale = metric.scale
    return Loss(first, second, Interval(scale * drop.value, scale * drop.low, scale * drop.high), differing, count)


def _of_shares(reference: Scorer, candidate: Scorer) -> Interval:
    assert isinstance(reference, Sums)
    assert isinstance(candidate, Sums)
    right, still = reference.rows[:, 0] == 1, candidate.rows[:, 0] == 1
    return shortfall(int(still.sum()), len(still)) if right.all() else paired_difference(right, still)


def _bootstrapped(metric: Metric, reference: Scorer, candidate: Scorer, *, resamples: int, seed: int, differing: int) -> Interval:
    count = len(reference)

    def drop(weights: np.ndarray) -> np.ndarray:
        lost: np.ndarray = reference.values(weights) - candidate.values(weights)
        return lost if metric.higher_is_better else -lost

    value = float(drop(np.ones((1, count)))[0])
    endless = Interval(value, -math.inf, math.inf)
    if count < 2 or not math.isfinite(value):
        return endless
    drawn = resampled(drop, count, resamples=resamples, seed=seed)
    if drawn is None:
        return endless
    speaking = min(float(differing), _participating(_influences(drop, count, most=min(resamples, _GROUPS))))
    low, high = np.quantile(drawn, _expanded(count, max(speaking, _LEAST_FREEDOM)))
    unseen = _unseen(count, speaking) * (1.0 if metric.unit == POINTS else abs(reference.value))
    least = 0.0 if _is_perfect(metric, reference) else -math.inf
    return Interval(
        value, max(least, value - math.hypot(max(0.0, value - low), unseen)), value + math.hypot(max(0.0, high - value), unseen)
    )


def _influences(drop: Callable[[np.ndarray], np.ndarray], count: int, *, most: int) -> np.ndarray:
    """How far the drop moves where a sample is left out, about their mean; of many samples, where one of `most` groups is."""
    groups = min(count, most)
    step = max(1, CELLS // count)
    member = np.arange(count) % groups
    left = [
        drop((member[None] != np.arange(start, min(groups, start + step))[:, None]).astype(np.float64)) for start in range(0, groups, step)
    ]
    moves = np.concatenate(left)
    moves = np.where(np.isfinite(moves), moves, np.nan)
    centred: np.ndarray = np.nan_to_num(np.nanmean(moves) - moves)
    return np.where(np.abs(centred) > 1e-12 * max(1.0, float(np.abs(moves).max())), centred, 0.0)


def _participating(moves: np.ndarray) -> float:
    """How many samples the drop hangs on, from their influences: m where m have the same and all others none, a third of normal ones."""
    return _ratio(float((moves**2).sum()) ** 2, float((moves**4).sum()))


def _expanded(count: int, freedom: float) -> tuple[float, float]:
    """The percentiles that give a mean of so many samples, of which so many say how far it varies, the width of Student's interval."""
    tail = _normal_below(-math.sqrt(count / (count - 1)) * _student(min(count - 1, freedom)))
    return tail, 1 - tail


def _unseen(count: int, differing: float) -> float:
    """What may be lost of the whole where the samples say nothing.

    As many samples may well miss the part z^2 / (n + z^2) of the population (the upper end of Wilson's interval for none of n), where all
    may be lost. What was seen to differ tells what that looks like: with d of them it is one case among 1 + d. No number of differing
    samples tells that where there are hardly any samples, so it is never less than the part z^2 / n.
    """
    return Z95**2 / (count + Z95**2) * max(1 / (1 + differing), min(1.0, Z95**2 / count))


def _is_perfect(metric: Metric, scorer: Scorer) -> bool:
    """Whether nothing can be better, as a reference is that is judged by its own answers."""
    return scorer.value == (1.0 if metric.higher_is_better else 0.0)


def _normal_below(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _student(freedom: float) -> float:
    """The 97.5 % quantile of Student's t: the expansion of Cornish and Fisher, Abramowitz and Stegun 26.7.5, within 2 % from 3 on."""
    z = Z95
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
