"""`toolkit.load`: one call that opens the fastest artifact that was verified and whose engine is installed here."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Bundle,
    DeviceError,
    InputError,
    ParityReport,
    ToolkitWarning,
    Verdict,
    instruction_sets,
    other_processor,
    run_isolated,
    this_machine,
)
from toolkit.core.measurement import BENCHMARK, BenchmarkReport, Scenario
from toolkit.runtimes import all_runtimes, find_runtime, open_session, runtimes_for
from toolkit.runtimes.base import Runtime, Session, SessionOptions, check_device
from toolkit.runtimes.isolated import check_isolation

from .quickest import Candidate, quickest, runs_here
from .recommend import recommend


def load(
    model: str | Path,
    *,
    engine: str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    unverified: bool = False,
    isolated: bool = False,
    timeout_s: float | None = None,
) -> Session:
    """Open a model for inference.

    Args:
        model: a bundle folder, an artifact folder, or a model file (.onnx, .tflite, .xml, .pt2; no manifest needed).
        engine: an engine's name; by default the fastest for a bundle, else the first installed one that runs the format.
        device: cpu, gpu, npu or auto; one that is not there is an error.
        threads: by default those with which `toolkit optimize` chose the bundle on this machine, else all that this process may use.
        unverified: allow artifacts of a bundle that have no passed parity evidence.
        isolated: the engine runs in a process of its own: where it crashes, on a damaged file or out of memory, that is an `EngineError`
            of this call or of the session's, and the app goes on. docs/isolated.md says what that costs.
        timeout_s: with `isolated`, the seconds after which an engine that stands still is stopped, in opening the model and in each call.

    Returns:
        A session: ``session.run(array)``; use it as a context manager. From a bundle it is the fastest artifact that passed parity, by the
        stored benchmark of this machine, else by a quick one in other processes (a fraction of a second an artifact, and the import of each
        engine), which is kept in the user's cache. In this process only the engine that opens it is imported.

    Warns:
        ToolkitWarning: the artifact passed parity on a processor whose instruction sets differ in what decides its results.

    Raises:
        ToolkitError: nothing there, no engine installed, no verified artifact, no such device.
    """
    path = Path(model)
    options = SessionOptions(device=device, threads=threads)
    check_isolation(isolated=isolated, timeout_s=timeout_s)
    # Said once, and not of each artifact of a bundle.
    check_device(device)
    if engine is not None:
        find_runtime(engine)
    if threads is not None and threads < 1:
        raise InputError("threads", expected="at least 1", got=str(threads))
    if path.is_file() or (not path.is_dir() and path.suffix):
        return open_session(path, engine=engine, options=options, isolated=isolated, timeout_s=timeout_s)
    if (path / MANIFEST).is_file():
        artifact = Artifact.load(path)
        name = engine or next((r.name for r in runtimes_for(artifact.manifest.format, artifact.manifest.precision)), "")
        _tell_of_another_processor(Candidate(artifact, name), device)
        return open_session(artifact, engine=engine, options=options, isolated=isolated, timeout_s=timeout_s)
    bundle = Bundle.load(path)
    try:
        found = candidates(bundle, engine=engine, device=device, unverified=unverified)
        chosen, options = _from_benchmark(path, found, options) or (quickest(found, options), options)
        chosen.artifact.verify_files()
        _tell_of_another_processor(chosen, device)
        return open_session(chosen.artifact, engine=chosen.engine, options=options, isolated=isolated, timeout_s=timeout_s)
    except (ArtifactError, DeviceError):
        _check_here(bundle, engine, device)
        raise


def _tell_of_another_processor(chosen: Candidate, device: str) -> None:
    """Warn the caller of `load` when the evidence for what it opens on the CPU is not about a processor like this one."""
    if device not in {"cpu", "auto"}:
        return
    text = other_processor(_about(chosen.artifact, chosen.engine), chosen.artifact.manifest.precision, instruction_sets())
    if text:
        said = f"'{chosen.artifact.path}' in {chosen.engine}: {text}; run: toolkit verify"
        warnings.warn(ToolkitWarning(said), stacklevel=3)


def _check_here(bundle: Bundle, engine: str | None, device: str) -> None:
    """Raise `DeviceError` when no engine that could run the bundle finds `device` here: then no parity is of any use."""
    if device in {"cpu", "auto"}:  # Every engine has these.
        return
    formats = {artifact.manifest.format for artifact in bundle}
    asked = [r.name for r in all_runtimes() if r.is_installed() and formats & r.formats and _is_meant(r, engine)]
    here: list[str] = run_isolated(f"{__name__}:devices_task", asked, fresh=True)  # To ask an engine imports it.
    if asked and device not in here:
        raise DeviceError(
            f"this machine has no device '{device}' that {' or '.join(asked)} can use",
            expected=f"one of {', '.join(here)}",
            hint="run: toolkit doctor",
        )


def devices_task(engines: list[str]) -> list[str]:
    """The devices that any of these engines finds here."""
    return [*dict.fromkeys(device for engine in engines for device in find_runtime(engine).devices())]


def candidates(bundle: Bundle, *, engine: str | None = None, device: str = "auto", unverified: bool = False) -> list[Candidate]:
    """The artifacts of a bundle that passed parity, each with each installed engine for apps that they passed in, or with `engine`,
    on `device` unless it is auto.

    Artifacts made from another training than the one in the bundle do not count. Raises `ArtifactError` when none is left.
    """
    artifacts = list(bundle)
    strangers = bundle.strangers()
    found: list[Candidate] = []
    for artifact in artifacts:
        if artifact.path in strangers or not (unverified or any(r.verdict is Verdict.PASSED for r in artifact.manifest.evidence)):
            continue  # No engine need be asked whether it would run it.
        found += [
            Candidate(artifact, runtime.name)
            for runtime in runtimes_for(artifact.manifest.format, artifact.manifest.precision, runs=runs_here)
            if _is_meant(runtime, engine) and (unverified or _passed(artifact, runtime.name, device))
        ]
    if not found:
        which = f"engine '{engine}'" if engine else "an installed engine"
        which += f" on device '{device}'" if device not in {"auto", "cpu"} else ""
        hint = f"run: toolkit verify{f' --device {device}' if device not in {'auto', 'cpu'} else ''}, or toolkit doctor for the engines"
        if any(a.verdict is Verdict.UNDECIDED for a in artifacts):
            hint += "; undecided is what too few samples could not confirm: give toolkit verify more (--data), or load with unverified=True"
        raise ArtifactError(
            f"'{bundle.path}' has no artifact for {which} that passed parity",
            expected="at least one",
            got=", ".join(f"{a.name}: {a.verdict or 'not verified'}" for a in artifacts),
            hint=hint,
        )
    return found


def _is_meant(runtime: Runtime, engine: str | None) -> bool:
    """Whether an app that asks for `engine` may get this one: without a name those for apps."""
    return runtime.for_apps if engine is None else runtime.name == engine


def _passed(artifact: Artifact, engine: str, device: str) -> bool:
    verdicts = {r.verdict for r in _about(artifact, engine) if device in {"auto", r.device}}
    return verdicts == {Verdict.PASSED}


def _about(artifact: Artifact, engine: str) -> list[ParityReport]:
    """The evidence about these very files in an engine."""
    own = artifact.manifest.content_sha256
    return [r for r in artifact.manifest.evidence if r.candidate == own and r.engine == engine]


def _from_benchmark(path: Path, found: list[Candidate], options: SessionOptions) -> tuple[Candidate, SessionOptions] | None:
    """What the bundle was made to ship, or what its stored benchmark recommends among the candidates when it measured them all; both on
    this machine and with these versions of the engines only.
    """
    machine = this_machine()
    try:
        report = BenchmarkReport.load(path / BENCHMARK)
    except InputError:
        return None
    if report.machine.fingerprint != machine.fingerprint:
        return None
    # Another version of an engine is another engine, of which nothing was measured.
    versions = {c.engine: find_runtime(c.engine).version() for c in found}
    valid = [m for m in report.measurements if m.ok and m.actual.get("engine_version", "") == versions.get(m.setting.engine)]
    by_key = {(c.artifact.manifest.content_sha256, c.artifact.name, c.engine): c for c in found}
    shipped = report.shipped
    if shipped is not None and shipped.device == options.device and options.threads in {None, shipped.threads_per_stream}:
        candidate = by_key.get((shipped.content_sha256, shipped.artifact, shipped.engine))
        if candidate is not None and any(m.setting.engine == candidate.engine for m in valid):
            return candidate, replace(options, threads=shipped.threads_per_stream)
    measured = {
        (m.setting.content_sha256, m.setting.artifact, m.setting.engine): m
        for m in valid
        if m.setting.scenario is Scenario.SINGLE_STREAM
        and m.setting.batch == 1
        and m.setting.device == options.device
        and m.setting.threads == (options.threads or machine.threads)
    }
    if not by_key.keys() <= measured.keys():
        return None
    advice = recommend(replace(report, measurements=tuple(measured[key] for key in by_key))).measurement
    return (by_key[advice.setting.content_sha256, advice.setting.artifact, advice.setting.engine], options) if advice else None
