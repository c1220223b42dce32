"""What a benchmark measured: raw nanoseconds and their environment are stored, every statistic is derived from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from .errors import InputError
from .evidence import TaskMetric, Verdict
from .formats import Format, Precision
from .machine import Machine
from .reading import decode_json, read_file
from .statistics import Interval, bootstrap_median, bootstrap_ratio
from .tables import html_table

SCHEMA = 1
_HEAD = ("artifact", "engine", "threads", "batch", "latency, ms [95 %]", "samples/s", "size", "parity")

MIN_PAIRS = 3
"""Fewer rounds than this cannot say which of two settings is faster."""


BENCHMARK = "benchmark.json"
"""The report's file in the folder of a bundle."""

PARTIAL = "benchmark-partial.json"
"""The file of an interrupted benchmark there, with which the same command resumes."""


class Scenario(StrEnum):
    """What is measured, under MLPerf's names (Reddi et al. 2020, section IV): one call after another, or all samples at once."""

    SINGLE_STREAM = "single-stream"
    OFFLINE = "offline"


@dataclass(frozen=True)
class Setting:
    """One thing to measure: an artifact in an engine, with its threads and batch.

    ``folder`` is where the artifact lies, in a stored report relative to its bundle; ``content_sha256`` says which files
    were meant. ``threads`` is the total over all ``streams``, the sessions that run at the same time.
    """

    folder: str
    artifact: str
    content_sha256: str
    engine: str
    device: str = "cpu"
    threads: int = 1
    batch: int = 1
    scenario: Scenario = Scenario.SINGLE_STREAM
    streams: int = 1

    @property
    def precision(self) -> Precision:
        """The artifact's precision, decoded from its name."""
        return Precision.leading(self.artifact.partition("-")[2])

    @property
    def threads_per_stream(self) -> int:
        """The threads of each session, at least one."""
        return max(1, self.threads // self.streams)

    @property
    def cell(self) -> tuple[Scenario, str, int, int, int]:
        """What two settings must share to be compared: scenario, device, threads, batch, streams."""
        return (self.scenario, self.device, self.threads, self.batch, self.streams)


@dataclass(frozen=True)
class Protocol:
    """How a benchmark was run. Every round of every setting is a fresh process: it warms up for at least ``warmup_calls``
    and ``warmup_seconds``, then measures at least ``min_calls`` and ``min_seconds``, rotating among ``inputs`` batches.
    The rounds of all settings are interleaved in an order drawn from ``seed``; a process is killed after ``timeout_s``.
    """

    rounds: int = 5
    min_seconds: float = 0.3
    min_calls: int = 16
    warmup_seconds: float = 0.1
    warmup_calls: int = 10
    inputs: int = 8
    seed: int = 0
    timeout_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("rounds", "min_calls", "inputs"):
            if getattr(self, name) < 1:
                raise InputError(f"benchmark {name}", expected="at least 1", got=str(getattr(self, name)))
        for name in ("min_seconds", "warmup_seconds", "warmup_calls"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"benchmark {name}", expected="0 or more", got=str(getattr(self, name)))


@dataclass(frozen=True)
class Round:
    """One process's figures. ``index`` is the round, ``order`` the place in the whole run.

    ``latency_ns`` are the calls' durations in the order they were made, every ``stride``-th of them; ``median_ns`` to
    ``min_ns`` are exact over all ``calls``. ``samples_per_s`` counts samples, not batches, over the calls' own time in
    single-stream and over wall-clock time in offline. ``memory_bytes`` is the peak resident memory above that of the
    process with the engine imported and the inputs loaded, ``bare_memory_bytes``.
    """

    index: int
    order: int
    calls: int
    stride: int
    latency_ns: tuple[int, ...]
    median_ns: float
    mean_ns: float
    p90_ns: float
    p99_ns: float
    min_ns: int
    samples_per_s: float
    warmup_calls: int
    warmup_ns: int
    import_ns: int
    load_ns: int
    first_call_ns: int
    memory_bytes: int
    bare_memory_bytes: int


@dataclass(frozen=True)
class Measurement:
    """All rounds of one setting. A failed one has its ``reason`` and the rounds that ended well before it.

    ``actual`` is what the engine really gave (engine_version, device, float_type, threads, detail, precision).
    """

    setting: Setting
    rounds: tuple[Round, ...] = ()
    size_bytes: int = 0
    actual: dict[str, str | int] = field(default_factory=dict)
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the figures can be used."""
        return bool(self.rounds) and not self.reason

    @cached_property
    def latency_ns(self) -> Interval:
        """The median over the rounds of a call's median duration, with its bootstrap interval over rounds."""
        return bootstrap_median([r.median_ns for r in self.rounds])

    @cached_property
    def samples_per_s(self) -> Interval:
        """The median throughput of the rounds, with its bootstrap interval over rounds."""
        return bootstrap_median([r.samples_per_s for r in self.rounds])

    def percentile_ns(self, share: float) -> float | None:
        """The duration that a `share` of the calls stay below, over all rounds; None when fewer than 10 / (1 - share) were kept."""
        kept = sum(len(r.latency_ns) for r in self.rounds)
        # The tolerance: 10 / (1 - 0.9) is a little more than 100 in floating point.
        if kept < 10 / (1 - share) - 1e-6:
            return None
        return float(np.quantile(np.concatenate([np.repeat(r.latency_ns, r.stride) for r in self.rounds]), share))

    @property
    def load_ns(self) -> float:
        """The median over rounds of the time to open the model, without the engine's import."""
        return median(r.load_ns for r in self.rounds)

    @property
    def first_call_ns(self) -> float:
        """The median over rounds of the first call's duration."""
        return median(r.first_call_ns for r in self.rounds)

    @property
    def import_ns(self) -> float:
        """The median over rounds of the time to import the engine."""
        return median(r.import_ns for r in self.rounds)

    @property
    def memory_bytes(self) -> float:
        """The median over rounds of the peak memory above the bare import."""
        return median(r.memory_bytes for r in self.rounds)


class Speed(StrEnum):
    """Which of two settings is faster, by the interval of their paired ratio."""

    FASTER = "faster"
    SLOWER = "slower"
    NOT_DISTINGUISHABLE = "not distinguishable"
    TOO_FEW = "too few rounds"


@dataclass(frozen=True)
class Comparison:
    """A speed-up over a baseline: 2 is twice as fast."""

    ratio: Interval
    verdict: Speed


def compare(candidate: Measurement, baseline: Measurement) -> Comparison | None:
    """The speed-up of `candidate` over `baseline`, paired round by round; None when they share no round or one failed.

    By latency in single-stream, by throughput in offline.
    """
    pairs = _paired(candidate, baseline) if candidate.ok and baseline.ok else []
    if not pairs:
        return None
    offline = candidate.setting.scenario is Scenario.OFFLINE
    value: Callable[[Round], float] = (lambda r: r.samples_per_s) if offline else (lambda r: 1 / r.median_ns)
    ratio = bootstrap_ratio([value(own) for own, _ in pairs], [value(other) for _, other in pairs])
    if len(pairs) < MIN_PAIRS:
        verdict = Speed.TOO_FEW
    elif ratio.low > 1:
        verdict = Speed.FASTER
    elif ratio.high < 1:
        verdict = Speed.SLOWER
    else:
        verdict = Speed.NOT_DISTINGUISHABLE
    return Comparison(ratio, verdict)


def _paired(candidate: Measurement, baseline: Measurement) -> list[tuple[Round, Round]]:
    others = {r.index: r for r in baseline.rounds}
    return [(own, others[own.index]) for own in candidate.rounds if own.index in others]


@dataclass(frozen=True)
class ParityRow:
    """What the manifest's evidence says of one artifact in one engine on one device; ``verdict`` None means that nobody looked.

    ``top1`` and ``sqnr_db`` are the smallest over the outputs, None where there is none.
    """

    content_sha256: str
    engine: str
    device: str
    verdict: Verdict | None = None
    reason: str = ""
    task: TaskMetric | None = None
    top1: float | None = None
    sqnr_db: float | None = None


@dataclass(frozen=True)
class BenchmarkReport:
    """What ``benchmark.json`` holds. ``started`` is ISO 8601 in UTC; ``load_before`` and ``load_after`` are one-minute load averages;
    ``complete`` is False when the run was interrupted; ``samples_sha256`` identifies the inputs, which are random where
    ``drawn``; ``shipped`` is the setting for which the
    bundle was made, where one was chosen.

    Schema history: 1, the first.
    """

    model: str
    machine: Machine
    started: str
    load_before: float
    load_after: float
    protocol: Protocol
    measurements: tuple[Measurement, ...]
    parity: tuple[ParityRow, ...] = ()
    samples: str = ""
    samples_sha256: str = ""
    drawn: bool = False
    complete: bool = True
    shipped: Setting | None = None
    schema: int = SCHEMA

    def _repr_html_(self) -> str:
        return html_table(f"{self.model} on {self.machine.cpu}", _HEAD, [self._cells(each) for each in self.measurements])

    def _cells(self, measurement: Measurement) -> tuple[str, ...]:
        setting, evidence = measurement.setting, self.parity_of(measurement)
        who = (setting.artifact, setting.engine, str(setting.threads_per_stream), str(setting.batch))
        if not measurement.ok:
            return (*who, measurement.reason, "", "", "")
        call = measurement.latency_ns
        latency = f"{call.value / 1e6:.4g} [{call.low / 1e6:.4g}, {call.high / 1e6:.4g}]"
        rate, size = f"{measurement.samples_per_s.value:,.0f}", f"{measurement.size_bytes / 2**20:.2f} MiB"
        return (*who, latency, rate, size, (evidence.verdict if evidence else None) or "not verified")

    def to_json(self) -> bytes:
        """The report as JSON; `from_json` gives an equal one."""
        return msgspec.json.encode(self) + b"\n"

    @classmethod
    def from_json(cls, content: bytes, *, name: str = "benchmark report") -> BenchmarkReport:
        """Read a report; raises `InputError` when it is no report or has another schema."""
        try:
            schema = decode_json(content, _Schema).schema
            if schema != SCHEMA:
                raise InputError(f"'{name}' has another schema", expected=str(SCHEMA), got=str(schema), hint="run the benchmark again")
            return decode_json(content, cls)
        except msgspec.DecodeError as error:
            raise InputError(f"'{name}' is no benchmark report: {error}", hint="run the benchmark again") from error

    @classmethod
    def load(cls, path: Path) -> BenchmarkReport:
        """Read a report file; raises `InputError`."""
        try:
            return cls.from_json(read_file(path), name=str(path))
        except OSError as error:
            raise InputError(f"cannot read '{path}': {error.strerror}", hint="run: toolkit benchmark") from error

    def baseline_of(self, measurement: Measurement) -> Measurement | None:
        """The fp32 ONNX file in ONNX Runtime with the same threads, batch and streams; None when it was not measured."""
        name = f"{Format.ONNX}-{Precision.FP32}"
        return next(
            (
                m
                for m in self.measurements
                if m.ok and m.setting.artifact == name and m.setting.engine == "onnxruntime" and m.setting.cell == measurement.setting.cell
            ),
            None,
        )

    def parity_of(self, measurement: Measurement) -> ParityRow | None:
        """The evidence about the measured files in the engine and on the device that ran them."""
        setting = measurement.setting
        device = measurement.actual.get("device", setting.device)
        key = (setting.content_sha256, setting.engine, device)
        return next((row for row in self.parity if (row.content_sha256, row.engine, row.device) == key), None)

    def is_oversubscribed(self, setting: Setting) -> bool:
        """Whether more threads were asked for than the process could use."""
        return setting.threads_per_stream * setting.streams > self.machine.threads


class _Schema(msgspec.Struct):
    schema: int
