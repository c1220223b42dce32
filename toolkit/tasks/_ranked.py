"""Average precision and area under curves where samples count any number of times: ranked once, then weighted sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .base import ratio

_CELLS = 100_000
"""How many numbers are worked on at a time: what a processor's cache holds."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""The recalls at which COCO samples the precision."""
_BEYOND = np.append(RECALLS, np.inf)
_WIDE = 64
"""From so many columns on it pays to add row by row."""


def parts(weights: np.ndarray, width: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows of weights ``[B, N]``, as many at a time as memory should hold where each needs `width` numbers."""
    step = max(1, _CELLS // max(1, width))
    for start in range(0, len(weights), step):
        yield slice(start, start + step), weights[start : start + step]


def interpolated_precision(found: np.ndarray, ranked: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """COCO's average precision ``[B]``: the highest precision at 101 recalls or beyond, its mean; NaN where there is nothing to find.

    Args:
        found: the weight of true positives up to each one, by falling score, ``[K, B]``.
        ranked: the weight of all detections up to there, ``[K, B]``.
        actual: the weight of what there is to find, ``[B]``.
    """
    precision = np.divide(found, ranked, out=np.zeros_like(found), where=ranked > 0)
    recall = np.divide(found, actual, out=np.zeros_like(found), where=actual > 0)
    reached = (recall * (len(RECALLS) - 1)).astype(np.int64)
    # Rounding may put the product on the other side of a recall than the recall itself is.
    reached += 1 + (_BEYOND[reached + 1] <= recall) - (RECALLS[reached] > recall)
    steps = np.diff(reached, axis=0, prepend=0)
    area, highest = np.zeros(len(actual)), np.zeros(len(actual))
    for place in range(len(found) - 1, -1, -1):
        np.maximum(highest, precision[place], out=highest)
        area += steps[place] * highest
    return np.where(actual > 0, area / len(RECALLS), np.nan)


def running(rows: np.ndarray, order: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The sums ``[len(places), B]`` of ``rows[order]`` up to and with each of some places, which rise.

    Args:
        rows: ``[N, B]``, each in one piece.
        order: which row comes when, ``[K]``.
        places: in the order.
    """
    if rows.shape[1] < _WIDE:
        sums: np.ndarray = rows[order].cumsum(axis=0)[places]
        return sums
    # NumPy adds whole rows many numbers at once, and accumulates them one by one.
    result, total, start = np.empty((len(places), rows.shape[1])), np.zeros(rows.shape[1]), 0
    each, which = list(rows), order.tolist()
    for number, place in enumerate(places.tolist()):
        for row in which[start : place + 1]:
            np.add(total, each[row], out=total)
        result[number], start = total, place + 1
    return result


def precision_at_hits(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average precision ``[B]`` as scikit-learn's, of scores ``[N]`` and 0/1 labels ``[N]``; NaN where nothing is positive."""
    order, ends = _ranked(scores)
    ordered = weights[:, order]
    found = (ordered * labels[order]).cumsum(axis=1)[:, ends]
    precision = ratio(found, ordered.cumsum(axis=1)[:, ends])
    steps = np.diff(found, axis=1, prepend=0)
    return ratio(np.where(steps > 0, steps * precision, 0).sum(axis=1), found[:, -1])


def area_under_roc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The area under the ROC curve ``[B]`` of scores ``[N]`` and 0/1 labels ``[N]``, by trapezoids; NaN unless both classes occur."""
    hits, misses = roc(scores, labels, weights)
    area = (np.diff(misses, axis=1) * (hits[:, 1:] + hits[:, :-1]) / 2).sum(axis=1)
    return ratio(area, hits[:, -1] * misses[:, -1])


def roc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of positives and of negatives ``[B, K + 1]`` at or above each of K different scores, from none to all."""
    order, ends = _ranked(scores)
    ordered, positive = weights[:, order], labels[order]
    hits = (ordered * positive).cumsum(axis=1)[:, ends]
    misses = (ordered * (1 - positive)).cumsum(axis=1)[:, ends]
    none = np.zeros((len(weights), 1))
    return np.concatenate([none, hits], axis=1), np.concatenate([none, misses], axis=1)


def _ranked(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order by falling score ``[N]``, and where in it each different score ends ``[K]``."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return order, np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))


def placements(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many samples of the other label each score is above, ties by half, ``[N]``: what each adds to the area under the ROC curve."""
    result = np.zeros(len(scores))
    positive = labels.astype(bool)
    for chosen in (positive, ~positive):
        others = np.sort(scores[~chosen])
        below, upto = np.searchsorted(others, scores[chosen], side="left"), np.searchsorted(others, scores[chosen], side="right")
        result[chosen] = (below + upto) / 2
    return result
