"""Classification: one class for each sample, the largest of its scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.core import Samples, Signature, class_labels

from ._counts import mean_ratio
from .base import Metric, Scorer, Task, mean_of
from .probabilities import are_probabilities


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> Scorer:
    return mean_of(scores.argmax(axis=1) == labels)


def _top5(scores: np.ndarray, labels: np.ndarray) -> Scorer:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    return mean_of((best == labels[:, None]).any(axis=1))


def _macro_f1(scores: np.ndarray, labels: np.ndarray) -> Scorer:
    """The mean over the classes that are predicted or true, as scikit-learn's ``f1_score(average="macro")``."""
    classes = np.eye(scores.shape[1])
    predicted, actual = classes[scores.argmax(axis=1)], classes[labels]
    return mean_ratio(2 * predicted * actual, predicted + actual)


class Classification(Task):
    """Class scores ``[N, C]``, probabilities or not, and a label for each sample."""

    name = "classification"
    title = "Classification"
    targets = "a label for each sample, int64[N] in [0, C)"
    agreement = "top-1 agreement"
    scores = True
    metrics = (
        Metric(name="accuracy", title="accuracy", score=_accuracy),
        Metric(name="top5", title="top-5 accuracy", score=_top5),
        Metric(name="macro-f1", title="F1, mean over classes", score=_macro_f1),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there are whole numbers, one for each row of the first output's scores."""
        shape = signature.outputs[0].shape if signature.outputs else ()
        labels = targets is not None and targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)
        return bool(labels) and len(shape) == 2 and shape[1] != 1

    def shows(self, outputs: Mapping[str, np.ndarray]) -> bool:
        """Whether the first output is rows of probabilities: each of at least 0, all of them together 1."""
        scores = next(iter(outputs.values()))
        if scores.ndim != 2 or scores.shape[1] < 2 or not len(scores) or not np.issubdtype(scores.dtype, np.floating):
            return False
        return are_probabilities(scores)

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        classes = signature.outputs[0].shape[-1]
        class_labels(Samples({}, targets, origin), classes if isinstance(classes, int) else None)

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The labels of the largest scores, ``[N]``."""
        labels: np.ndarray = predictions.argmax(axis=1)
        return labels
