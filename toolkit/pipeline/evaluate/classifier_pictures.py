"""What a classifier's evaluation looks like: confusion, curves, calibration and the worst mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import POINTS, Artifact, wilson
from toolkit.core.evidence import value_text

from ..report.plot import INK, MUTED, power_of_ten
from .base import pixels_of
from .classifier_figures import ClassifierFigures, Predictions, curves
from .drawing import SERIES, Picture, TileRow, chart, short, tile_of, tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MISTAKES = 24
_MOST_NUMBERS = 16  # classes beyond which a matrix has no room for counts
_MOST_NAMES = 24  # and ticks, of which every second, third ... is named beyond
_MOST_CURVES = len(SERIES)
_FILL, _STRONGEST = "#3b6fd4", 0.6  # so that a count is read on it, in the dark too


def pictures(evaluation: ClassifierFigures, answers: Predictions, artifact: Artifact) -> list[Picture]:
    """Every picture that these samples allow; the mistakes are drawn where the input is an image."""
    drawn = [
        chart(
            "confusion",
            "Of each class's samples, the share that was predicted as each class: the stronger the colour, the larger the share; "
            "counts where there is room.",
            lambda figure, narrow: _confusion(figure, evaluation, narrow=narrow),
            size=(6.4, 5.6),
            narrow=(4.4, 4.4),
        ),
        chart(
            "calibration",
            "Accuracy by confidence with its 95 % interval: on the diagonal the network is right as often as it claims. Below, how "
            f"many samples have which confidence. Calibration error (ECE) {value_text(evaluation.ece, POINTS)}.",
            lambda figure, _: _calibration(figure, evaluation),
            size=(6.4, 5.6),
            narrow=(4.4, 4.6),
        ),
        chart(
            "curves",
            f"ROC and precision-recall curves, each class against all others, with their areas{_which(evaluation)}.",
            lambda figure, narrow: _curves(figure, answers, evaluation, narrow=narrow),
            size=(9.4, 4.4),
            narrow=(4.4, 8.2),
            wide=True,
        ),
    ]
    (inputs, *others) = answers.samples.inputs.values()
    images = None if others else pixels_of(inputs, artifact)
    if images is not None and evaluation.mistakes:
        drawn.append(tiles("mistakes", "The wrong answers of the highest confidence.", [_mistakes(evaluation, answers, images)]))
    return drawn


def _confusion(figure: Figure, evaluation: ClassifierFigures, *, narrow: bool) -> None:
    from matplotlib.patches import Rectangle

    counts = np.array(evaluation.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [short(score.label) for score in evaluation.classes]
    count = len(labels)
    axes = figure.add_subplot()
    axes.set(xlabel="predicted", ylabel="actual", xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    for row, column in np.argwhere(counts):
        share = shares[row, column]
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=_FILL, alpha=max(0.05, _STRONGEST * share), linewidth=0))
        if count <= _MOST_NUMBERS:
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=8)
    named = range(0, count, -(-count // (_MOST_NAMES // 2 if narrow else _MOST_NAMES)))
    words = [labels[number] for number in named]
    axes.set_xticks(named, words, rotation=90 if max(map(len, words)) > 2 else 0)
    axes.set_yticks(named, words)


def _shown(evaluation: ClassifierFigures) -> list[int]:
    """The classes with both kinds of samples whose curves have a colour: all, or those with the smallest areas."""
    known = [number for number, score in enumerate(evaluation.classes) if score.roc_auc is not None]
    return sorted(sorted(known, key=lambda number: evaluation.classes[number].roc_auc or 0.0)[:_MOST_CURVES])


def _which(evaluation: ClassifierFigures) -> str:
    known = sum(score.roc_auc is not None for score in evaluation.classes)
    return f"; the {_MOST_CURVES} classes with the smallest areas in colour" if known > _MOST_CURVES else ""


def _curves(figure: Figure, answers: Predictions, evaluation: ClassifierFigures, *, narrow: bool) -> None:
    roc, recall = figure.subplots(2, 1) if narrow else figure.subplots(1, 2)
    shown = dict(zip(_shown(evaluation), SERIES, strict=False))
    for number, score in enumerate(evaluation.classes):
        found = curves(answers, number)
        if found is None:
            continue
        for axes, curve, area in ((roc, found[0], score.roc_auc), (recall, found[1], score.average_precision)):
            if number in shown:
                axes.plot(*curve, linewidth=1.2, color=shown[number], label=f"{short(score.label)}: {area:.4f}")
            else:
                axes.plot(*curve, linewidth=0.6, color=MUTED, alpha=0.5, zorder=1)
    roc.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
    roc.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    recall.set(xlabel="recall", ylabel="precision", title="Precision and recall")
    for axes, place in ((roc, "lower right"), (recall, "lower left")):
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, loc=place, frameon=False)


def _calibration(figure: Figure, evaluation: ClassifierFigures) -> None:
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    confidence = [b.confidence for b in evaluation.calibration]
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=":")
    found = [wilson(round(b.accuracy * b.samples), b.samples) for b in evaluation.calibration]
    arms = [[f.value - f.low for f in found], [f.high - f.value for f in found]]
    upper.errorbar(confidence, [f.value for f in found], yerr=arms, marker="o", markersize=4, color=INK, ecolor=MUTED, elinewidth=1)
    upper.set(ylabel="accuracy", ylim=(0, 1.04))
    lower.bar(confidence, [b.samples for b in evaluation.calibration], width=0.04, color=SERIES[0])
    lower.set(xlabel="confidence", ylabel="samples", xlim=(0, 1.02))
    _count_axis(lower, max(b.samples for b in evaluation.calibration))


def _count_axis(axes: Axes, most: int) -> None:
    """Logarithmic counts, at most four ticks: 1, 10, 100 ..."""
    powers = int(np.ceil(np.log10(most + 1)))
    axes.set_yscale("log")
    axes.set_ylim(0.7, 1.3 * 10**powers)
    axes.set_yticks([10.0**power for power in range(0, powers + 1, -(-(powers + 1) // 4))])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value < 1e5 else power_of_ten(value))
    axes.minorticks_off()


def _mistakes(evaluation: ClassifierFigures, answers: Predictions, images: np.ndarray) -> TileRow:
    def words(row: int) -> tuple[str, ...]:
        predicted, actual = answers.predicted[row], answers.targets[row]
        return (
            f"predicted {answers.labels[predicted]}",
            f"actual {answers.labels[actual]}",
            f"confidence {100 * answers.probabilities[row, predicted]:.0f}\N{NO-BREAK SPACE}%",
        )

    return TileRow("", tuple(tile_of(images[row], words=words(row)) for row in evaluation.mistakes[:_MISTAKES]))
