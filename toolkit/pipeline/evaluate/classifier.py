"""How good a classifier is: accuracy, areas, calibration, and what it gets wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import POINTS, Artifact, ArtifactError, DataError, Samples, class_labels
from toolkit.core.evidence import value_text
from toolkit.tasks.probabilities import probabilities_of

from ..text import NONE
from .base import Evaluation, Table, answers_of
from .classifier_figures import ClassifierFigures, Predictions, figures_of
from .classifier_pictures import pictures

_SENTENCES = 8


def evaluate_classifier(artifact: Artifact, samples: Samples, *, folder: Path | None = None, **options: Any) -> Evaluation:  # noqa: ARG001
    """Evaluate a classifier over labelled samples; `options` are those of `answers_of`.

    Raises:
        DataError: samples without labels, or labels that the classifier does not have.
        EngineError: the engine failed.
    """
    targets, labels = _targets(artifact, samples)
    answers = answers_of(artifact, samples, **options)
    (logits,) = answers.outputs.values()
    predictions = Predictions(answers.samples, probabilities_of(logits), targets[: len(logits)], labels)
    figures = figures_of(predictions)
    a = figures.accuracy
    facts = (
        ("accuracy [95 %]", f"{_share(a.value)} [{_share(a.low)} to {_share(a.high)}], n={len(logits):,}"),
        ("F1, mean over classes", f"{figures.macro_f1:.4f}"),
        ("ROC area, mean", _area(figures.roc_auc)),
        ("average precision, mean", _area(figures.average_precision)),
        ("calibration error (ECE)", _share(figures.ece)),
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
    tables += _sentences(predictions, figures, artifact)
    return Evaluation(answers.run, figures, facts, tuple(tables), lambda: pictures(figures, predictions, artifact))


def _sentences(predictions: Predictions, figures: ClassifierFigures, artifact: Artifact) -> list[Table]:
    """The right and the wrong predictions of the highest confidence, with the words that it saw."""
    preprocessing = artifact.manifest.preprocessing
    if preprocessing is None or preprocessing.vocabulary is None:
        return []
    (tokens,) = predictions.samples.inputs.values()
    sure = predictions.probabilities.max(axis=1)
    right = np.flatnonzero(predictions.predicted == predictions.targets)
    surest = right[np.argsort(-sure[right], kind="stable")]
    tables = []
    for title, rows in (
        ("Right, of the highest confidence", surest[:_SENTENCES]),
        ("Wrong, of the highest confidence", figures.mistakes[:_SENTENCES]),
    ):
        found = tuple(
            (
                preprocessing.vocabulary.decode(tokens[row]),
                f"{predictions.labels[predictions.predicted[row]]} {100 * sure[row]:.1f} %",
                predictions.labels[predictions.targets[row]],
            )
            for row in rows
        )
        tables.append(Table(title, ("text", "predicted", "actual"), found, prose=True))
    return tables


def _targets(artifact: Artifact, samples: Samples) -> tuple[np.ndarray, tuple[str, ...]]:
    classes = classes_of(artifact)
    assert classes is not None, "asked before"
    targets = class_labels(samples, classes)
    if targets is None:
        raise DataError(f"samples '{samples.origin}' have no labels", expected="an integer 'targets' for each sample")
    labels = artifact.manifest.labels or tuple(map(str, range(classes)))
    if len(labels) != classes:
        raise ArtifactError(f"the labels of '{artifact.path}' do not fit its output", expected=str(classes), got=f"{len(labels)} labels")
    return targets, labels


def classes_of(artifact: Artifact) -> int | None:
    """How many classes a classifier tells apart; None for an artifact of another kind."""
    outputs = artifact.manifest.signature.outputs
    classes = outputs[0].shape[1] if len(outputs) == 1 and len(outputs[0].shape) == 2 else None
    return classes if isinstance(classes, int) and classes > 1 else None


def _area(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _share(value: float) -> str:
    return value_text(value, POINTS)
