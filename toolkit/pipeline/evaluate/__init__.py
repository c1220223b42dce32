"""How good a deployed artifact is on real samples: what its engine answers, not what the training net would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, DataError, InputError, Samples

from .autoencoder import evaluate_autoencoder, is_autoencoder
from .base import EvaluatedRun, Evaluation, Table
from .classifier import classes_of, evaluate_classifier, is_classifier
from .drawing import Picture
from .generator import evaluate_generator, is_generator

__all__ = ["EvaluatedRun", "Evaluation", "Picture", "Table", "evaluate", "with_labels"]


def with_labels(artifact: Artifact, labels: Sequence[str]) -> Artifact:
    """The artifact with these names of its classes; raises `InputError` where they are not as many as its answers."""
    classes = classes_of(artifact)
    if classes is not None and len(labels) != classes:
        raise InputError("--labels", expected=f"{classes} names, one for each class", got=f"{len(labels)}: {', '.join(labels[:5])}")
    return replace(artifact, manifest=replace(artifact.manifest, labels=tuple(labels)))


def evaluate(artifact: Artifact, samples: Samples, *, folder: Path | None = None, **options: Any) -> Evaluation:
    """Evaluate an artifact over samples in a process of its own, and judge its answers as those of its kind.

    Args:
        artifact: a classifier, an autoencoder or a generator.
        samples: a classifier's with an integer target for each row.
        folder: where the user keeps the data set; a generator's images are compared with it.
        options: ``engine``, by default the first installed one that runs the artifact; ``device`` by name; ``log``, where the engine's
            own words go.

    Raises:
        DataError: samples that do not fit, or an artifact of no kind that this knows.
        EngineError: the engine failed, or gave NaN or infinity.
    """
    if is_generator(artifact):
        return evaluate_generator(artifact, samples, folder=folder, **options)
    if is_autoencoder(artifact):
        return evaluate_autoencoder(artifact, samples, **options)
    if is_classifier(artifact):
        return evaluate_classifier(artifact, samples, **options)
    raise DataError(
        f"'{artifact.name}' is no classifier, no autoencoder and no generator",
        expected="one output [batch, classes], or images for images or for noise",
        got=", ".join(map(str, artifact.manifest.signature.outputs)),
        hint="toolkit verify compares any outputs",
    )
