"""Artifact to session: one file an engine; parity and benchmark stand on sessions.

An engine is found, never listed: a file in this folder, or an entry point in the group ``toolkit.runtimes``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolkit.core import (
    MANIFEST,
    Artifact,
    EngineError,
    Format,
    MissingDependencyError,
    Precision,
    UnknownNameError,
    discover,
    this_system,
)
from toolkit.formats import find_format, format_of

from ._batcher import Batcher
from ._stream import Stream
from .base import Actual, OpenRequest, Runtime, Session, SessionOptions
from .isolated import check_isolation, open_isolated

__all__ = [
    "Actual",
    "Batcher",
    "OpenRequest",
    "Runtime",
    "Session",
    "SessionOptions",
    "Stream",
    "all_runtimes",
    "elsewhere",
    "find_runtime",
    "known_runtimes",
    "open_session",
    "runtimes_for",
]


def all_runtimes() -> tuple[Runtime, ...]:
    """Every engine that is known, installed or not, sorted by name."""
    return discover("toolkit.runtimes", Runtime)


def find_runtime(name: str) -> Runtime:
    """The engine called `name`, installed or not; raises `UnknownNameError`."""
    for runtime in all_runtimes():
        if runtime.name == name:
            return runtime
    raise UnknownNameError("engine", name, [runtime.name for runtime in all_runtimes()])


def runtimes_for(
    format: Format, precision: Precision = Precision.FP32, *, runs: Callable[[Runtime, Format, Precision], bool] | None = None
) -> tuple[Runtime, ...]:
    """The installed engines for a format, its default engine first.

    Of the others those for apps come before those that an app must ask for, then those made for this format alone before those that
    run several, then they are in the order of their names. `runs` takes the place of `Runtime.runs`.
    """
    runs = runs or (lambda runtime, *kind: runtime.runs(*kind))
    default = find_format(format).default_engine
    able = [r for r in all_runtimes() if format in r.formats and r.is_installed() and runs(r, format, precision)]
    return tuple(sorted(able, key=lambda r: (r.name != default, not r.for_apps, len(r.formats), r.name)))


def known_runtimes(format: Format, precision: Precision) -> tuple[Runtime, ...]:
    """The engines that have a precision of a format, installed or not, here or on another processor; sorted by name."""
    return tuple(r for r in all_runtimes() if format in r.formats and (precision in r.some_processors or r.runs(format, precision)))


def elsewhere(format: Format, precision: Precision = Precision.FP32) -> str:
    """Why no engine runs artifacts of this kind on this machine, whatever is installed, such as ``coreml is for macOS only``; empty where
    one does or would.
    """
    reasons = [runtime.elsewhere(format, precision) for runtime in known_runtimes(format, precision)]
    return ", ".join(reasons) if all(reasons) else ""


def open_session(
    model: Artifact | Path,
    *,
    engine: str | None = None,
    options: SessionOptions | None = None,
    isolated: bool = False,
    timeout_s: float | None = None,
) -> Session:
    """Open an artifact, its folder, or a bare model file; without `engine` in the first of `runtimes_for`.

    Args:
        model: what to open.
        engine: an engine's name.
        options: device, threads, precision.
        isolated: the engine runs in a process of its own; a crash there is an `EngineError` here.
        timeout_s: it may take so many seconds to open the model, and as many for each call; with `isolated` only.

    Raises:
        UnknownNameError: no such engine or device.
        MissingDependencyError: no installed engine runs this format.
        ArtifactError, DeviceError, EngineError: as `Runtime.open`.
        InputError: no process of its own is possible here.
    """
    check_isolation(isolated=isolated, timeout_s=timeout_s)
    if isinstance(model, Path) and (model / MANIFEST).is_file():
        model = Artifact.load(model)
    runtime = _first_for(model) if engine is None else find_runtime(engine)
    return open_isolated(runtime.name, model, options, timeout_s=timeout_s) if isolated else runtime.open(model, options)


def _first_for(model: Artifact | Path) -> Runtime:
    format = model.manifest.format if isinstance(model, Artifact) else format_of(model)
    precision = model.manifest.precision if isinstance(model, Artifact) else Precision.FP32
    candidates = runtimes_for(format, precision)
    if not candidates:
        raise _no_engine(format, precision)
    return candidates[0]


def _no_engine(format: Format, precision: Precision) -> MissingDependencyError | EngineError:
    if reason := elsewhere(format):
        return MissingDependencyError(f"no engine runs {format} on {this_system()}: {reason}")
    missing = [runtime for runtime in known_runtimes(format, precision) if not runtime.is_installed()]
    if not missing:
        reason = elsewhere(format, precision)
        problem = f"no engine here runs {format} in {precision}" + (f": {reason}" if reason else "")
        return EngineError(problem, hint="convert the model to another precision")
    return MissingDependencyError(
        f"no engine for {format} is installed", hint="run: " + " or ".join(dict.fromkeys(r.install_command() for r in missing))
    )
