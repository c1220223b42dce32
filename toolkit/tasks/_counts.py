"""Metrics of counts over classes, and what counts as a yes."""

from __future__ import annotations

import numpy as np

from toolkit.core.mapped import by_parts, parts_of

from .base import Sums, ratio


def mean_ratio(part: np.ndarray, whole: np.ndarray) -> Sums:
    """The mean over classes of ``part / whole``, both ``[N, C]`` counts of samples; classes of which there are none are left out."""
    classes = part.shape[1]

    def finish(sums: np.ndarray) -> np.ndarray:
        shares = ratio(sums[:, :classes], sums[:, classes:])
        present = np.isfinite(shares)
        return ratio(np.where(present, shares, 0).sum(axis=1), present.sum(axis=1))

    return Sums(np.concatenate([part, whole], axis=1).astype(np.float64), finish)


def ratio_of_sums(part: np.ndarray, whole: np.ndarray) -> Sums:
    """``part / whole`` of the sums over samples, both ``[N]``."""
    return Sums(np.column_stack([part, whole]).astype(np.float64))


def yes(scores: np.ndarray) -> np.ndarray:
    """Which scores say yes: probabilities above 0.5, or where some score is no probability, those above 0."""
    least = 0.5 if all(bool(((part >= 0) & (part <= 1)).all()) for (part,) in parts_of(scores)) else 0
    return by_parts(lambda part: part > least, scores)
