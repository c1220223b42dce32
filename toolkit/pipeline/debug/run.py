"""The debugger's own process: what is compared on what, and the folder that is left."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    DataError,
    Format,
    InputError,
    Samples,
    Signature,
    new_folder,
    run_isolated,
)
from toolkit.core.files import storage_errors
from toolkit.core.free_sizes import sizes_text
from toolkit.runtimes.parity import drawn

from ..data import Given
from ..source.resolve import resolve_source
from ..source.samples import split_samples
from ..source.sizing import Sizing
from .finding import Finding
from .page import PAGE, render
from .rule import layer_rule
from .task import Compared, Model, Task


@dataclass(frozen=True)
class Inputs:
    """What both networks are given: `rounds` sets of `batch` rows, of ``data`` or random ones from `seed`."""

    data: str | Given | None = None
    data_dir: Path | None = None
    rounds: int = 4
    batch: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Chosen:
    """What is compared: the reference with its model file, the candidate, and what is to be said about the candidate's files."""

    reference: Artifact
    file: Path
    candidate: Artifact
    notes: tuple[str, ...] = ()


def chosen(source: str, artifact: str, *, sizing: Sizing | None = None) -> Chosen:
    """The reference and the candidate that two words name, both at the sizes that one of them has fixed.

    Args:
        source: a bundle, an artifact's folder or a model file.
        artifact: an artifact's folder, or its name inside the bundle. Files that are not those of its manifest are accepted: they may be
            what is to be found.
        sizing: at which of several sizes; those that the artifact was made for first by default.

    Raises:
        InputError: nothing there, two networks with other inputs or outputs, or sizes that the candidate does not take.
    """
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        reference = resolve_source(source, out=Path(folder), sizing=sizing).artifact
    # For a bare model file an artifact is only planned.
    file = Path(source) if Path(source).is_file() else reference.model_file
    path = Path(source) / artifact if (Path(source) / artifact / MANIFEST).is_file() else Path(artifact)
    candidate = Artifact.load(path, verify=False)
    if candidate.manifest.format is Format.PT2:
        raise InputError(f"'{path}' is not converted", expected="an artifact in another format than the trained model's", got=Format.PT2)
    reference, candidate = _at_one_size(reference, candidate, sizing or Sizing())
    kinds = [_kind(each.manifest.signature) for each in (reference, candidate)]
    if kinds[0] != kinds[1]:
        raise InputError(f"'{path}' is another network", expected=kinds[0], got=kinds[1], hint="name the model that it was made from")
    try:
        candidate.verify_files()
    except ArtifactError as error:
        return Chosen(reference, file, candidate, (error.problem,))
    return Chosen(reference, file, candidate)


def _at_one_size(reference: Artifact, candidate: Artifact, sizing: Sizing) -> tuple[Artifact, Artifact]:
    """Both with numbers for the sizes that are free in the reference: those asked for, else those that the candidate has."""
    free, own = reference.manifest.signature.free, candidate.manifest.signature
    pairs = zip(reference.manifest.signature.inputs, own.inputs, strict=False)
    known = {a: b for one, other in pairs for a, b in zip(one.shape, other.shape, strict=False) if a in free and isinstance(b, int)}
    able = [known] if known else [dict(sizes) for sizes in own.sizes]
    asked = sizing.fixes[0] if sizing.fixes else next(iter(able), {})
    if able and not any(sizes == {**sizes, **asked} for sizes in able):
        expected = f"sizes of '{candidate.name}': {' or '.join(map(sizes_text, able))}"
        raise InputError(f"--fix {sizes_text(asked)}", expected=expected, got="others")
    return _numbered(reference, asked), _numbered(candidate, asked)


def _numbered(artifact: Artifact, sizes: Mapping[str, int]) -> Artifact:
    manifest = artifact.manifest
    return replace(artifact, manifest=replace(manifest, signature=manifest.signature.fixed(sizes)))


