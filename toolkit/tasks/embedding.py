"""Embeddings: rows whose directions tell what is alike.

Whole numbers ``[N]`` beside rows ``[N, D]`` are labels of classes as well as of identities, so no signature is an embedding's by itself:
its outputs are, where they are rows of length 1 with both signs (`shows`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from toolkit.core import Signature

from ._counts import ratio_of_sums
from ._ranked import area_under_roc, parts, roc
from ._targets import check_below, is_whole, refused
from .base import Metric, Scorer, Task, mean_of, ratio

PAIRS = 200_000
"""How many pairs are compared at most: all that belong together, and of the others as many as are left, evenly."""


@dataclass(frozen=True, eq=False)
class Kin:
    """What a reference takes to be alike: of its rows ``[N, D]``."""

    rows: np.ndarray

    @cached_property
    def nearest(self) -> np.ndarray:
        """The nearest other sample of each, ``[N]`` int64."""
        return _nearest(self.rows)

    @cached_property
    def alike(self) -> np.ndarray:
        """The pairs that are most alike, a tenth, ``[N, N]`` bool: only where pairs are compared, for they are many."""
        unit = _unit(self.rows)
        alike = unit @ unit.T
        pairs = np.sort(alike[np.triu_indices(len(alike), 1)])
        least = pairs[-max(1, len(pairs) // 10) :][:1] if len(pairs) else np.inf
        found: np.ndarray = alike >= least
        return found


def _recall(rows: np.ndarray, actual: np.ndarray | Kin) -> Scorer:
    """Whether the nearest other sample is of the same identity; of identities with more than one sample."""
    nearest = _nearest(rows)
    if isinstance(actual, Kin):
        return mean_of(nearest == actual.nearest)
    several = np.unique(actual, return_inverse=True, return_counts=True)
    counted = several[2][several[1]] > 1
    return ratio_of_sums(counted & (actual[nearest] == actual), counted)


@dataclass(frozen=True, eq=False)
class _Pairs(Scorer):
    """A metric of all pairs of samples: of how alike they are ``[P]``, and whether they belong together ``[P]``.

    A pair counts as often as both of its samples: a bootstrap of the vertices (Snijders and Borgatti 1999).
    """

    samples: int
    first: np.ndarray
    second: np.ndarray
    similarity: np.ndarray
    together: np.ndarray
    metric: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return self.samples

    def values(self, weights: np.ndarray) -> np.ndarray:
        """As `Scorer.values`."""
        result = np.empty(len(weights))
        for rows, part in parts(weights, len(self.first)):
            pairs = part[:, self._order[0]] * part[:, self._order[1]]
            result[rows] = self.metric(self._order[2], self._order[3], pairs)
        return result

    def differs(self, other: Scorer) -> np.ndarray:
        """As `Scorer.differs`: where a pair of a sample is alike otherwise."""
        assert isinstance(other, _Pairs)
        unequal = np.zeros(self.samples, dtype=bool)
        changed = self.similarity != other.similarity
        unequal[self.first[changed]] = unequal[self.second[changed]] = True
        return unequal

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The pairs by falling likeness, so that no call sorts anew what is far apart in memory."""
        order = np.argsort(-self.similarity, kind="stable")
        return self.first[order], self.second[order], self.similarity[order], self.together[order].astype(np.float64)


def _verified(rows: np.ndarray, actual: np.ndarray | Kin, *, metric: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Scorer:
    first, second = np.triu_indices(len(rows), 1)
    together = actual.alike[first, second] if isinstance(actual, Kin) else actual[first] == actual[second]
    if len(first) > PAIRS:
        others = np.flatnonzero(~together)
        kept = others[np.linspace(0, len(others) - 1, max(1, PAIRS - int(together.sum()))).astype(np.int64)]
        chosen = np.union1d(np.flatnonzero(together), kept)
        first, second, together = first[chosen], second[chosen], together[chosen]
    unit = _unit(rows)
    return _Pairs(len(rows), first, second, (unit @ unit.T)[first, second], together, metric)


def equal_error_rate(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The rate ``[B]`` at which as many are wrongly accepted as wrongly rejected, on the ROC curve's straight lines between thresholds."""
    hits, misses = roc(scores, labels, weights)
    accepted, rejected = ratio(misses, misses[:, -1:]), 1 - ratio(hits, hits[:, -1:])
    crossed = (accepted >= rejected).argmax(axis=1)
    rows = np.arange(len(weights))
    before = np.maximum(crossed - 1, 0)
    gap, step = (rejected - accepted)[rows, before], (accepted - rejected)[rows, crossed]
    share = np.divide(gap, gap + step, out=np.zeros(len(weights)), where=gap + step > 0)
    rate: np.ndarray = accepted[rows, before] + share * (accepted[rows, crossed] - accepted[rows, before])
    return rate


def _unit(rows: np.ndarray) -> np.ndarray:
    """The rows in float64, each of length 1; those of zeros stay."""
    values: np.ndarray = rows.astype(np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1)


def _nearest(rows: np.ndarray) -> np.ndarray:
    """The other sample of the largest cosine, ``[N]``, the first of equals."""
    unit = _unit(rows)
    nearest = np.empty(len(unit), dtype=np.int64)
    for start in range(0, len(unit), 1024):
        alike = unit[start : start + 1024] @ unit.T
        alike[np.arange(len(alike)), start + np.arange(len(alike))] = -np.inf
        nearest[start : start + 1024] = alike.argmax(axis=1)
    return nearest


class Embedding(Task):
    """A row for each sample, ``[N, D]``, compared by cosine."""

    name = "embedding"
    title = "Embedding"
    targets = "the identity of each sample, int[N]; at least two of one"
    agreement = "agreement of nearest neighbours"
    metrics = (
        Metric(name="recall1", title="recall at 1", score=_recall),
        Metric(
            name="eer", title="equal error rate of verification", score=partial(_verified, metric=equal_error_rate), higher_is_better=False
        ),
        Metric(name="verification-auc", title="ROC AUC of verification", score=partial(_verified, metric=area_under_roc)),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:  # noqa: ARG002
        """Never: whole numbers may be classes as well."""
        return False

    def shows(self, outputs: Mapping[str, np.ndarray]) -> bool:
        """Whether these are rows of length 1 with both signs, which no scores of classes are."""
        rows = next(iter(outputs.values()))
        if len(outputs) != 1 or rows.ndim != 2 or rows.shape[1] < 2 or not len(rows):
            return False
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
        return bool((np.abs(lengths - 1) < 1e-2).all()) and bool((rows < 0).any())

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        if len(signature.outputs[0].shape) != 2:
            raise refused(origin, "are for embeddings", expected="an output [N, D]", got=str(signature.outputs[0]))
        if not is_whole(targets) or targets.ndim != 1:
            raise refused(origin, "are no identities", targets=targets, expected=self.targets)
        check_below(targets, origin, classes="", what="identity")
        if len(np.unique(targets)) == len(targets):
            hint = "leave the targets out to compare nearest neighbours"
            raise refused(
                origin,
                "have no identity twice",
                expected="at least two samples of one identity",
                got=f"{len(targets)} of one sample each",
                hint=hint,
            )

    def as_targets(self, predictions: np.ndarray) -> Kin:
        """The nearest other sample of each, and the tenth of all pairs that is most alike."""
        return Kin(predictions)
