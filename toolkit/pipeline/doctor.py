"""What is on this machine: engines, devices, instruction sets, versions, and the command that adds what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.converters.planner import all_converters
from toolkit.core import Machine, ToolkitError, install_command, run_isolated, this_machine
from toolkit.runtimes import all_runtimes, find_runtime


@dataclass(frozen=True)
class EngineStatus:
    """An engine: ``problem`` is empty when it works, else why not; ``install`` is the command that brings it."""

    name: str
    version: str
    formats: tuple[str, ...]
    devices: tuple[str, ...]
    problem: str
    install: str


@dataclass(frozen=True)
class ConverterStatus:
    """A converter: ``missing`` are the packages it needs that are not installed."""

    name: str
    source: str
    target: str
    missing: tuple[str, ...]
    install: str


@dataclass(frozen=True)
class Diagnosis:
    """Everything `toolkit doctor` shows."""

    machine: Machine
    engines: tuple[EngineStatus, ...]
    converters: tuple[ConverterStatus, ...]


def diagnose() -> Diagnosis:
    """Look at each engine in a process of its own, so that a broken one is a row and not a crash."""
    engines = []
    for runtime in all_runtimes():
        devices: tuple[str, ...] = ()
        problem = "" if runtime.is_installed() else "not installed"
        if not problem:
            try:
                devices = tuple(run_isolated(f"{__name__}:devices_task", runtime.name, timeout_s=60))
            except ToolkitError as error:
                problem = str(error)
        engines.append(
            EngineStatus(runtime.name, runtime.version(), tuple(sorted(runtime.formats)), devices, problem, install_command(runtime.extra))
        )
    converters = []
    for converter in all_converters():
        missing = tuple(name for name in converter.distributions if name not in converter.versions())
        converters.append(
            ConverterStatus(converter.name, str(converter.source), str(converter.target), missing, install_command(converter.extra))
        )
    return Diagnosis(this_machine(), tuple(engines), tuple(converters))


def devices_task(engine: str) -> list[str]:
    """The devices an engine finds, asked in a process of its own."""
    return list(find_runtime(engine).devices())
