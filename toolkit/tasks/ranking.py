"""Ranking: a score for each candidate, by which the relevant ones should come first."""

from __future__ import annotations

import numpy as np

from toolkit.core import Signature

from ._counts import ratio_of_sums
from ._targets import PADDING, alike, check_finite, is_real, is_whole, refused
from .base import Metric, Scorer, Task

FIRST = 10


def _gain(scores: np.ndarray, relevance: np.ndarray) -> Scorer:
    """NDCG of Järvelin and Kekäläinen (2002) as scikit-learn's ``ndcg_score``: what has one score shares its places."""
    real = relevance != PADDING
    gain = np.where(real, relevance, 0).astype(np.float64)
    found, best = _discounted(np.where(real, scores, -np.inf), gain), _discounted(np.where(real, gain, -np.inf), gain)
    return ratio_of_sums(np.divide(found, best, out=np.zeros_like(found), where=best > 0), best > 0)


def _discounted(scores: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The discounted cumulative gain of each row, averaged over the orders of equal scores (McSherry and Najork 2008)."""
    discount = np.concatenate([[0], np.cumsum(1 / np.log2(np.arange(scores.shape[1]) + 2))])
    total = np.empty(len(scores))
    for row, (given, gained) in enumerate(zip(-scores, gain, strict=True)):
        _, group, counts = np.unique(given, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        share = (discount[ends] - discount[ends - counts]) / counts
        total[row] = (np.bincount(group, weights=gained) * share).sum()
    return total


def _recall(scores: np.ndarray, relevance: np.ndarray) -> Scorer:
    """The share of what is relevant that is among the first 10, mean over samples that have any."""
    real = relevance != PADDING
    best = np.argsort(-np.where(real, scores, -np.inf), axis=1, kind="stable")[:, :FIRST]
    relevant = real & (relevance > 0)
    count = relevant.sum(axis=1)
    return ratio_of_sums(np.take_along_axis(relevant, best, axis=1).sum(axis=1) / np.maximum(count, 1), count > 0)


class Ranking(Task):
    """A score for each candidate of each sample, ``[N, M]``."""

    name = "ranking"
    title = "Ranking"
    targets = "how relevant each candidate is, from 0 on, int or float[N, M]; -1 is no candidate"
    agreement = "NDCG against the reference's first ten"
    metrics = (
        Metric(name="ndcg", title="NDCG", score=_gain),
        Metric(name="recall-at-10", title="recall among the first 10", score=_recall),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there is a whole number for each score, and they are grades: some above 1, none below -1."""
        if targets is None or targets.ndim != 2 or targets.shape[1] < 2 or not is_whole(targets) or not targets.size:
            return False
        graded = bool(targets.max() > 1) and bool(targets.min() >= PADDING)
        return len(signature.outputs) == 1 and "float" in signature.outputs[0].dtype and alike(targets, signature) and graded

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        if targets.ndim != 2 or not (is_whole(targets) or is_real(targets)) or not alike(targets, signature):
            raise refused(origin, "are no relevance of each candidate", targets=targets, expected=f"numbers as {signature.outputs[0]}")
        check_finite(targets, origin)
        wrong = targets[(targets < 0) & (targets != PADDING)]
        if wrong.size:
            raise refused(origin, "have a relevance below 0", expected="0 or more, or -1 for no candidate", got=f"{wrong[0]:g}")

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """Ten for the first, one for the tenth, ``[N, M]``; equal scores have the least of what is theirs."""
        ordered = np.sort(-predictions, axis=1)
        upto = np.stack([np.searchsorted(row, -scores, side="right") for row, scores in zip(ordered, predictions, strict=True)])
        grades: np.ndarray = np.maximum(FIRST + 1 - upto, 0)
        return grades
