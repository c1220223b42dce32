"""Samples that a user names, in two parts: what fixes integer ranges, and what verifies the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.core import (
    NOISE,
    Artifact,
    ArtifactError,
    DataError,
    Samples,
    Signature,
    noise,
)
from toolkit.models.data import all_data, find_data
from toolkit.runtimes.parity import Limits, drawn
from toolkit.tasks import check_targets

from .remembered import SAMPLE_FILES, limits_for, remembered

CALIBRATION_SAMPLES = 512
NOISE_SAMPLES = 2000
DRAWN_SAMPLES = 64


@dataclass(frozen=True)
class Split:
    """Real samples: what may fix integer ranges, and what verifies the result. No row is in both.

    Args:
        calibration: fixes integer ranges.
        evaluation: verifies the result.
        twin: as many other rows of the same file, which may calibrate a second artifact that verifies by ``calibration``; None where those
            must not verify, as the rows of a training that a network has learned from.
    """

    calibration: Samples
    evaluation: Samples
    twin: Samples | None = None


def split_samples(
    artifact: Artifact,
    data: str | None,
    *,
    folder: Path | None = None,
    calibration: int = CALIBRATION_SAMPLES,
    evaluation: int | None = None,
    may_draw: bool = False,
    limits: Limits | None = None,
) -> Split:
    """Calibration samples from the training part and evaluation samples from the test part of a data set.

    Args:
        data: a data set's name, a ``.npz`` or ``.npy`` file, or None for the samples with which the artifact's bundle was made, or else
            the set that the model was trained on; for a generator that is noise. A file's rows are divided at random but seeded: a fifth,
            at most `calibration` rows, calibrates, and as many others may calibrate a twin.
        evaluation: at most so many test samples; None means all.
        limits: name the task or the metric that targets are for; by default what the bundle, the artifact or the targets themselves say.
        may_draw: where no data are named or known, take random inputs, which ``Split.evaluation.drawn`` tells.

    Raises:
        DataError: no data are named or known, they are empty, or do not fit the model's inputs or the classes of its outputs.
    """
    limits = limits or limits_for(Limits(), artifact.path.parent)[0]
    name = data or _remembered(artifact) or artifact.manifest.data
    twin: Samples | None = None
    details, signature = artifact.manifest.details, artifact.manifest.signature
    if data is None and details.get("samples") == NOISE:
        classes = details.get("classes", 1)
        if not isinstance(classes, int) or classes < 1:
            raise ArtifactError(f"'{artifact.path}' says nonsense of its classes", expected="a number from 1 on", got=repr(classes))
        first = noise(signature, calibration, classes=classes, seed=0)
        rest = noise(signature, evaluation or NOISE_SAMPLES, classes=classes, seed=1)
        return Split(first, rest)
    if not name and may_draw:
        return Split(*(drawn(artifact.manifest.signature, batch=DRAWN_SAMPLES, seed=seed) for seed in (1, 2)))
    if not name:
        known = ", ".join(d.name for d in all_data())
        raise DataError(f"no data are known for '{artifact.manifest.model}'", hint=f"add --data with a .npz file or one of: {known}")
    if Path(name).suffix in SAMPLE_FILES:
        rows = Samples.load(Path(name)).fit(signature)
        check_targets(artifact.manifest, rows, task=limits.task, metric=limits.metric)
        order = np.random.default_rng(0).permutation(len(rows))
        count = max(1, min(calibration, len(rows) // 5))
        if len(rows) < 2:
            raise DataError(
                f"samples '{name}'", expected="at least 2 rows, to calibrate on one and to evaluate on another", got=str(len(rows))
            )
        first, rest = rows.rows(np.sort(order[:count])), rows.rows(np.sort(order[count:]))
        twin = rows.rows(np.sort(order[count : 2 * count]))
    else:
        dataset = find_data(name)
        first = _labelled(dataset.load("train", folder, rows=slice(calibration)), signature).fit(signature)
        rest = _labelled(dataset.load("test", folder, rows=slice(evaluation)), signature).fit(signature)
        check_targets(artifact.manifest, first, task=limits.task, metric=limits.metric)
        check_targets(artifact.manifest, rest, task=limits.task, metric=limits.metric)
    if evaluation is not None:
        rest = rest.rows(slice(0, evaluation))
    first = first.without(rest)
    if not len(first):
        raise DataError(f"every calibration sample of '{name}' is also an evaluation sample", hint="give more different samples")
    return Split(first, rest, None if twin is None else twin.without(first).rows(slice(len(first))))


def _labelled(samples: Samples, signature: Signature) -> Samples:
    """With the labels as an input where the model takes them."""
    wanted = {spec.name for spec in signature.inputs} - set(samples.inputs)
    if wanted != {"label"} or samples.targets is None:
        return samples
    return replace(samples, inputs={**samples.inputs, "label": samples.targets})


def knows_data(artifact: Artifact) -> bool:
    """Whether `split_samples` needs no ``data`` for this artifact; raises `DataError` as it does."""
    return bool(_remembered(artifact) or artifact.manifest.data or artifact.manifest.details.get("samples") == NOISE)


def _remembered(artifact: Artifact) -> str:
    """By what name the bundle of `artifact` remembers its samples; nothing where it does not. Raises `DataError` when the file is gone."""
    known = remembered(artifact.path.parent).data
    if Path(known).is_absolute() and not Path(known).is_file():
        raise DataError(f"the samples that this bundle was made with are gone: '{known}'", hint="name others: --data FILE")
    return known


def read_inputs(words: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays from ``[NAME=]FILE`` words, by input name; a single unnamed ``.npy`` has the name ``""``. Raises `DataError`."""
    arrays: dict[str, np.ndarray] = {}
    for word in words:
        name, _, file = word.rpartition("=")
        content = Samples.load(Path(file)).inputs
        if name and set(content) != {""}:
            raise DataError(f"'{file}' holds several arrays", expected="a .npy for a named input", hint="give the .npz without a name")
        arrays.update({name: content[""]} if name else content)
    return arrays
