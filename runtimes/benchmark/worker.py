"""What the measuring process does: import, open, first call, warm-up, timed calls. It measures one round, or a heat of many settings."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import msgspec
import numpy as np

from toolkit.core import Artifact, ArtifactError, EngineError, Samples, ToolkitError
from toolkit.core.measurement import Protocol, Round, Scenario, Setting
from toolkit.runtimes import find_runtime
from toolkit.runtimes.base import SessionOptions

from .memory import peak_bytes, reset_peak, resident_bytes
from .stream import Stream, batches_of

MAX_KEPT = 2000
"""How many raw durations a round keeps."""


@dataclass(frozen=True)
class Task:
    """The request: ``inputs`` is a ``.npz`` of samples, ``index`` and ``order`` are passed through to the `Round`."""

    setting: Setting
    protocol: Protocol
    inputs: str
    index: int
    order: int


@dataclass(frozen=True)
class Answer:
    """One round, the size of the model's files and what the engine really gave."""

    round: Round
    size_bytes: int
    actual: dict[str, str | int]


def benchmark_round(payload: object) -> Any:
    """Measure one round: a `Task` in, an `Answer` out, both as JSON values.

    Raises:
        ArtifactError: the artifact is not the one that the setting names.
        EngineError: the engine failed, or its outputs are not finite or change.
    """
    return msgspec.to_builtins(_measure(msgspec.convert(payload, Task)))


def benchmark_heat(payload: object) -> Any:
    """Measure several settings one after another in this process: a list of `Task` in, and out, as JSON values, an `Answer`
    for each of them, None where it failed. The import of their engine is that of the first of them.
    """
    answers = [_answer(task) for task in msgspec.convert(payload, list[Task])]
    import_ns = max((answer.round.import_ns for answer in answers if answer is not None), default=0)
    return msgspec.to_builtins([answer and replace(answer, round=replace(answer.round, import_ns=import_ns)) for answer in answers])


def _answer(task: Task) -> Answer | None:
    try:
        return _measure(task)
    except ToolkitError:
        return None


def _measure(task: Task) -> Answer:
    with ExitStack() as opened:
        return _timed(task, opened)


def _timed(task: Task, opened: ExitStack) -> Answer:
    setting, protocol = task.setting, task.protocol
    artifact = Artifact.load(Path(setting.folder), verify=False)
    if artifact.manifest.content_sha256 != setting.content_sha256:
        raise ArtifactError(f"'{setting.folder}' changed while it was measured", hint="run the benchmark again")
    signature = artifact.manifest.signature
    inputs = batches_of(Samples.load(Path(task.inputs)), signature, batch=setting.batch, count=protocol.inputs)
    runtime = find_runtime(setting.engine)
    if setting.streams > 1 and not runtime.in_process:
        raise EngineError(
            f"{runtime.name} is timed by a clock of each session, which does not tell what {setting.streams} streams do together"
        )

    start = time.perf_counter_ns()
    runtime.import_engine()
    import_ns = time.perf_counter_ns() - start
    reset_peak()
    bare = resident_bytes()

    options = SessionOptions(device=setting.device, threads=setting.threads_per_stream)
    start = time.perf_counter_ns()
    session = opened.enter_context(runtime.open(artifact, options))
    load_ns = time.perf_counter_ns() - start
    streams = [Stream(session, inputs)]
    first_call_ns = streams[0].first_call()
    streams += [Stream(opened.enter_context(runtime.open(artifact, options)), inputs) for _ in range(setting.streams - 1)]
    warmups = [stream.warm_up(seconds=protocol.warmup_seconds, calls=protocol.warmup_calls) for stream in streams]
    gc.collect()
    opened.callback(gc.enable)
    gc.disable()  # A collection inside a timed call would be Python's cost, not the engine's.
    if setting.scenario is Scenario.OFFLINE:
        wall_ns = _flood(streams, protocol)
    else:
        streams[0].measure(seconds=protocol.min_seconds, calls=protocol.min_calls)
        wall_ns = sum(streams[0].latencies_ns)
    elsewhere = session.memory_bytes()
    memory_bytes = max(0, peak_bytes() - bare) if elsewhere is None else elsewhere

    durations = np.array([duration for stream in streams for duration in stream.latencies_ns], dtype=np.int64)
    stride = -(-len(durations) // MAX_KEPT)
    result = Round(
        index=task.index,
        order=task.order,
        calls=len(durations),
        stride=stride,
        latency_ns=tuple(durations[::stride].tolist()),
        median_ns=float(np.median(durations)),
        mean_ns=float(np.mean(durations)),
        p90_ns=float(np.quantile(durations, 0.9)),
        p99_ns=float(np.quantile(durations, 0.99)),
        min_ns=int(durations.min()),
        samples_per_s=len(durations) * setting.batch / (wall_ns / 1e9),
        warmup_calls=sum(calls for calls, _ in warmups),
        warmup_ns=sum(nanoseconds for _, nanoseconds in warmups),
        import_ns=import_ns,
        load_ns=load_ns,
        first_call_ns=first_call_ns,
        memory_bytes=memory_bytes,
        bare_memory_bytes=bare,
    )
    actual = {name: value for name, value in asdict(session.actual).items() if name != "engine"}
    return Answer(result, artifact.size_bytes, actual)


def _flood(streams: Sequence[Stream], protocol: Protocol) -> int:
    """Run all streams at once; the nanoseconds from the first call's start to the last one's end."""
    barrier = Barrier(len(streams))
    with ThreadPoolExecutor(len(streams)) as pool:
        jobs = [pool.submit(stream.flood, barrier, seconds=protocol.min_seconds, calls=protocol.min_calls) for stream in streams]
        spans = [job.result() for job in jobs]
    for stream in streams:
        stream.check()
    return max(end for _, end in spans) - min(start for start, _ in spans)
