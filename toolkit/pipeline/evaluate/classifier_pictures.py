"""What a classifier's evaluation looks like: confusion, curves, calibration and the worst mistakes, as PNG files."""

from __future__ import annotations

import numpy as np

from toolkit.core import Artifact

from .base import Picture, new_figure, pixels_of, png_of, tiles
from .classifier_figures import ClassifierFigures, Predictions, curves

_MISTAKES = 24
_COLUMNS = 8
_MOST_NUMBERS = 16  # classes beyond which a matrix has no room for counts


def pictures(evaluation: ClassifierFigures, answers: Predictions, artifact: Artifact) -> list[Picture]:
    """Every picture that these samples allow; the mistakes are drawn where the input is an image."""
    drawn = [
        Picture(
            "confusion",
            "Of each class's samples, the share that was taken for each class; counts where there is room.",
            _confusion(evaluation),
        ),
        Picture(
            "curves",
            "ROC and precision-recall curves, each class against all others, with their areas.",
            _curves(answers, evaluation),
            wide=True,
        ),
        Picture(
            "calibration",
            "How often the net was right by how sure it was; on the diagonal it is as sure as it should be.",
            _calibration(evaluation),
        ),
    ]
    (inputs, *others) = answers.samples.inputs.values()
    images = None if others else pixels_of(inputs, artifact)
    if images is not None and evaluation.mistakes:
        drawn.append(
            Picture("mistakes", "The wrong answers of which the net was surest.", _mistakes(evaluation, answers, images), wide=True)
        )
    return drawn


def _confusion(evaluation: ClassifierFigures) -> bytes:
    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [score.label for score in evaluation.classes]
    figure = new_figure(6.4, 5.8)
    axes = figure.add_subplot()
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="taken for", ylabel="is")
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    if len(labels) <= _MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                axes.text(
                    column, row, str(count), ha="center", va="center", fontsize=7, color="white" if shares[row, column] > 0.5 else "black"
                )
    figure.colorbar(drawn, ax=axes, shrink=0.8)
    return png_of(figure)


def _curves(answers: Predictions, evaluation: ClassifierFigures) -> bytes:
    figure = new_figure(9.2, 4.2)
    left, right = figure.subplots(1, 2)
    for number, score in enumerate(evaluation.classes):
        found = curves(answers, number)
        if found is None:
            continue
        left.plot(*found[0], linewidth=1, label=f"{score.label} {score.roc_auc:.4f}")
        right.plot(*found[1], linewidth=1, label=f"{score.label} {score.average_precision:.4f}")
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    left.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC", xlim=(0, 1), ylim=(0, 1.01))
    right.set(xlabel="recall", ylabel="precision", title="precision and recall", xlim=(0, 1), ylim=(0, 1.01))
    for axes, place in ((left, "lower right"), (right, "lower left")):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7, loc=place)
    return png_of(figure)


def _calibration(evaluation: ClassifierFigures) -> bytes:
    figure = new_figure(5.6, 4.6)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    sure = [b.confidence for b in evaluation.calibration]
    upper.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    upper.plot(sure, [b.accuracy for b in evaluation.calibration], marker="o", markersize=4)
    upper.set(ylabel="share right", ylim=(0, 1.02), title=f"expected calibration error {evaluation.ece:.2%}")
    lower.bar(sure, [b.samples for b in evaluation.calibration], width=0.04)
    lower.set(xlabel="how sure", ylabel="samples", xlim=(0, 1.02), yscale="log")
    return png_of(figure)


def _mistakes(evaluation: ClassifierFigures, answers: Predictions, images: np.ndarray) -> bytes:
    rows = list(evaluation.mistakes[:_MISTAKES])
    lines = [rows[start : start + _COLUMNS] for start in range(0, len(rows), _COLUMNS)]

    def title(row: int) -> str:
        said, truth = answers.predicted[row], answers.targets[row]
        return f"{answers.labels[said]} {answers.probabilities[row, said]:.0%}\nis {answers.labels[truth]}"

    return tiles([images[line] for line in lines], titles=[[title(row) for row in line] for line in lines])
