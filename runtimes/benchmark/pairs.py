"""Two files beside each other in one process, in short blocks by turns: what slows the machine meanwhile slows both."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from toolkit.core import Artifact, ProcessError, Samples, ToolkitError, run_isolated
from toolkit.core.measurement import Protocol, Setting
from toolkit.runtimes import find_runtime
from toolkit.runtimes.base import SessionOptions

from .runner import run_benchmark
from .stream import Stream, batches_of

_BLOCK_S = 0.004
"""Shorter than what a scheduler gives to another process, so that such a slice spoils a block and not the median of the blocks."""
_FEWEST = 9
"""Blocks of each file at least."""


@dataclass(frozen=True)
class Paired:
    """One process's figures.

    Args:
        first_ns: the median over blocks of a block's median call of the first setting, in nanoseconds.
        second_ns: of the second.
        log_ratio: the median over pairs of blocks of the natural logarithm of first / second.
        problem: why there are none.
        of: which of the two it was that failed, 0 or 1; None where that is not known.
    """

    first_ns: float = 0.0
    second_ns: float = 0.0
    log_ratio: float = 0.0
    problem: str = ""
    of: int | None = None


@dataclass(frozen=True)
class Task:
    """The request: pairs of settings of one engine, measured in this order; ``seed`` decides which of two comes first."""

    pairs: tuple[tuple[Setting, Setting], ...]
    protocol: Protocol
    inputs: str
    seed: tuple[int, ...]


def run_pairs(pairs: Sequence[tuple[Setting, Setting]], *, inputs: Path, protocol: Protocol, index: int) -> tuple[Paired, ...]:
    """Measure each pair once, those of an engine in one fresh process. Which of the two is opened first and which begins each pair of
    blocks is drawn, so that of two equal files either is as likely to look slower.

    Args:
        pairs: two settings of the same engine, threads and batch each.
        inputs: a ``.npz`` of samples under the models' input names.
        protocol: ``min_seconds``, ``warmup_seconds`` and ``warmup_calls`` are those of each file; ``rounds`` is not looked at.
        index: of the repetition, which decides what is drawn.

    Returns:
        One answer a pair, in the order given.
    """
    found: dict[int, Paired] = {}
    for engine in dict.fromkeys(first.engine for first, _ in pairs):
        own = [number for number, (first, _) in enumerate(pairs) if first.engine == engine]
        order = np.random.default_rng([protocol.seed, index]).permutation(own).tolist()
        task = Task(tuple(pairs[number] for number in order), protocol, str(inputs), (protocol.seed, index, len(found)))
        try:
            told = run_isolated(f"{__name__}:measure_pairs", task, timeout_s=2 * protocol.timeout_s * len(order), fresh=True)
            answers = msgspec.convert(told, list[Paired])
        except ProcessError as error:
            answers = [_alone(pairs[number], inputs, protocol, str(error)) for number in order]
        found.update(zip(order, answers, strict=True))
    return tuple(found[number] for number in range(len(pairs)))


def measure_pairs(payload: object) -> Any:
    """What the process does: a `Task` in, a `Paired` for each of its pairs out, as JSON values."""
    task = msgspec.convert(payload, Task)
    random = np.random.default_rng(list(task.seed))
    return msgspec.to_builtins([_measured(pair, task, random) for pair in task.pairs])


def _measured(pair: tuple[Setting, Setting], task: Task, random: np.random.Generator) -> Paired:
    with ExitStack() as opened:
        streams: dict[int, Stream] = {}
        for place in random.permutation(2).tolist():
            try:
                streams[place] = _opened(pair[place], task, opened)
            except ToolkitError as error:
                return Paired(problem=str(error), of=place)
        gc.collect()
        opened.callback(gc.enable)
        gc.disable()
        try:
            blocks = np.array(list(_blocks(streams, task.protocol, random)))
        except ToolkitError as error:
            return Paired(problem=str(error))
        first, second = np.median(blocks, axis=0).tolist()
        return Paired(first, second, statistics.median(math.log(one / other) for one, other in blocks))


def _blocks(streams: dict[int, Stream], protocol: Protocol, random: np.random.Generator) -> Iterator[tuple[float, float]]:
    """The medians of a block of the first and one of the second, for twice the protocol's seconds."""
    began, count = time.perf_counter(), 0
    while count < _FEWEST or time.perf_counter() - began < 2 * protocol.min_seconds:
        medians = {place: streams[place].block(seconds=_BLOCK_S) for place in random.permutation(2).tolist()}
        yield medians[0], medians[1]
        count += 1
    for stream in streams.values():
        stream.check()


def _opened(setting: Setting, task: Task, opened: ExitStack) -> Stream:
    artifact = Artifact.load(Path(setting.folder), verify=False)
    inputs = batches_of(Samples.load(Path(task.inputs)), artifact.manifest.signature, batch=setting.batch, count=task.protocol.inputs)
    options = SessionOptions(device=setting.device, threads=setting.threads_per_stream)
    stream = Stream(opened.enter_context(find_runtime(setting.engine).open(artifact, options)), inputs)
    stream.warm_up(seconds=task.protocol.warmup_seconds, calls=task.protocol.warmup_calls)
    return stream


def _alone(pair: tuple[Setting, Setting], inputs: Path, protocol: Protocol, problem: str) -> Paired:
    """Which of two crashes where both together did."""
    found = [run_benchmark([setting], inputs=inputs, protocol=replace(protocol, rounds=1))[0] for setting in pair]
    broken = next((place for place, each in enumerate(found) if not each.ok), None)
    return Paired(problem=problem if broken is None else found[broken].reason, of=broken)
