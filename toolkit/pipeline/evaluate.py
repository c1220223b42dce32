"""How good a deployed classifier is on real samples: what its engine answers, not what the training net would."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from toolkit.core import Artifact, DataError, EngineError, Interval, Samples, needs, wilson
from toolkit.runtimes.parity import observe

from .verify import default_engine

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
class Evaluation:
    """What one engine made of one artifact over labelled samples.

    ``accuracy`` is with Wilson's interval; ``macro_f1`` the mean over classes; ``log_loss`` in nats; ``ece`` the expected calibration
    error over 15 bins of equal width (Guo et al. 2017); ``confusion[i][j]`` counts samples of class i that were taken for j;
    ``mistakes`` are the rows of wrong answers, the surest first.
    """

    artifact: str
    model: str
    engine: str
    device: str
    precision: str
    data: str
    samples: int
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
class Answers:
    """What the figures come from: ``probabilities [N, classes]`` float64 and ``targets [N]``, with the samples themselves."""

    samples: Samples
    probabilities: np.ndarray
    targets: np.ndarray
    labels: tuple[str, ...]
    predicted: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "predicted", self.probabilities.argmax(axis=1))


def evaluate(
    artifact: Artifact, samples: Samples, *, engine: str | None = None, device: str = "cpu", log: Path | None = None
) -> tuple[Evaluation, Answers]:
    """Run a classifier over labelled samples in a process of its own.

    Args:
        artifact: with one output ``[batch, classes]``, logits.
        samples: with an integer target for each row.
        engine: by default the first installed one that runs the artifact.
        device: by name.
        log: where the engine's own words go.

    Raises:
        DataError: samples without labels, or labels that the classifier does not have.
        EngineError: the engine failed, or its outputs are no logits.
    """
    targets, labels = _targets(artifact, samples)
    seen = observe(artifact, engine or default_engine(artifact), samples, device=device, log=log)
    if seen.problem or seen.actual is None:
        raise EngineError(f"'{artifact.name}' gave no answers", got=seen.problem)
    (logits,) = seen.samples.values()
    if not np.isfinite(logits).all():
        raise EngineError(f"'{artifact.name}' gave NaN or infinity", hint="run: toolkit verify")
    # A file with a fixed batch answers whole batches only.
    rows = len(logits)
    answers = Answers(samples.rows(slice(0, rows)), _softmax(logits.astype(np.float64)), targets[:rows], labels)
    return _figures(artifact, answers, seen.actual.engine, seen.actual.device, str(seen.actual.precision)), answers


def curves(answers: Answers, row: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None:
    """The ROC curve (false, true positive rate) and the precision-recall curve (recall, precision) of a class, where it has both kinds."""
    with needs("report"):
        from sklearn.metrics import precision_recall_curve, roc_curve
    truth = answers.targets == row
    if not 0 < truth.sum() < len(truth):
        return None
    false, true, _ = roc_curve(truth, answers.probabilities[:, row])
    precision, recall, _ = precision_recall_curve(truth, answers.probabilities[:, row])
    return (false, true), (recall, precision)


def _targets(artifact: Artifact, samples: Samples) -> tuple[np.ndarray, tuple[str, ...]]:
    outputs = artifact.manifest.signature.outputs
    classes = outputs[0].shape[1] if len(outputs) == 1 and len(outputs[0].shape) == 2 else None
    if not isinstance(classes, int) or classes < 2:
        raise DataError(
            f"'{artifact.name}' is no classifier",
            expected="one output [batch, classes]",
            got=", ".join(map(str, outputs)),
            hint="toolkit verify compares any outputs",
        )
    targets = samples.targets
    if targets is None or targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        raise DataError(f"samples '{samples.origin}' have no labels", expected="an integer 'targets' for each sample")
    if not len(targets):
        raise DataError(f"samples '{samples.origin}' are empty", hint="give at least one sample")
    unknown = sorted({int(target) for target in targets if not 0 <= target < classes})
    if unknown:
        raise DataError(
            f"samples '{samples.origin}' have unknown labels",
            expected=f"0 to {classes - 1}",
            got=", ".join(map(str, unknown[:5])),
        )
    return targets, artifact.manifest.labels or tuple(map(str, range(classes)))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _figures(artifact: Artifact, answers: Answers, engine: str, device: str, precision: str) -> Evaluation:
    with needs("report"):
        from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, precision_recall_fscore_support, roc_auc_score
    truth, predicted, chances, labels = answers.targets, answers.predicted, answers.probabilities, answers.labels
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
    return Evaluation(
        artifact=artifact.name,
        model=artifact.manifest.model,
        engine=engine,
        device=device,
        precision=precision,
        data=answers.samples.origin,
        samples=len(truth),
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
