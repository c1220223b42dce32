"""Benchmark a bundle: every artifact in every installed engine that runs it, joined with its parity evidence by hash."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from toolkit.core import (
    ANOTHER_NETWORK,
    Artifact,
    ArtifactError,
    Bundle,
    DataError,
    InputError,
    ParityReport,
    Samples,
    ToolkitError,
    Verdict,
    available_threads,
    load_average,
    storage_errors,
    this_machine,
    write_file,
)
from toolkit.core.measurement import BENCHMARK, PARTIAL, BenchmarkReport, Measurement, ParityRow, Protocol, Scenario, Setting
from toolkit.runtimes import all_runtimes, elsewhere, find_runtime, runtimes_for
from toolkit.runtimes.base import Runtime, check_device
from toolkit.runtimes.benchmark import BenchmarkInterrupted, RoundProgress, run_benchmark


@dataclass(frozen=True)
class Plan:
    """What will be measured, a row with its reason for each artifact that cannot be, and what was measured before an interruption."""

    settings: tuple[Setting, ...]
    skipped: tuple[Measurement, ...] = ()
    before: tuple[Measurement, ...] = ()

    @property
    def rounds_before(self) -> int:
        """How many rounds need not be measured again."""
        return sum(len(each.rounds) for each in self.before)

    def least_s(self, protocol: Protocol) -> float:
        """The seconds that the rounds take at least: without the starts of processes and engines."""
        left = len(self.settings) * protocol.rounds - self.rounds_before
        return left * (protocol.warmup_seconds + protocol.min_seconds)


class BundleInterrupted(KeyboardInterrupt):
    """Ctrl-C while a bundle was measured; ``report`` is valid for the rounds that had ended; `keep_partial` writes it."""

    def __init__(self, report: BenchmarkReport) -> None:
        super().__init__("the benchmark was interrupted")
        self.report = report


def plan_settings(
    artifacts: Iterable[Artifact],
    *,
    engines: Sequence[str] | None = None,
    device: str = "cpu",
    threads: tuple[int, ...] | None = None,
    batches: tuple[int, ...] = (1,),
    streams: tuple[int, ...] = (),
    offline_batch: int = 32,
) -> Plan:
    """The settings for `artifacts` in every installed engine that can run them.

    Args:
        artifacts: what to measure.
        engines: names of engines; "all" among them means all that are installed, None those that an artifact was verified in, and
            the first that runs it for one that was not verified.
        device: cpu, gpu, npu or auto.
        threads: thread counts for single-stream; None means all that this process may use.
        batches: batch sizes for single-stream.
        streams: numbers of sessions at a time for offline, which divide the largest thread count among them.
        offline_batch: batch size for offline.

    Raises:
        UnknownNameError: no engine or device has such a name.
        InputError: a number below 1.
    """
    check_device(device)
    threads = (available_threads(),) if threads is None else threads
    for what, numbers in {"threads": threads, "batch": batches, "streams": streams, "offline batch": (offline_batch,)}.items():
        if any(number < 1 for number in numbers):
            raise InputError(what, expected="at least 1", got=str(min(numbers)))
    chosen = None if engines is None else {r.name for r in all_runtimes()} if "all" in engines else {find_runtime(n).name for n in engines}
    cells = [(Scenario.SINGLE_STREAM, count, batch, 1) for count in threads for batch in batches]
    cells += [(Scenario.OFFLINE, max(*threads, count), offline_batch, count) for count in streams]
    settings: list[Setting] = []
    skipped: list[Measurement] = []
    for artifact in artifacts:
        found, reason = _engines_for(artifact, chosen)
        if not found:
            skipped.append(Measurement(_setting(artifact, ""), size_bytes=_size(artifact), reason=reason))
        for runtime in found:
            fixed = fixed_batch(artifact)
            for scenario, count, batch, sessions in dict.fromkeys(cells):
                setting = replace(
                    _setting(artifact, runtime.name), device=device, threads=count, batch=batch, scenario=scenario, streams=sessions
                )
                if fixed not in {None, batch}:
                    why = f"the model's batch is fixed at {fixed}"
                    skipped.append(Measurement(setting, size_bytes=_size(artifact), reason=why))
                else:
                    settings.append(setting)
    return Plan(tuple(settings), tuple(skipped))


def _setting(artifact: Artifact, engine: str) -> Setting:
    return Setting(str(artifact.path), artifact.name, artifact.manifest.content_sha256, engine)


def _size(artifact: Artifact) -> int:
    files = [artifact.path / name for name in artifact.manifest.files]
    return sum(file.stat().st_size for file in files if file.is_file())


def fixed_batch(artifact: Artifact) -> int | None:
    """The only batch that an artifact takes; None where it takes any."""
    signature = artifact.manifest.signature
    if signature.has_free_batch or all(len(spec.shape) < 2 for spec in signature.inputs):
        return None  # A state of two layers has no batch of two, and a single row none at all.
    sizes = [spec.shape[0] for spec in signature.inputs if spec.shape]
    return next((size for size in sizes if isinstance(size, int)), None)


def _engines_for(artifact: Artifact, chosen: set[str] | None) -> tuple[list[Runtime], str]:
    format, precision = artifact.manifest.format, artifact.manifest.precision
    able = [r for r in all_runtimes() if format in r.formats and precision in r.precisions(format)]
    if not able:
        return [], elsewhere(format, precision) or f"no engine runs {precision} in {format}"
    if chosen is None:
        own = {report.engine for report in artifact.manifest.evidence if report.candidate == artifact.manifest.content_sha256}
        first = {r.name for r in (*runtimes_for(format, precision), *able)[:1]}
        verified = own.intersection(r.name for r in able)
        # What the others are compared with has evidence only in engines beside its own.
        chosen = verified if verified and artifact.manifest.parent else verified | first
    wanted = [r for r in able if r.name in chosen]
    if not wanted:
        return [], f"none of the engines asked for runs {artifact.name}; {', '.join(r.name for r in able)} would"
    here = [r for r in wanted if r.is_installed()]
    if not here:
        install = " or ".join(r.install_command() for r in wanted)
        return [], elsewhere(format, precision) or f"{', '.join(r.name for r in wanted)} not installed; run: {install}"
    return here, ""


def benchmark_bundle(
    bundle: Bundle,
    samples: Samples,
    *,
    only: Artifact | None = None,
    protocol: Protocol | None = None,
    engines: Sequence[str] | None = None,
    device: str = "cpu",
    threads: tuple[int, ...] | None = None,
    batches: tuple[int, ...] = (1,),
    streams: tuple[int, ...] = (),
    offline_batch: int = 32,
    before: BenchmarkReport | None = None,
    on_plan: Callable[[Plan], None] | None = None,
    on_progress: Callable[[RoundProgress], None] | None = None,
) -> BenchmarkReport:
    """Measure all artifacts of a bundle, or `only` one, on `samples`; nothing is written, `keep_report` does that.

    An artifact whose files are not those of its manifest, or that another training left, is a row with its reason. The other arguments
    are those of `plan_settings`.

    Args:
        bundle: whose artifacts are measured.
        samples: the inputs.
        protocol: how long and how often.
        before: the report of an interrupted run. Its rounds count where the files, the samples, the protocol, the machine and the
            engine's version are the same.
        on_plan: called with what will be measured, before the first round.
        on_progress: called after each round.

    Raises:
        BundleInterrupted: Ctrl-C; holds the partial report.
        DataError: the samples fit none of the artifacts; those that they do not fit are rows with a reason otherwise.
    """
    protocol = protocol or Protocol()
    started, load_before = datetime.now(UTC).isoformat(timespec="seconds"), load_average()
    artifacts, broken = _intact(bundle, only)
    _check_samples(samples, artifacts)
    plan = plan_settings(
        artifacts, engines=engines, device=device, threads=threads, batches=batches, streams=streams, offline_batch=offline_batch
    )
    if before is not None and (before.protocol, before.samples_sha256) == (protocol, samples.sha256):
        plan = replace(plan, before=_still_valid(before, plan.settings))
    rows = max((setting.batch for setting in plan.settings), default=1) * protocol.inputs
    measured, complete = plan.before, False
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        inputs = Path(folder) / "inputs.npz"
        try:
            if on_plan is not None:
                on_plan(plan)
            samples.rows(slice(0, rows)).save(inputs)
            measured = run_benchmark(plan.settings, inputs=inputs, protocol=protocol, before=plan.before, on_progress=on_progress)
            complete = True
        except BenchmarkInterrupted as interrupt:
            measured = interrupt.measurements
        except KeyboardInterrupt:  # Before the first round: what was measured earlier is kept.
            pass
    measurements = tuple(
        replace(m, setting=replace(m.setting, folder=Path(m.setting.folder).name)) for m in (*measured, *plan.skipped, *broken)
    )
    report = BenchmarkReport(
        model=artifacts[0].manifest.model if artifacts else bundle.path.name,
        machine=this_machine(),
        started=started,
        load_before=load_before,
        load_after=load_average(),
        protocol=protocol,
        measurements=measurements,
        parity=join_parity(artifacts, measurements),
        samples=samples.origin,
        samples_sha256=samples.sha256,
        drawn=samples.drawn,
        complete=complete,
    )
    if not complete:
        raise BundleInterrupted(report)
    return report


def keep_report(bundle: Bundle, report: BenchmarkReport) -> None:
    """Write ``benchmark.json``, by which `toolkit.load` chooses, into the bundle; raises `StorageError`."""
    write_file(bundle.path / BENCHMARK, report.to_json())
    with storage_errors(bundle.path):
        (bundle.path / PARTIAL).unlink(missing_ok=True)


def keep_partial(bundle: Bundle, report: BenchmarkReport) -> None:
    """Write what an interrupted benchmark measured into the bundle, beside the report of one that was not; raises `StorageError`."""
    write_file(bundle.path / PARTIAL, report.to_json())


def read_partial(file: Path) -> BenchmarkReport | None:
    """The report of an interrupted run; None where `file` is none, or cannot be read."""
    with suppress(InputError):
        report = BenchmarkReport.load(file)
        return None if report.complete else report
    return None


def _still_valid(before: BenchmarkReport, settings: Iterable[Setting]) -> tuple[Measurement, ...]:
    """The measurements of `before` that hold for `settings` on this machine, with the versions of the engines that are here."""
    if before.machine.fingerprint != this_machine().fingerprint:
        return ()
    here = {replace(setting, folder=Path(setting.folder).name): setting for setting in settings}
    return tuple(
        replace(each, setting=here[each.setting])
        for each in before.measurements
        if each.ok and each.setting in here and each.actual.get("engine_version") == find_runtime(each.setting.engine).version()
    )


def check_sizes(artifact: Artifact, samples: Samples) -> None:
    """Raise `InputError` where the samples are random and their size is not known either, on which times depend."""
    signature = artifact.manifest.signature
    symbols = set(signature.free) - {symbol for each in signature.fixes for symbol in each}
    if samples.drawn and symbols:
        raise InputError(
            f"how long '{artifact.manifest.model}' takes depends on its free sizes: {', '.join(sorted(symbols))}",
            hint="add --data with a .npz of inputs of the usual size, or say it: --fix "
            + ",".join(f"{each}=32" for each in sorted(symbols)),
        )


def _intact(bundle: Bundle, only: Artifact | None) -> tuple[list[Artifact], list[Measurement]]:
    artifacts: list[Artifact] = []
    broken: list[Measurement] = []
    strangers = bundle.strangers()
    for artifact in [only] if only else bundle:
        try:
            artifact.verify_files()
            if artifact.path in strangers:
                raise ArtifactError(ANOTHER_NETWORK)
            artifacts.append(artifact)
        except ToolkitError as error:
            broken.append(Measurement(_setting(artifact, ""), size_bytes=_size(artifact), reason=str(error)))
    return artifacts, broken


def _check_samples(samples: Samples, artifacts: list[Artifact]) -> None:
    refused: DataError | None = None
    for artifact in artifacts:
        try:
            samples.fit(artifact.manifest.signature)
        except DataError as error:
            refused = error
        else:
            return
    if refused is not None:
        raise refused


def join_parity(artifacts: Iterable[Artifact], measurements: Iterable[Measurement]) -> tuple[ParityRow, ...]:
    """The evidence for each measured combination of artifact, engine and device.

    Evidence counts for the very files, engine and device that it names: a pass in one engine says nothing of another.
    """
    evidence = {artifact.manifest.content_sha256: artifact.manifest for artifact in artifacts}
    measured = [(m.setting, str(m.actual.get("device", m.setting.device))) for m in measurements if m.setting.engine]
    keys = dict.fromkeys((setting.content_sha256, setting.engine, device) for setting, device in measured)
    rows: list[ParityRow] = []
    for sha256, engine, device in keys:
        manifest = evidence[sha256]
        reports = [r for r in manifest.evidence if (r.candidate, r.engine, r.device) == (sha256, engine, device)]
        rows.append(_parity_row(ParityRow(sha256, engine, device), reports, root=manifest.root))
    return tuple(rows)


def _parity_row(row: ParityRow, reports: list[ParityReport], *, root: str) -> ParityRow:
    if not reports:
        return row
    verdict = Verdict.worst(report.verdict for report in reports)
    # The drop that counts is that against the trained model, not against a step on the way.
    tasks = [r for r in reports if r.task is not None and r.reference == root] or [r for r in reports if r.task is not None]
    outputs = [output for report in reports for output in report.outputs]
    return replace(
        row,
        verdict=verdict,
        reason=next(report.reason for report in reports if report.verdict is verdict),
        task=tasks[0].task if tasks else None,
        top1=min((o.top1_agreement for o in outputs if o.top1_agreement is not None), default=None),
        sqnr_db=min((o.sqnr_db for o in outputs if o.sqnr_db is not None), default=None),
    )


def read_report(path: Path) -> BenchmarkReport:
    """The report at `path`, a file or a bundle with a ``benchmark.json``; raises `InputError`."""
    return BenchmarkReport.load(path / BENCHMARK if path.is_dir() else path)
