"""A score for whether something is so, judged over all thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from toolkit.core import Signature

from ._counts import yes
from ._ranked import area_under_roc, placements, precision_at_hits
from ._targets import is_binary, refused
from .base import Metric, Scorer, Task


@dataclass(frozen=True, eq=False)
class _Curve(Scorer):
    """A metric of scores ``[N]`` and 0/1 labels ``[N]`` that depends on the order of the scores alone."""

    scores: np.ndarray
    labels: np.ndarray
    metric: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return len(self.labels)

    def values(self, weights: np.ndarray) -> np.ndarray:
        """As `Scorer.values`."""
        return self.metric(self.scores, self.labels.astype(np.float64), weights)

    def differs(self, other: Scorer) -> np.ndarray:
        """As `Scorer.differs`: where a sample has another place among those of the other label."""
        assert isinstance(other, _Curve)
        unequal: np.ndarray = placements(self.scores, self.labels) != placements(other.scores, other.labels)
        return unequal


def _curve(scores: np.ndarray, labels: np.ndarray, *, metric: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Scorer:
    return _Curve(scores, labels.reshape(-1), metric)


class Binary(Task):
    """One score for each sample, ``[N]`` or ``[N, 1]``, and whether it is so."""

    name = "binary"
    title = "Binary scores"
    targets = "0 or 1 for each sample, int64[N]"
    agreement = "ROC AUC against the reference's decisions"
    metrics = (
        Metric(name="auc", title="area under the ROC curve", score=partial(_curve, metric=area_under_roc)),
        Metric(name="average-precision", title="average precision", score=partial(_curve, metric=precision_at_hits)),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether the only output is one score for each sample and there is a 0 or 1 for each."""
        if targets is None or targets.shape[1:] not in {(), (1,)} or not is_binary(targets):
            return False
        return len(signature.outputs) == 1 and _is_score(signature)

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        if not _is_score(signature):
            raise refused(origin, "are for one score a sample", expected="an output [N] or [N, 1]", got=str(signature.outputs[0]))
        if targets.shape[1:] not in {(), (1,)}:
            raise refused(origin, "are no decisions", targets=targets, expected=self.targets)
        if not is_binary(targets):
            raise refused(origin, "are no decisions", expected="0 or 1", got=str(targets[~np.isin(targets, (0, 1))][0]))

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The scores, ``[N]``."""
        return next(iter(outputs.values())).reshape(-1)

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The decisions, ``[N]`` int64; where all are one, the strongest tenth against the rest."""
        decided = yes(predictions)
        if len(decided) and decided.all() != decided.any():
            return decided.astype(np.int64)
        least = np.sort(predictions)[-max(1, len(predictions) // 10) :][:1]
        strongest: np.ndarray = (predictions >= least).astype(np.int64)
        return strongest


def _is_score(signature: Signature) -> bool:
    return signature.outputs[0].shape[1:] in {(), (1,)}