def debug(what: Chosen, *, inputs: Inputs, out: Path | None = None) -> Finding:
    """Compare the intermediate values of a candidate with those of its reference, in a process of its own.

    Args:
        what: the two.
        inputs: what both are given.
        out: the folder for the page, the figures and the reproduction; it appears whole or not at all.

    Raises:
        ToolkitError: inputs that do not fit, a format whose values cannot be seen, an engine that failed.
    """
    reference, candidate = what.reference, what.candidate
    samples = _samples(reference, inputs)
    with tempfile.TemporaryDirectory(prefix="toolkit-debug-") as name:
        samples.save(Path(name) / "inputs.npz")
        answer = run_isolated(
            "toolkit.pipeline.debug.task:debug_task",
            Task(
                reference=Model(str(what.file.resolve()), reference.manifest.format, reference.manifest.signature),
                candidate=Model(str(candidate.model_file.resolve()), candidate.manifest.format, candidate.manifest.signature),
                precision=candidate.manifest.precision,
                batch=inputs.batch,
                folder=name,
            ),
            timeout_s=3600.0,
            environment={"TF_CPP_MIN_LOG_LEVEL": "2", "ORT_DISABLE_TELEMETRY": "1"},
        )
        finding = _finding(msgspec.convert(answer, Compared), what, samples)
        if out is not None:
            _write(finding, Path(name) / "reproduction", out)
    return finding


def _finding(found: Compared, what: Chosen, samples: Samples) -> Finding:
    reference, candidate = what.reference, what.candidate
    return Finding(
        model=reference.manifest.model,
        reference=reference.name,
        candidate=candidate.name,
        precision=candidate.manifest.precision,
        rule=layer_rule(candidate.manifest.precision).text,
        inputs=f"{len(samples)} rows, {samples.origin}",
        layers=found.layers,
        divergences=found.divergences,
        unmatched=found.unmatched,
        unseen=found.unseen,
        notes=(*what.notes, *samples.notes, *found.notes),
    )


def _write(finding: Finding, reproduction: Path, out: Path) -> None:
    page = render(finding)
    with new_folder(out) as work, storage_errors(out):
        (work / PAGE).write_text(page)
        (work / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(finding)) + b"\n")
        if reproduction.is_dir():
            shutil.copytree(reproduction, work / "reproduction")


def _samples(reference: Artifact, inputs: Inputs) -> Samples:
    """Whole batches of real or random rows."""
    signature = reference.manifest.signature
    wanted = inputs.rounds * inputs.batch
    if inputs.data is not None:
        rows = split_samples(reference, inputs.data, folder=inputs.data_dir, evaluation=wanted).evaluation
        whole = len(rows) // inputs.batch * inputs.batch
        if not whole:
            raise DataError(f"samples '{rows.origin}'", expected=f"at least a batch of {inputs.batch}", got=f"{len(rows)} rows")
        return rows.rows(slice(0, whole))
    return drawn(signature, batch=inputs.batch, rounds=inputs.rounds, seed=inputs.seed, samples=_range(reference))


def _range(reference: Artifact) -> Samples | None:
    """Two rows with the smallest and the largest value that the preprocessing can give, which random inputs shall keep to: a calibrated
    network promises nothing outside; None where it is unknown.
    """
    manifest = reference.manifest
    about = manifest.preprocessing
    if about is None or len(manifest.signature.inputs) != 1:
        return None
    (spec,) = manifest.signature.inputs
    if about.vocabulary is not None:
        low, high = 0.0, float(about.vocabulary.tokens - 1)
    elif spec.dtype == "float32" and all(about.std):
        largest = 255 * about.scale if about.size else 1  # Of pixels from 0 to 255.
        low = min((0 - mean) / deviation for mean, deviation in zip(about.mean, about.std, strict=True))
        high = max((largest - mean) / deviation for mean, deviation in zip(about.mean, about.std, strict=True))
    else:
        return None
    shape = spec.concrete(1)[1:]
    return Samples({spec.name: np.stack([np.full(shape, value, spec.dtype) for value in (low, high)])})


def _kind(signature: Signature) -> str:
    """Types and shapes in order, without names, which a bare .pt2 file does not keep."""
    parts = [
        ", ".join(f"{spec.dtype}[{','.join('?' if isinstance(size, str) else str(size) for size in spec.shape)}]" for spec in specs)
        for specs in (signature.inputs, signature.outputs)
    ]
    return f"({parts[0]}) -> ({parts[1]})"
