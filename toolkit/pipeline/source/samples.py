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
    Bundle,
    DataError,
    Manifest,
    Preprocessing,
    Samples,
    noise,
)
from toolkit.models.data import all_data
from toolkit.runtimes.parity import drawn
from toolkit.tasks import Limits, check_targets, find_task

from ..data import Found, Given, Wanted, as_given, fair_order, find_reader
from .remembered import limits_for, remembered
from .sizing import Sizing, range_ends, with_samples

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
        labels: the names of the classes, as the data tell them.
        preprocessing: how the data were prepared; None where they do not tell.
    """

    calibration: Samples
    evaluation: Samples
    twin: Samples | None = None
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None


def split_samples(
    artifact: Artifact,
    data: str | Given | None,
    *,
    folder: Path | None = None,
    calibration: int = CALIBRATION_SAMPLES,
    evaluation: int | None = None,
    only_judged: bool = False,
    may_draw: bool = False,
    limits: Limits | None = None,
    sizing: Sizing | None = None,
) -> Split:
    """Calibration samples and evaluation samples of what a user names.

    Args:
        data: anything that a reader in `toolkit.pipeline.data` knows, or None for the samples with which the artifact's bundle was made, or
            else the set that the model was trained on; for a generator that is noise. Where the data name parts of their own, the training
            part calibrates; else the rows are divided at random but seeded, each class in its share: a fifth, at most `calibration` rows,
            calibrates, and as many others may calibrate a twin.
        evaluation: at most so many test samples; None means all.
        only_judged: nothing is calibrated now, so that all rows verify unless these data have calibrated the artifact's bundle, whose rows
            for that are kept apart as then, and the others say so.
        limits: name the task or the metric that targets are for; by default what the bundle, the artifact or the targets themselves say.
        sizing: what the user says of sizes now; the samples must have one of those.
        may_draw: where no data are named or known, take random inputs, which ``Split.evaluation.drawn`` tells.

    Raises:
        DataError: no data are named or known, they are empty, or do not fit the model's inputs or the classes of its outputs.
        InputError: they have other sizes than the user fixes.
    """
    limits = limits or limits_for(Limits(), artifact.path.parent)[0]
    manifest = artifact.manifest
    given = as_given(data) or _remembered(artifact) or as_given(manifest.data)
    if data is None and _draws_noise(manifest):
        classes = manifest.details.get("classes", 1)
        if not isinstance(classes, int) or classes < 1:
            raise ArtifactError(f"'{artifact.path}' says nonsense of its classes", expected="a number from 1 on", got=repr(classes))
        first = noise(manifest.signature, calibration, classes=classes, seed=0)
        rest = noise(manifest.signature, evaluation or NOISE_SAMPLES, classes=classes, seed=1)
        return Split(first, rest)
    if given is None and may_draw:
        sizes = next(iter(range_ends(manifest.signature)), {}) | next(iter(manifest.signature.fixes), {})
        first, rest = (drawn(manifest.signature, batch=DRAWN_SAMPLES, seed=seed, sizes=sizes) for seed in (1, 2))
        return Split(first, rest)
    if given is None:
        known = ", ".join(d.name for d in all_data())
        raise DataError(f"no data are known for '{manifest.model}'", hint=f"add --data with a .npz file or one of: {known}")
    wanted = Wanted(
        signature=manifest.signature,
        labels=manifest.labels,
        preprocessing=manifest.preprocessing,
        calibration=calibration,
        evaluation=evaluation,
        folder=folder,
    )
    found = find_reader(given.word).read(given, wanted)
    # Readers know nothing of what no sample says, such as the start of a state.
    if manifest.signature.values:
        tests = None if found.tests is None else found.tests.fit(manifest.signature)
        found = replace(found, samples=found.samples.fit(manifest.signature), tests=tests)
    with_samples(manifest.signature, found.samples, sizing or Sizing())
    for part in (found.samples, found.tests):
        if part is not None:
            check_targets(manifest, part, task=limits.task, metric=limits.metric)
    if only_judged:
        calibration = _calibrated(artifact, given.word, found.samples.origin, calibration)
    first, rest, twin = _divided(found, given.word, calibration, evaluation)
    if only_judged and len(first) and found.tests is None:
        rest = replace(rest, notes=(*rest.notes, f"{len(first):,} more of {rest.origin} calibrate in this bundle, and judge nothing"))
    return Split(first, rest, twin, found.labels, found.preprocessing)


def _divided(found: Found, word: str, calibration: int, evaluation: int | None) -> tuple[Samples, Samples, Samples | None]:
    """What calibrates, what verifies, and what of that may calibrate a twin; `calibration` is 0 where nothing does."""
    rows, tests = found.samples, found.tests
    if tests is None:
        if calibration and len(rows) < 2:
            expected = "at least 2 rows, to calibrate on one and to evaluate on another"
            raise DataError(f"samples '{word}'", expected=expected, got=str(len(rows)))
        rows = rows if found.ordered else rows.rows(fair_order(len(rows), rows.targets))
        calibration = min(calibration, max(1, len(rows) // 5))
    rest = (rows.rows(slice(calibration, None)) if tests is None else tests).rows(slice(evaluation))
    first = rows.rows(slice(calibration)).without(rest)
    if calibration and not len(first):
        raise DataError(f"every calibration sample of '{word}' is also an evaluation sample", hint="give more different samples")
    twin = rows.rows(slice(calibration, 2 * calibration)).without(first).rows(slice(len(first))) if tests is None else None
    return first, rest, twin


def knows_data(artifact: Artifact) -> bool:
    """Whether `split_samples` needs no ``data`` for this artifact; raises `DataError` as it does."""
    return bool(_remembered(artifact) or artifact.manifest.data or _draws_noise(artifact.manifest))


def _calibrated(artifact: Artifact, word: str, origin: str, usual: int) -> int:
    """How many of the samples `word`, which come from `origin`, calibrated something in the bundle of `artifact`: as its artifacts say,
    where the bundle has travelled too; the `usual` number where it remembers those samples and nothing says how many, 0 where it does not.
    """
    bundle = artifact.path.parent
    try:
        records = [each.manifest.calibration for each in (artifact, *(Bundle(bundle) if bundle.is_dir() else ()))]
    except ArtifactError:  # One that cannot be asked may have been calibrated by them.
        return usual
    counts = [record.samples for record in records if record is not None and record.origin == origin]
    return max(counts) if counts else usual * (remembered(bundle).data == find_reader(word).absolute(word))


def _draws_noise(manifest: Manifest) -> bool:
    """Whether noise is what such a network takes."""
    return bool(manifest.task) and find_task(manifest.task).samples == NOISE


def _remembered(artifact: Artifact) -> Given | None:
    """What the bundle of `artifact` remembers of its samples; nothing where it does not. Raises `DataError` when they are gone."""
    known = remembered(artifact.path.parent)
    if not known.data:
        return None
    # An earlier version kept no path of its own, but knew files only.
    path = known.path or (known.data if Path(known.data).is_absolute() else "")
    if path and not Path(path).exists():
        raise DataError(f"the samples that this bundle was made with are gone: '{path}'", hint="name others: --data FILE")
    return Given(
        word=known.data,
        prepare=known.prepare,
        columns=known.columns,
        target=known.target,
        max_samples=known.max_samples,
        root=known.root,
    )


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
