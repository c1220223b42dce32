"""Checking: on the device, with the engines that are there, against the answers that travelled with the artifacts."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from toolkit.core import (
    Artifact,
    ArtifactError,
    Bundle,
    InputError,
    ParityReport,
    Samples,
    StorageError,
    ToolkitError,
    decode_json,
    read_arrays,
    read_file,
    sha256_of,
)
from toolkit.core.measurement import BenchmarkReport, Measurement, Protocol
from toolkit.runtimes.parity import Observation, judge, observe

from ..benchmark import BundleInterrupted, Plan, benchmark_bundle
from ..progress import OnCount
from ..verify import engines_for, evidence_key, kept_evidence
from .contents import CONTENTS, EXPECTED, INPUTS, SCHEMA, Contents
from .keys import PublicKey, trusted_keys
from .signature import opened

_MADE_BY = "a file that `toolkit bundle` wrote"


def check(
    file: Path,
    *,
    engines: Sequence[str] = ("all",),
    device: str = "cpu",
    threads: tuple[int, ...] | None = None,
    protocol: Protocol | None = None,
    before: Callable[[str], BenchmarkReport | None] | None = None,
    trust: Path | None = None,
    on_signature: Callable[[str], None] | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_progress: OnCount | None = None,
) -> BenchmarkReport:
    """Verify and measure each artifact of a field bundle in every engine that is installed here.

    The report's parity is this device's; on the CPU it is kept, and the same file is not verified twice. An artifact that no engine here
    runs is a row with its reason.

    Args:
        file: what `pack` wrote.
        engines: names of engines; "all" among them means all that are installed.
        device: cpu, gpu, npu or auto.
        threads: thread counts; None means all that this process may use.
        protocol: how long and how often is measured.
        before: called with the model's name: the report of an interrupted check of it, as `benchmark_bundle` takes one.
        trust: a public key or a folder of them: a file that none of their owners signed, or that was changed since, is not opened.
        on_signature: called with what is known of the file's signature, before it is unpacked.
        on_plan: called with what will be measured, before the first round.
        on_progress: called after each verification and each round.

    Raises:
        BundleInterrupted: Ctrl-C while it was measured; holds the partial report.
        ArtifactError: the file is no field bundle, or was changed.
        TrustError: no owner of a trusted key signed it as it is.
        StorageError: there is no room to unpack it.
        UnknownNameError: no engine or device has such a name.
    """
    report: OnCount = on_progress or (lambda _what, _done, _total: None)
    keys = trusted_keys(trust) if trust else None
    with tempfile.TemporaryDirectory(prefix="toolkit-check-") as name:
        folder = Path(name)
        packed = read_packed(file, folder, keys=keys, on_signature=on_signature)
        contents, samples, expected, artifacts = packed.contents, packed.samples, packed.expected, packed.artifacts
        bundle = Bundle.load(folder)
        problems: dict[tuple[str, str], str] = {}
        pairs = [(artifact, engine) for artifact in artifacts for engine in _able(artifact, engines)]
        reports: dict[str, list[ParityReport]] = {}
        for done, (artifact, engine) in enumerate(pairs):
            report(f"verifying {artifact.name} in {engine}", done, len(pairs))
            key = [*evidence_key(artifact, engine, samples, contents.limits), contents.reference, contents.expected_sha256]

            def judged(artifact: Artifact = artifact, engine: str = engine) -> list[ParityReport]:
                found = observe(artifact, engine, samples, device=device)
                return [judge(artifact, found, expected, samples, limits=contents.limits)]

            try:
                reports.setdefault(artifact.name, []).extend(kept_evidence(key if device == "cpu" else None, judged))
            except ToolkitError as error:
                problems[artifact.name, engine] = str(error)
        for artifact in artifacts:
            artifact.with_evidence(tuple(reports.get(artifact.name, ())))

        def told(measured: BenchmarkReport) -> BenchmarkReport:
            return replace(measured, model=contents.model, measurements=tuple(_told(row, problems) for row in measured.measurements))

        try:
            return told(
                benchmark_bundle(
                    bundle,
                    samples,
                    protocol=protocol,
                    engines=engines,
                    device=device,
                    threads=threads,
                    before=before(contents.model) if before else None,
                    on_plan=on_plan,
                    on_progress=lambda step: report(f"measuring {step.setting.artifact} in {step.setting.engine}", step.done, step.total),
                )
            )
        except BundleInterrupted as stop:
            raise BundleInterrupted(told(stop.report)) from stop


@dataclass(frozen=True)
class Packed:
    """What travels in a field bundle, every file as its hash says."""

    contents: Contents
    samples: Samples
    expected: Observation
    artifacts: tuple[Artifact, ...]


def read_packed(
    file: Path,
    folder: Path,
    *,
    keys: Sequence[PublicKey] | None = None,
    on_signature: Callable[[str], None] | None = None,
    name: str = "",
) -> Packed:
    """Unpack as `unpacked` does, and read everything but what an engine must open; raises as it does."""
    contents, samples = unpacked(file, folder, keys=keys, on_signature=on_signature, name=name)
    try:
        artifacts = tuple(Artifact.load(each.path) for each in Bundle.load(folder))
    except ArtifactError as error:
        # The folder is temporary: a message that names it leads nowhere.
        problem = error.problem.replace(f"{folder}{os.sep}", "").replace(str(folder), "it")
        raise ArtifactError(f"in '{name or file}': {problem}", expected=error.expected, got=error.got, hint="get the file again") from error
    return Packed(contents, samples, _expected(folder / EXPECTED, contents.reference), artifacts)


def _expected(file: Path, reference: str) -> Observation:
    try:
        found = Observation.of_arrays(reference, read_arrays(file))
    except ValueError as error:
        raise ArtifactError(f"'{EXPECTED}' holds no outputs: {error}", expected=_MADE_BY) from error
    if not found.probes or any(set(outputs) != set(found.samples) for outputs in found.probes.values()):
        raise ArtifactError(f"'{EXPECTED}' does not hold every output of every probe", expected=_MADE_BY)
    return found


def _told(row: Measurement, problems: dict[tuple[str, str], str]) -> Measurement:
    """The row, as one that failed where its engine could not even be asked."""
    problem = problems.get((row.setting.artifact, row.setting.engine), "")
    return replace(row, reason=row.reason or problem)


def _able(artifact: Artifact, engines: Sequence[str]) -> tuple[str, ...]:
    try:
        return engines_for(artifact, engines)
    except InputError:
        return ()  # The benchmark has a row that says so.


def unpacked(
    file: Path,
    folder: Path,
    *,
    keys: Sequence[PublicKey] | None = None,
    on_signature: Callable[[str], None] | None = None,
    name: str = "",
) -> tuple[Contents, Samples]:
    """Unpack what `pack` wrote into a folder that is there; the samples are those that travelled.

    Its members cannot leave the folder: `zipfile` drops ``..`` and roots, and makes no links.

    Args:
        file: what `pack` wrote.
        folder: an empty one.
        keys: of whom it must be signed; None where nobody asks.
        on_signature: called with what is known of a signature.
        name: what messages call the file; by default its path.

    Raises:
        TrustError: it is not signed by the owner of one of the keys, or was changed since; nothing was unpacked.
        ArtifactError: the file is no field bundle, or was changed.
        StorageError: there is no room to unpack it.
    """
    name = name or str(file)
    try:
        with opened(file, keys, on_signature or (lambda _text: None), name=name) as stream, zipfile.ZipFile(stream) as archive:
            needed, free = sum(member.file_size for member in archive.infolist()), shutil.disk_usage(folder).free
            if needed > free:
                raise StorageError(f"no room to unpack '{name}'", expected=f"{needed:,} bytes", got=f"{free:,} bytes")
            archive.extractall(folder)
        contents = decode_json(read_file(folder / CONTENTS), Contents)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, msgspec.DecodeError) as error:
        raise ArtifactError(f"'{name}' is no field bundle: {error}", expected=_MADE_BY) from error
    if contents.schema != SCHEMA:
        raise ArtifactError(f"'{name}' has another schema", expected=str(SCHEMA), got=str(contents.schema), hint="pack it again")
    samples = Samples.load(folder / INPUTS)
    same = samples.sha256 == contents.samples_sha256 and sha256_of(folder / EXPECTED) == contents.expected_sha256
    if not same:
        raise ArtifactError(f"'{name}' was changed: its inputs or outputs are not those that were packed", hint="pack it again")
    return contents, replace(samples, origin=contents.samples)
