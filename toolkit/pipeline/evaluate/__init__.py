"""How good a deployed artifact is on real samples: what its engine answers, not what the training net would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, DataError, InputError, Samples
from toolkit.tasks import Limits, find_task, is_users, task_for

from .autoencoder import evaluate_autoencoder
from .base import EvaluatedRun, Evaluation, Table
from .by_task import evaluate_task
from .classifier import classes_of, evaluate_classifier
from .drawing import Picture
from .generator import evaluate_generator

__all__ = ["EvaluatedRun", "Evaluation", "Picture", "Table", "evaluate", "with_labels"]

_MORE: Mapping[str, Callable[..., Evaluation]] = {
    "autoencoding": evaluate_autoencoder,
    "classification": evaluate_classifier,
    "generation": evaluate_generator,
}
"""What is told of some tasks beside their metrics: confusion, calibration and curves, distances, what never was seen."""


def with_labels(artifact: Artifact, labels: Sequence[str]) -> Artifact:
    """The artifact with these names of its classes; raises `InputError` where they are not as many as its answers."""
    classes = classes_of(artifact)
    if classes is not None and len(labels) != classes:
        raise InputError("--labels", expected=f"{classes} names, one for each class", got=f"{len(labels)}: {', '.join(labels[:5])}")
    return replace(artifact, manifest=replace(artifact.manifest, labels=tuple(labels)))


def evaluate(
    artifact: Artifact, samples: Samples, *, folder: Path | None = None, limits: Limits | None = None, **options: Any
) -> Evaluation:
    """Evaluate an artifact over samples in a process of its own, and judge its answers as those of its task.

    Args:
        artifact: a network of any task, a generator or an autoencoder.
        samples: with the targets that the task wants; a generator's and an autoencoder's need none.
        folder: where the user keeps the data set; a generator's images are compared with it.
        limits: name the task or the metric; by default what the artifact or the targets say.
        options: ``engine``, by default the first installed one that runs the artifact; ``device`` by name; ``log``, where the engine's
            own words go.

    Raises:
        DataError: samples that do not fit, or nothing that says what the outputs mean.
        EngineError: the engine failed, or gave NaN or infinity.
    """
    limits = limits or Limits()
    if is_users(limits.metric):
        return evaluate_task(artifact, samples, None, limits, **options)
    task, metric = task_for(artifact.manifest, samples.targets, task=limits.task, metric=limits.metric)
    if task is None and classes_of(artifact) is not None:
        task = find_task("classification")  # Its words say what is wrong with the targets.
    more = _MORE.get(task.name) if task is not None and limits.metric in {"", *task.metric_names[:1]} else None
    if more is evaluate_classifier and classes_of(artifact) is None:
        more = None  # Several outputs, or classes that the signature does not count: its metrics alone.
    if more is not None:
        return more(artifact, samples, folder=folder, **options)
    if task is not None and metric is not None:
        return evaluate_task(artifact, samples, task, limits, **options)
    raise DataError(
        f"nothing says what the outputs of '{artifact.name}' mean",
        expected="--task (docs/tasks.md), --metric, or samples with targets that only one task has",
        got=", ".join(map(str, artifact.manifest.signature.outputs)),
        hint="toolkit verify compares any outputs",
    )
