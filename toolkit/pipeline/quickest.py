"""Which artifact of a bundle is the fastest here, measured quickly where nothing is stored: each engine in a process of its own."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np

from toolkit.core import (
    Artifact,
    ArtifactError,
    Format,
    Precision,
    ToolkitError,
    cache_home,
    keep_answer,
    modules_path,
    read_answer,
    run_isolated,
    this_machine,
)
from toolkit.runtimes import find_runtime
from toolkit.runtimes.base import Runtime, Session, SessionOptions
from toolkit.runtimes.parity import batch_sizes, probe

from .recommend import NEAR, Figures, preferred

_ROUNDS = 5
_CALLS = 20
_SCHEMA = 1
"""Of what is kept in the cache; history: 1, the first."""


@dataclass(frozen=True)
class Candidate:
    """An artifact that passed parity in an engine that is installed here."""

    artifact: Artifact
    engine: str


@dataclass(frozen=True)
class Trial:
    """How one candidate did: the median of a call, what the import of its engine took, and why it dropped out, if it did."""

    latency_ns: float = 0.0
    import_ns: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Heat:
    """What one process tries: artifacts by their folders, in one engine."""

    folders: tuple[str, ...]
    engine: str
    options: SessionOptions


@dataclass(frozen=True)
class Asked:
    """Whether an engine runs a precision of a format here."""

    engine: str
    format: Format
    precision: Precision


def quickest(found: list[Candidate], options: SessionOptions) -> Candidate:
    """The candidate with the lowest latency at the smallest batch; among those within 10 % of it what `toolkit benchmark` prefers too.

    The trials are kept in the user's cache for these files, this machine and these versions of the engines. No engine is imported in
    this process. Raises `ArtifactError` when none of them opens.
    """
    if len(found) == 1:
        return found[0]
    tried = list(zip(found, _trials(found, options), strict=True))
    good = [_figures(candidate, trial) for candidate, trial in tried if not trial.problem]
    if not good:
        problems = "; ".join(f"{candidate.artifact.name}: {trial.problem}" for candidate, trial in tried)
        raise ArtifactError("no artifact of the bundle opens", got=problems)
    fastest = min(figures.latency_ns for _, figures in good)
    level = [(candidate, figures) for candidate, figures in good if figures.latency_ns <= NEAR * fastest]
    return level[preferred([figures for _, figures in level])][0]


def _figures(candidate: Candidate, trial: Trial) -> tuple[Candidate, Figures]:
    artifact = candidate.artifact
    return candidate, Figures(trial.latency_ns, artifact.size_bytes, artifact.manifest.precision.distance, trial.import_ns)


def runs_here(runtime: Runtime, format: Format, precision: Precision) -> bool:
    """`Runtime.runs`; an engine that has to be imported to know is asked once, in another process, and its answer is kept."""
    if precision not in runtime.some_processors:
        return runtime.runs(format, precision)
    file = _file(runtime.name, runtime.version(), format, precision)
    if (kept := read_answer(file, bool)) is not None:
        return kept
    try:
        answer = bool(_isolated(runs_task, Asked(runtime.name, format, precision)))
    except ToolkitError:
        return False
    keep_answer(file, answer)
    return answer


def _trials(found: list[Candidate], options: SessionOptions) -> list[Trial]:
    candidates = [(c.artifact.manifest.content_sha256, c.artifact.name, c.engine, find_runtime(c.engine).version()) for c in found]
    file = _file(options, candidates)
    kept = read_answer(file, list[Trial])
    if kept is not None and len(kept) == len(found):
        return kept
    trials: dict[int, Trial] = {}
    for engine in dict.fromkeys(candidate.engine for candidate in found):
        own = [index for index, candidate in enumerate(found) if candidate.engine == engine]
        heat = Heat(tuple(str(found[index].artifact.path.absolute()) for index in own), engine, options)
        trials |= dict(zip(own, _tried(heat), strict=True))
    answers = [trials[index] for index in range(len(found))]
    if not any(trial.problem for trial in answers):  # What failed may have been mended by the next time.
        keep_answer(file, answers)
    return answers


def _file(*about: object) -> Path:
    """Where an answer is kept that holds on this machine for what it is about."""
    key = msgspec.json.encode((_SCHEMA, this_machine().fingerprint, about))
    return cache_home() / "choices" / f"{hashlib.sha256(key).hexdigest()}.json"


def _isolated(task: Callable[[Any], Any], payload: object) -> Any:
    if getattr(sys, "frozen", False):  # An app in one file: there is no Python beside it that could run a task.
        return task(payload)
    return run_isolated(f"{__name__}:{task.__name__}", payload, fresh=True, environment=modules_path())


def _tried(heat: Heat) -> list[Trial]:
    try:
        return msgspec.convert(_isolated(trials_task, heat), list[Trial])
    except ToolkitError as error:
        return [Trial(problem=str(error))] * len(heat.folders)


def runs_task(asked: Asked) -> bool:
    """What an engine answers."""
    return find_runtime(asked.engine).runs(asked.format, asked.precision)


def trials_task(heat: Heat) -> Any:
    """Try the artifacts of a heat in interleaved rounds: a `Trial` for each, as JSON values.

    Raises:
        ToolkitError: the engine cannot be imported.
    """
    start = time.perf_counter_ns()
    find_runtime(heat.engine).import_engine()
    trials = [Trial(import_ns=time.perf_counter_ns() - start)] * len(heat.folders)
    with ExitStack() as opened:
        sessions: dict[int, Session] = {}
        for index, folder in enumerate(heat.folders):
            try:
                sessions[index] = opened.enter_context(_opened(Path(folder), heat))
            except ToolkitError as error:
                trials[index] = replace(trials[index], problem=str(error))
        nanoseconds: dict[int, list[int]] = {index: [] for index in sessions}
        for _ in range(_ROUNDS):
            for index, session in sessions.items():
                inputs = _smallest(session)
                session.run(inputs)
                began = session.clock()
                for _ in range(_CALLS):
                    session.run(inputs)
                nanoseconds[index].append(session.clock() - began)
    for index, each in nanoseconds.items():
        trials[index] = replace(trials[index], latency_ns=median(each) / _CALLS)
    return msgspec.to_builtins(trials)


def _opened(folder: Path, heat: Heat) -> Session:
    """A session that has answered once."""
    session = find_runtime(heat.engine).open(Artifact.load(folder, verify=False), heat.options)
    try:
        session.run(_smallest(session))
    except ToolkitError:
        session.close()
        raise
    return session


def _smallest(session: Session) -> list[np.ndarray]:
    return probe(session.signature, batch=batch_sizes(session.signature)[0])
