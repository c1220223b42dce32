"""What a classifier's predictions are worth, as numbers: accuracy, areas, calibration, mistakes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from toolkit.core import Interval, Samples, needs, wilson

_BINS = 15


@dataclass(frozen=True)
class ClassScore:
    """One class against all others. ``roc_auc`` and ``average_precision`` are None where the samples hold only one kind."""

    label: str
    samples: int
    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class CalibrationBin:
    """Samples whose confidence, the probability of the predicted class, lies in one interval: how sure, and how often right."""

    confidence: float
    accuracy: float
    samples: int


@dataclass(frozen=True)
class ClassifierFigures:
    """``accuracy`` is with Wilson's interval; ``macro_f1`` the mean over classes; ``log_loss`` in nats; ``ece`` the expected calibration
    error over 15 bins of equal width (Guo et al. 2017); ``confusion[i][j]`` counts samples of class i that were predicted as j;
    ``mistakes`` are the rows of wrong answers, of the highest confidence first.
    """

    accuracy: Interval
    macro_f1: float
    roc_auc: float | None
    average_precision: float | None
    log_loss: float
    ece: float
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration: tuple[CalibrationBin, ...]
    mistakes: tuple[int, ...]


@dataclass(frozen=True)
class Predictions:
    """What the figures come from: ``probabilities [N, classes]`` float64 and ``targets [N]``, with the samples themselves."""

    samples: Samples
    probabilities: np.ndarray
    targets: np.ndarray
    labels: tuple[str, ...]
    predicted: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "predicted", self.probabilities.argmax(axis=1))


def curves(predictions: Predictions, row: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None:
    """The ROC curve (false, true positive rate) and the precision-recall curve (recall, precision) of a class, where it has both kinds."""
    with needs("report"):
        from sklearn.metrics import precision_recall_curve, roc_curve
    truth = predictions.targets == row
    if not 0 < truth.sum() < len(truth):
        return None
    false, true, _ = roc_curve(truth, predictions.probabilities[:, row])
    precision, recall, _ = precision_recall_curve(truth, predictions.probabilities[:, row])
    return (false, true), (recall, precision)


def figures_of(predictions: Predictions) -> ClassifierFigures:
    """Every figure, from the definitions in scikit-learn."""
    with needs("report"):
        from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, precision_recall_fscore_support, roc_auc_score
    truth, predicted, chances, labels = predictions.targets, predictions.predicted, predictions.probabilities, predictions.labels
    numbers = np.arange(len(labels))
    per_class = precision_recall_fscore_support(truth, predicted, labels=numbers, zero_division=0.0)
    classes = []
    for number, label in enumerate(labels):
        own = truth == number
        both = 0 < own.sum() < len(own)
        classes.append(
            ClassScore(
                label,
                int(own.sum()),
                float(per_class[0][number]),
                float(per_class[1][number]),
                float(per_class[2][number]),
                float(roc_auc_score(own, chances[:, number])) if both else None,
                float(average_precision_score(own, chances[:, number])) if both else None,
            )
        )
    present = [score for score in classes if score.samples]
    right = predicted == truth
    sure = chances.max(axis=1)
    wrong = np.flatnonzero(~right)
    bins = _bins(sure, right)
    return ClassifierFigures(
        accuracy=wilson(int(right.sum()), len(truth)),
        macro_f1=float(np.mean([score.f1 for score in present])),
        roc_auc=_mean([score.roc_auc for score in present]),
        average_precision=_mean([score.average_precision for score in present]),
        log_loss=float(log_loss(truth, chances, labels=numbers)),
        ece=sum(b.samples * abs(b.accuracy - b.confidence) for b in bins) / len(truth),
        classes=tuple(classes),
        confusion=tuple(tuple(map(int, row)) for row in confusion_matrix(truth, predicted, labels=numbers)),
        calibration=bins,
        mistakes=tuple(int(row) for row in wrong[np.argsort(-sure[wrong], kind="stable")]),
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _bins(sure: np.ndarray, right: np.ndarray) -> tuple[CalibrationBin, ...]:
    place = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    return tuple(
        CalibrationBin(float(sure[place == number].mean()), float(right[place == number].mean()), int((place == number).sum()))
        for number in range(_BINS)
        if (place == number).any()
    )
