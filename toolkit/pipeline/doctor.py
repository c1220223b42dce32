"""What is on this machine: engines, devices, instruction sets, versions, and the command that adds what is missing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from toolkit.converters.planner import all_converters
from toolkit.core import LeftOut, Machine, ToolkitError, available_threads, install_command, left_out, run_isolated, this_machine
from toolkit.runtimes import Runtime, all_runtimes, find_runtime


@dataclass(frozen=True)
class EngineStatus:
    """An engine: ``problem`` is empty when it works, else why not; ``install`` is the command that brings or repairs it."""

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
    """Everything `toolkit doctor` shows; ``plugins`` are those of other distributions that are left out."""

    machine: Machine
    engines: tuple[EngineStatus, ...]
    converters: tuple[ConverterStatus, ...]
    plugins: tuple[LeftOut, ...]


def diagnose(on_progress: Callable[[int, int], None] | None = None) -> Diagnosis:
    """Look at each engine in a process of its own, so that a broken one is a row and not a crash.

    `on_progress` is called with how many engines were looked at, and how many there are.
    """
    engines: list[EngineStatus] = []
    with ThreadPoolExecutor(available_threads()) as pool:
        for status in pool.map(_look, all_runtimes()):
            engines.append(status)
            if on_progress is not None:
                on_progress(len(engines), len(all_runtimes()))
    converters = []
    for converter in all_converters():
        missing = tuple(name for name in converter.distributions if name not in converter.versions())
        converters.append(
            ConverterStatus(converter.name, str(converter.source), str(converter.target), missing, install_command(converter.extra))
        )
    return Diagnosis(this_machine(), tuple(engines), tuple(converters), left_out())


def _look(runtime: Runtime) -> EngineStatus:
    devices: tuple[str, ...] = ()
    problem, repair = runtime.missing(), runtime.install_command()
    if not problem:
        try:
            devices = tuple(run_isolated(f"{__name__}:devices_task", runtime.name, timeout_s=120))
        except ToolkitError as error:
            problem, repair = str(error), f"pip install --force-reinstall {runtime.distribution}"
    return EngineStatus(runtime.name, runtime.version(), tuple(sorted(runtime.formats)), devices, problem, repair)


def devices_task(engine: str) -> list[str]:
    """The devices an engine finds once it is imported, asked in a process of its own."""
    runtime = find_runtime(engine)
    runtime.import_engine()
    return list(runtime.devices())
