"""How good a classifier is: accuracy, areas, calibration, and what it gets wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toolkit.core import Artifact, ArtifactError, DataError, Interval, Samples, needs, wilson

from .base import Evaluation, Table, answers_of

_BINS = 15
_SENTENCES = 8


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
class Figures:
    """``accuracy`` is with Wilson's interval; ``macro_f1`` the mean over classes; ``log_loss`` in nats; ``ece`` the expected calibration
    error over 15 bins of equal width (Guo et al. 2017); ``confusion[i][j]`` counts samples of class i that were taken for j;
    ``mistakes`` are the rows of wrong answers, the surest first.
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
class Opinions:
    """What the figures come from: ``probabilities [N, classes]`` float64 and ``targets [N]``, with the samples themselves."""

    samples: Samples
    probabilities: np.ndarray
    targets: np.ndarray
    labels: tuple[str, ...]
    predicted: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "predicted", self.probabilities.argmax(axis=1))


def is_classifier(artifact: Artifact) -> bool:
    """Whether the only output is ``[batch, classes]``."""
    return _classes(artifact) is not None


def evaluate_classifier(artifact: Artifact, samples: Samples, **options: Any) -> Evaluation:
    """Run a classifier over labelled samples; `options` are those of `answers_of`.

    Raises:
        DataError: samples without labels, or labels that the classifier does not have.
        EngineError: the engine failed.
    """
    from .classifier_pictures import pictures

    targets, labels = _targets(artifact, samples)
    answers = answers_of(artifact, samples, **options)
    (logits,) = answers.outputs.values()
    opinions = Opinions(answers.samples, _softmax(logits.astype(np.float64)), targets[: len(logits)], labels)
    figures = figures_of(opinions)
    a = figures.accuracy
    facts = (
        ("accuracy [95 %]", f"{a.value:.2%} [{a.low:.2%}, {a.high:.2%}], n={len(logits):,}"),
        ("F1, mean over classes", f"{figures.macro_f1:.4f}"),
        ("ROC area, mean", _area(figures.roc_auc)),
        ("average precision, mean", _area(figures.average_precision)),
        ("calibration error (ECE)", f"{figures.ece:.2%}"),
        ("log loss, nats", f"{figures.log_loss:.4f}"),
        ("mistakes", f"{len(figures.mistakes):,}"),
    )
    rows = tuple(
        (
            c.label,
            f"{c.samples:,}",
            *(f"{value:.3f}" for value in (c.precision, c.recall, c.f1)),
            *map(_area, (c.roc_auc, c.average_precision)),
        )
        for c in figures.classes
    )
    tables = [Table("Classes", ("class", "samples", "precision", "recall", "F1", "ROC", "PR"), rows)]
    tables += _sentences(opinions, figures, artifact)
    return Evaluation(answers.run, figures, facts, tuple(tables), lambda: pictures(figures, opinions, artifact))


def _sentences(opinions: Opinions, figures: Figures, artifact: Artifact) -> list[Table]:
    """The texts that it was surest of, and the mistakes that it was surest of, as the words that it saw."""
    preprocessing = artifact.manifest.preprocessing
    if preprocessing is None or preprocessing.vocabulary is None:
        return []
    (tokens,) = opinions.samples.inputs.values()
    sure = opinions.probabilities.max(axis=1)
    right = np.flatnonzero(opinions.predicted == opinions.targets)
    surest = right[np.argsort(-sure[right], kind="stable")]
    tables = []
    for title, rows in (("Surest and right", surest[:_SENTENCES]), ("Surest and wrong", figures.mistakes[:_SENTENCES])):
        found = tuple(
            (
                preprocessing.vocabulary.decode(tokens[row]),
                f"{opinions.labels[opinions.predicted[row]]} {sure[row]:.1%}",
                opinions.labels[opinions.targets[row]],
            )
            for row in rows
        )
        tables.append(Table(title, ("text", "said", "is"), found, prose=True))
    return tables


def curves(opinions: Opinions, row: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None:
    """The ROC curve (false, true positive rate) and the precision-recall curve (recall, precision) of a class, where it has both kinds."""
    with needs("evaluate"):
        from sklearn.metrics import precision_recall_curve, roc_curve
    truth = opinions.targets == row
    if not 0 < truth.sum() < len(truth):
        return None
    false, true, _ = roc_curve(truth, opinions.probabilities[:, row])
    precision, recall, _ = precision_recall_curve(truth, opinions.probabilities[:, row])
    return (false, true), (recall, precision)


def _targets(artifact: Artifact, samples: Samples) -> tuple[np.ndarray, tuple[str, ...]]:
    classes = _classes(artifact)
    assert classes is not None, "asked before"
    targets = samples.targets
    if targets is None or targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        raise DataError(f"samples '{samples.origin}' have no labels", expected="an integer 'targets' for each sample")
    unknown = sorted({int(target) for target in targets if not 0 <= target < classes})
    if unknown:
        raise DataError(
            f"samples '{samples.origin}' have unknown labels",
            expected=f"0 to {classes - 1}",
            got=", ".join(map(str, unknown[:5])),
        )
    labels = artifact.manifest.labels or tuple(map(str, range(classes)))
    if len(labels) != classes:
        raise ArtifactError(f"the labels of '{artifact.path}' do not fit its output", expected=str(classes), got=f"{len(labels)} labels")
    return targets, labels


def _classes(artifact: Artifact) -> int | None:
    outputs = artifact.manifest.signature.outputs
    classes = outputs[0].shape[1] if len(outputs) == 1 and len(outputs[0].shape) == 2 else None
    return classes if isinstance(classes, int) and classes > 1 else None


def _area(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def figures_of(opinions: Opinions) -> Figures:
    """Every figure, from the definitions in scikit-learn."""
    with needs("evaluate"):
        from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, precision_recall_fscore_support, roc_auc_score
    truth, predicted, chances, labels = opinions.targets, opinions.predicted, opinions.probabilities, opinions.labels
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
    return Figures(
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
