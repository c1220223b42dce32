"""What is on this machine: engines, devices, instruction sets, versions, and the command that adds what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import msgspec

from toolkit.converters.planner import all_converters
from toolkit.core import (
    LeftOut,
    Machine,
    ToolkitError,
    available_threads,
    hidden,
    install_command,
    left_out,
    run_isolated,
    this_machine,
    words_of,
)
from toolkit.runtimes import Runtime, all_runtimes, find_runtime

_LONGEST_S = 120.0
_NOT_NEEDED = ("jax", "sklearn", "pandas", "matplotlib")
"""What TensorFlow and Keras import where it is there, only to work with it too: half of their time, and no part of the engines."""


@dataclass(frozen=True)
class Answer:
    """What an engine says once it is imported: ``devices``, or the ``problem`` that it has."""

    devices: tuple[str, ...] = ()
    problem: str = ""


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
    """Look at the engines in processes of their own, so that a broken one is a row and not a crash.

    `on_progress` is called with how many engines were looked at, and how many there are.
    """
    runtimes = all_runtimes()
    found: dict[str, EngineStatus] = {}
    with ThreadPoolExecutor(available_threads()) as pool:
        for work in as_completed([pool.submit(_look, group) for group in _groups(runtimes)]):
            found |= {status.name: status for status in work.result()}
            if on_progress is not None:
                on_progress(len(found), len(runtimes))
    converters = []
    for converter in all_converters():
        missing = tuple(name for name in converter.distributions if name not in converter.versions())
        converters.append(
            ConverterStatus(converter.name, str(converter.source), str(converter.target), missing, install_command(converter.extra))
        )
    return Diagnosis(this_machine(), tuple(found[runtime.name] for runtime in runtimes), tuple(converters), left_out())


def _groups(runtimes: Sequence[Runtime]) -> list[list[Runtime]]:
    """The engines by the framework that they share, whose import is most of what a look costs; an engine without one is alone.

    The largest groups come first, so that none of them is what the others have to be waited for.
    """
    groups: dict[str, list[Runtime]] = {}
    for runtime in runtimes:
        groups.setdefault(runtime.framework or runtime.name, []).append(runtime)
    return sorted(groups.values(), key=len, reverse=True)


def _look(group: Sequence[Runtime]) -> list[EngineStatus]:
    """What each of these engines answers in one process; one that fails there is asked again, alone."""
    present = [runtime.name for runtime in group if not runtime.missing()]
    answers = _ask(present) if present else {}
    if len(present) > 1:
        for name in [name for name, answer in answers.items() if answer.problem]:
            answers |= _ask([name])
    return [_status(runtime, answers.get(runtime.name)) for runtime in group]


def _ask(names: Sequence[str]) -> dict[str, Answer]:
    try:
        return msgspec.convert(run_isolated(f"{__name__}:devices_task", names, timeout_s=_LONGEST_S, fresh=True), dict[str, Answer])
    except ToolkitError as error:  # One of them took the process along.
        return {name: Answer(problem=str(error)) for name in names}


def _status(runtime: Runtime, answer: Answer | None) -> EngineStatus:
    if answer is None:
        problem, repair = runtime.missing(), runtime.install_command()
    else:
        problem, repair = answer.problem, f"pip install --force-reinstall {runtime.distribution}" if answer.problem else ""
    devices = answer.devices if answer else ()
    return EngineStatus(runtime.name, runtime.version(), tuple(sorted(runtime.formats)), devices, problem, repair)


def devices_task(engines: list[str]) -> dict[str, Answer]:
    """What engines answer once they are imported, asked in a process of their own."""
    with hidden(*_NOT_NEEDED):
        return {name: _answer(find_runtime(name)) for name in engines}


def _answer(runtime: Runtime) -> Answer:
    try:
        runtime.import_engine()
        return Answer(runtime.devices())
    except Exception as error:
        return Answer(problem=str(error) if isinstance(error, ToolkitError) else words_of(error))
