"""How good an autoencoder is: what it loses, for which classes, and whether that tells what it has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import Artifact, InputError, Interval, Samples, class_labels, mean_interval, needs
from toolkit.core.mapped import by_parts, in_memory
from toolkit.models.training.choice import HELD_OUT

from .base import Answers, Evaluation, Table, answers_of, labels_of, pixels_of
from .drawing import SERIES, Picture, TileRow, chart, tile_of, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 10


@dataclass(frozen=True)
class ClassError:
    """The mean squared error over the images of one class, in prepared units."""

    label: str
    samples: int
    error: float


@dataclass(frozen=True)
class AutoencoderFigures:
    """``error`` is the mean squared error of a pixel in prepared units, without the class that was held out; ``anomaly_auc`` the area
    under the ROC curve of an image's error as a sign of that class; ``worst`` are the rows with the largest errors.
    """

    error: Interval
    held_out: str
    anomaly_auc: float | None
    classes: tuple[ClassError, ...]
    worst: tuple[int, ...]


def evaluate_autoencoder(artifact: Artifact, samples: Samples, *, folder: Path | None = None, **options: Any) -> Evaluation:  # noqa: ARG001
    """Evaluate an autoencoder over samples; `options` are those of `answers_of`.

    Raises:
        DataError: labels that are none of its classes.
        InputError: a network that gives back no input.
        EngineError: the engine failed.
    """
    signature = artifact.manifest.signature
    if len(signature.inputs) != 1 or signature.outputs[0].shape != signature.inputs[0].shape:
        raise InputError(f"'{artifact.name}' is no autoencoder", expected="an output of the shape of the only input", got=str(signature))
    labels = labels_of(artifact)
    known = class_labels(samples, len(labels)) if labels else None
    answers = answers_of(artifact, samples, **options)
    targets = None if known is None else known[: len(answers.samples)]
    given, back = _images(answers, artifact)
    errors = by_parts(lambda one, other: np.square(other - one).reshape(len(one), -1).mean(axis=1), given, back)
    held_out = str(artifact.manifest.details.get(HELD_OUT, ""))
    strange = np.zeros(len(errors), bool)
    if held_out in labels and targets is not None:
        strange = targets == labels.index(held_out)
    figures = AutoencoderFigures(
        error=mean_interval(errors if strange.all() else errors[~strange]),
        held_out=held_out,
        anomaly_auc=_area(strange, errors),
        classes=() if targets is None else _classes(errors, targets, labels),
        worst=tuple(int(row) for row in np.argsort(-errors, kind="stable")[:_SHOWN]),
    )
    e = figures.error
    facts = [("reconstruction error [95 %]", f"{e.value:.4f} [{e.low:.4f}, {e.high:.4f}], n={len(errors):,}")]
    if figures.anomaly_auc is not None:
        facts.append((f"ROC area, the error as a sign of '{figures.held_out}', never seen", f"{figures.anomaly_auc:.4f}"))
    rows = tuple((c.label, f"{c.samples:,}", f"{c.error:.4f}") for c in figures.classes)
    tables = (Table("Classes", ("class", "samples", "error"), rows),) if rows else ()
    return Evaluation(answers.run, figures, tuple(facts), tables, lambda: _pictures(figures, answers, artifact, errors, strange))


def _area(strange: np.ndarray, errors: np.ndarray) -> float | None:
    """Under the ROC curve; None where all images are of one kind."""
    if not 0 < strange.sum() < len(strange):
        return None
    with needs("report"):
        from sklearn.metrics import roc_auc_score
    return float(roc_auc_score(strange, errors))


def _classes(errors: np.ndarray, targets: np.ndarray, labels: tuple[str, ...]) -> tuple[ClassError, ...]:
    """Of every class that occurs."""
    own = {label: errors[targets == number] for number, label in enumerate(labels)}
    return tuple(ClassError(label, len(values), float(values.mean())) for label, values in own.items() if len(values))


def _images(answers: Answers, artifact: Artifact) -> tuple[np.ndarray, np.ndarray]:
    (given,) = answers.samples.inputs.values()
    return given, answers.outputs[artifact.manifest.signature.outputs[0].name]


def _pictures(figures: AutoencoderFigures, answers: Answers, artifact: Artifact, errors: np.ndarray, strange: np.ndarray) -> list[Picture]:
    given, back = _images(answers, artifact)
    drawn = [
        chart(
            "errors",
            "How the errors of images are distributed"
            f"{f', those of {figures.held_out!r}, never seen, by themselves' if figures.anomaly_auc is not None else ''}.",
            lambda figure, _: _histogram(figure, figures, errors, strange),
            size=(9.4, 3.6),
            wide=True,
        )
    ]
    even = np.linspace(0, len(given) - 1, min(_SHOWN, len(given))).astype(int)
    worst = np.array(figures.worst)
    for name, caption, chosen in (
        ("reconstructions", "Images from all over the set, and below them their reconstructions.", even),
        ("worst", "The images of which most was lost, and below them their reconstructions.", worst),
    ):
        shown = in_memory(given, chosen)
        scale = float(shown.min()), float(shown.max())
        seen, returned = (pixels_of(each, artifact, like=scale) for each in (shown, in_memory(back, chosen)))
        if seen is not None and returned is not None:
            drawn.append(tiles(name, caption, [TileRow("", tuple(map(tile_of, seen, returned)))], layers=("image", "reconstruction")))
    return drawn


def _histogram(figure: Figure, figures: AutoencoderFigures, errors: np.ndarray, strange: np.ndarray) -> None:
    axes = figure.add_subplot()
    parts = {"images": errors}
    if figures.anomaly_auc is not None:
        parts = {"learned": errors[~strange], f"{figures.held_out}, never seen": errors[strange]}
    edges = np.linspace(0, float(np.quantile(errors, 0.999)) or 1.0, 60)
    for colour, (name, values) in zip(SERIES, parts.items(), strict=False):
        axes.hist(values, bins=list(edges), alpha=0.7, density=True, label=name, color=colour)
    axes.set(xlabel="mean squared error of an image", ylabel="density", yticks=[])
    axes.legend(frameon=False)
