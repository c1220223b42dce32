"""What manifests say of a model, as its bill of materials and its card tell it: which artifacts, how good, within which limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import MANIFEST, Artifact, Bundle, InputError, ParityReport, UnknownNameError, Verdict
from toolkit.core.free_sizes import distinct, sizes_text


@dataclass(frozen=True)
class Figure:
    """One number of a comparison with the trained model.

    Args:
        name: what it is, with its unit.
        value: itself; a share is in [0, 1].
        samples: how many it was counted on; 0 where nobody wrote it down.
        low: the lower end of its 95 % interval; None where it has none.
        high: the upper end.
    """

    name: str
    value: float
    samples: int
    low: float | None = None
    high: float | None = None


def artifacts_of(path: Path, names: Sequence[str] = ()) -> tuple[Artifact, ...]:
    """One artifact, or those of a bundle that are of one network; with `names` only these. Every file has its manifest's SHA-256.

    Raises:
        ArtifactError: there is none, or a file is missing or changed.
        InputError: one of `names` was made from another network, or names are given of a single artifact.
        UnknownNameError: the bundle has no such artifact.
    """
    if (path / MANIFEST).is_file():
        if names:
            raise InputError(f"'{path}' is one artifact", expected="a bundle to choose artifacts of", got=f"{', '.join(names)} of it")
        return (Artifact.load(path),)
    bundle = Bundle.load(path)
    strangers = bundle.strangers()
    own = {artifact.name: artifact for artifact in bundle if artifact.path not in strangers}
    for name in names:
        if name not in own:
            raise UnknownNameError("artifact", name, own)
    return tuple(Artifact.load(artifact.path) for name, artifact in own.items() if not names or name in names)


def trained_of(artifacts: Sequence[Artifact]) -> Artifact:
    """Where the others were made from, if it is among them, else the first."""
    return next((artifact for artifact in artifacts if not artifact.manifest.root), artifacts[0])


def reports_of(artifact: Artifact) -> tuple[ParityReport, ...]:
    """The evidence about these very files, one report an engine and device: compared with the trained model where that was done."""
    about = artifact.manifest
    own = [report for report in about.evidence if report.candidate == about.content_sha256]
    found: dict[tuple[str, str], ParityReport] = {}
    for report in sorted(own, key=lambda each: each.reference != about.root):
        found.setdefault((report.engine, report.device), report)
    return tuple(found.values())


def figures_of(report: ParityReport) -> tuple[Figure, ...]:
    """The numbers of a report: the task's metric and what it lost, then of each output its error, its ratio and its agreement."""
    found: list[Figure] = []
    if task := report.task:
        unit = f", {task.unit}" if task.unit else ""
        found += [
            Figure(f"{task.name}{unit if task.scale == 1 else ''}", task.candidate, task.samples),
            Figure(f"{task.name} {task.change}{unit}", task.drop, task.samples, task.drop_low, task.drop_high),
        ]
    for each in report.outputs:
        found.append(Figure(f"largest absolute error of '{each.output}'", each.max_abs, each.rows))
        if each.sqnr_db is not None:
            found.append(Figure(f"signal-to-quantization-noise ratio of '{each.output}', dB", each.sqnr_db, each.rows))
        if agreement := each.agreement:
            found.append(Figure(f"top-1 agreement of '{each.output}'", agreement.value, each.rows, agreement.low, agreement.high))
    return tuple(found)


def limits_of(artifacts: Iterable[Artifact]) -> tuple[str, ...]:
    """What the evidence does not cover, in sentences that name their artifacts: for whom relies on it."""
    found: dict[str, list[str]] = {}
    for artifact in artifacts:
        for limit in _limits(artifact):
            found.setdefault(limit, []).append(artifact.name)
    return tuple(f"{', '.join(dict.fromkeys(names))}: {limit}." for limit, names in found.items())


def _limits(artifact: Artifact) -> Iterator[str]:
    about, reports = artifact.manifest, reports_of(artifact)
    if about.root and artifact.verdict is not Verdict.PASSED:
        worst = next((report.reason for report in reports if report.verdict is artifact.verdict), "nobody has verified it")
        yield f"not passed: {worst}"
    if kept := about.calibration:
        yield f"has the ranges of {kept.samples} samples of {kept.origin}; inputs beyond these ranges are cut off"
    for report in reports:
        sizes = f", sizes {' and '.join(report.sizes)}" if report.sizes else ""
        yield f"verified in {report.engine} at batch sizes {', '.join(map(str, report.batch_sizes))}{sizes}"
        if about.precision.is_quantized and report.instruction_sets:
            there = ", ".join(report.instruction_sets)
            yield f"verified in {report.engine} on a processor with {there}; integers may give other results on one with others"


def sizes_of(artifact: Artifact) -> str:
    """The sizes that the file is made for, or may have, in one line; empty where only the batch is free."""
    signature = artifact.manifest.signature
    fixed = " or ".join(map(sizes_text, distinct(signature.sizes)))
    ranges = ", ".join(str(each) for each in signature.ranges)
    return "; ".join(part for part in (fixed, ranges) if part)
