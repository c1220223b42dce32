"""A task: what a network's outputs mean, by which metrics they are judged, and what a metric is.

A metric is a function of weights over samples. With every weight 1 it is what its library gives; with the weights of samples drawn again
it is what the paired interval needs (`toolkit.tasks.intervals`), for means and for what is no mean over samples alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from toolkit.core import POINTS, Signature
from toolkit.core.evidence import scale_of


class Scorer(ABC):
    """A metric of the predictions for some samples, of which each may count any number of times."""

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @abstractmethod
    def values(self, weights: np.ndarray) -> np.ndarray:
        """The metric ``[B]`` float64 where sample n counts ``weights[b, n]`` times; NaN where it is not defined."""

    @abstractmethod
    def differs(self, other: Scorer) -> np.ndarray:
        """The samples ``[N]`` bool that count otherwise in `other`, which is of the same samples."""

    @property
    def value(self) -> float:
        """The metric on the samples as they are."""
        return float(self.values(np.ones((1, len(self))))[0])


@dataclass(frozen=True, eq=False)
class Sums(Scorer):
    """A metric that is a function of sums over samples: a mean, an F1, an edit rate, a mean IoU.

    Args:
        rows: what each sample adds, ``[N, K]`` float64.
        finish: the metric ``[B]`` of the sums ``[B, K]``; by default the first by the second.
    """

    rows: np.ndarray
    finish: Callable[[np.ndarray], np.ndarray] = lambda sums: ratio(sums[:, 0], sums[:, 1])

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, weights: np.ndarray) -> np.ndarray:
        """As `Scorer.values`."""
        return self.finish(weights @ self.rows)

    def differs(self, other: Scorer) -> np.ndarray:
        """As `Scorer.differs`."""
        assert isinstance(other, Sums)
        unequal: np.ndarray = (self.rows != other.rows).any(axis=1)
        return unequal


def mean_of(values: np.ndarray) -> Sums:
    """The mean over samples of a number for each, ``[N]``."""
    return Sums(np.column_stack([values, np.ones(len(values))]).astype(np.float64))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole`` in float64; NaN where the whole is 0."""
    result: np.ndarray = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=np.asarray(whole) != 0)
    return result


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number for how good predictions are.

    Args:
        name: short, for options: ``map50``.
        title: for tables: ``mAP at IoU 0.5``.
        score: of predictions and targets, both as the task makes them.
        unit: `toolkit.core.POINTS` for a share in [0, 1], else that of the values: ``dB``, ``px``, or nothing.
        higher_is_better: the direction.
    """

    name: str
    title: str
    score: Callable[[Any, Any], Scorer]
    unit: str = POINTS
    higher_is_better: bool = True

    @property
    def scale(self) -> float:
        """What a value is multiplied by to be in the unit: 100 for points."""
        return scale_of(self.unit)


class Task(ABC):
    """What outputs mean. One module a task, found by discovery; `name` is what a manifest keeps."""

    name: ClassVar[str]
    """Short, for options and manifests: ``detection``."""
    title: ClassVar[str]
    """For people: ``Object detection``."""
    targets: ClassVar[str]
    """What the targets of samples must be, with shape and unit, for messages."""
    metrics: ClassVar[tuple[Metric, ...]]
    """The first is the one that decides unless the user names another; none for any outputs."""
    agreement: ClassVar[str]
    """What the first metric is called where the reference's own answers are the targets: ``top-1 agreement``."""
    shows_beside_targets: ClassVar[bool] = True
    """Whether what its outputs show holds beside targets too, which may fit another task."""
    samples: ClassVar[str] = ""
    """What its samples are where none are given and the model has no set of its own: `toolkit.core.NOISE`, or nothing."""
    scores: ClassVar[bool] = False
    """Whether the judged outputs are rows of class scores, of which only the largest entry's place counts."""

    @abstractmethod
    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether a network with this signature and these targets can only be of this task; no task fits what others fit too."""

    def shows(self, outputs: Mapping[str, np.ndarray]) -> bool:  # noqa: ARG002 - most show nothing
        """Whether a float network's outputs on real samples can only be of this task, such as rows of unit length of an embedding."""
        return False

    @abstractmethod
    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """Raise `DataError` for targets of samples from `origin` by which such a network cannot be judged."""

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> Any:
        """What the network says, from its `judged` outputs ``[N, ...]`` in the order of its signature: the first one, unless a task reads
        more in them.
        """
        return next(iter(outputs.values()))

    @abstractmethod
    def as_targets(self, predictions: Any) -> Any:
        """What a reference says, as the targets of another: what agreement is counted by. Judged by it, the reference is perfect."""

    def called(self, metric: Metric, *, labelled: bool) -> str:
        """What one of its metrics is called: with targets, or where the reference's own answers are the targets."""
        if labelled:
            return metric.title
        return self.agreement if metric.name == self.metrics[0].name else f"{metric.title} against the reference's answers"

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of its metrics."""
        return tuple(metric.name for metric in self.metrics)

    def covered(self, signature: Signature, metric: Metric) -> tuple[str, ...]:  # noqa: ARG002 - most read all that they take
        """The names of the outputs on which one of its metrics depends, of those that are `judged`: the others must keep their ratio."""
        return self.judged(signature)

    def judged(self, signature: Signature) -> tuple[str, ...]:
        """The names of the outputs that the metrics are of, which `predictions` takes; all others are judged as any outputs. That is the
        first one, unless a task reads several.
        """
        return (signature.outputs[0].name,)
