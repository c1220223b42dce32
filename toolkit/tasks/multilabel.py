"""Multi-label classification: for each class whether it applies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.core import Signature

from ._counts import mean_ratio, ratio_of_sums, yes
from ._ranked import placements, precision_at_hits
from ._targets import alike, is_binary, refused
from .base import Metric, Scorer, Task, ratio


def _micro(scores: np.ndarray, labels: np.ndarray) -> Scorer:
    predicted, actual = yes(scores), labels.astype(bool)
    return ratio_of_sums(2 * (predicted & actual).sum(axis=1), predicted.sum(axis=1) + actual.sum(axis=1))


def _macro(scores: np.ndarray, labels: np.ndarray) -> Scorer:
    predicted, actual = yes(scores), labels.astype(bool)
    return mean_ratio(2 * (predicted & actual), predicted.astype(np.int64) + actual)


@dataclass(frozen=True, eq=False)
class _MeanPrecision(Scorer):
    """The mean of scikit-learn's average precision over the classes that occur."""

    scores: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def values(self, weights: np.ndarray) -> np.ndarray:
        """As `Scorer.values`."""
        columns = zip(self.scores.T, self.labels.T.astype(np.float64), strict=True)
        each = np.stack([precision_at_hits(scores, labels, weights) for scores, labels in columns], axis=1)
        present = np.isfinite(each)
        return ratio(np.where(present, each, 0).sum(axis=1), present.sum(axis=1))

    def differs(self, other: Scorer) -> np.ndarray:
        """As `Scorer.differs`: where a class has another place among the samples of other labels."""
        assert isinstance(other, _MeanPrecision)
        unequal = np.zeros(len(self), dtype=bool)
        for label in range(self.labels.shape[1]):
            unequal |= placements(self.scores[:, label], self.labels[:, label]) != placements(
                other.scores[:, label], other.labels[:, label]
            )
        return unequal


class MultiLabel(Task):
    """A score for each class ``[N, C]``, probabilities or not, of which any number may apply."""

    name = "multilabel"
    title = "Multi-label classification"
    targets = "0 or 1 for each class of each sample, int64[N, C]"
    agreement = "F1 against the reference's labels"
    metrics = (
        Metric(name="label-f1", title="F1 over all labels", score=_micro),
        Metric(name="label-f1-macro", title="F1, mean over labels", score=_macro),
        Metric(name="label-map", title="average precision, mean over labels", score=_MeanPrecision),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there is a 0 or 1 for each of several scores, and not one 1 in each row, which may be a single class."""
        if targets is None or targets.ndim != 2 or targets.shape[1] < 2 or not is_binary(targets):
            return False
        return len(signature.outputs) == 1 and alike(targets, signature) and not bool((targets.sum(axis=1) == 1).all())

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        if targets.ndim != 2 or not alike(targets, signature):
            raise refused(origin, "are no labels of each class", targets=targets, expected=f"the shape of {signature.outputs[0]}")
        if not is_binary(targets):
            raise refused(origin, "are no labels of each class", expected="0 or 1 for each", got=str(targets[~np.isin(targets, (0, 1))][0]))

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The classes that apply, ``[N, C]`` int64."""
        return yes(predictions).astype(np.int64)
