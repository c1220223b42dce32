"""What an engine in a process of its own costs: calls, opening, memory; and how processes best wake each other: docs/isolated.md.

python -m benchmarks.isolated

Rounds of both sessions alternate in a random order, on the smallest reference model; a difference is one round's minus that of the round
beside it. Opening and memory are of fresh processes, alternating too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, bootstrap_median, bootstrap_ratio, load_average, this_machine, write_file
from toolkit.runtimes import SessionOptions, open_session

ROOT = Path(__file__).resolve().parents[1]
BUDGET_US = 200.0
CASES = (("onnxruntime", Format.ONNX), ("openvino", Format.OPENVINO), ("litert", Format.TFLITE))
_WARM_UP = 200
_WORK_US = (0, 20)
_SPIN_US = 100
_OPENED = """
import os, sys, time
from pathlib import Path
import numpy as np
import toolkit
from toolkit.core.memory import tree_bytes
start = time.perf_counter()
session = toolkit.load(sys.argv[1], engine=sys.argv[2], threads=1, isolated=sys.argv[3] == "True")
session.run(np.zeros((1, 1, 8, 8), np.float32))
seconds = time.perf_counter() - start
print(seconds, tree_bytes(os.getpid(), exact=True) / 2**20, tree_bytes(getattr(session, "pid", 0), exact=True) / 2**20)
"""

Call = Callable[[], Any]


@dataclass(frozen=True)
class Calls:
    """Microseconds a call in each round, of the session in this process and of the isolated one."""

    engine: str
    threads: int
    batch: int
    here_us: tuple[float, ...]
    isolated_us: tuple[float, ...]

    @property
    def differences_us(self) -> list[float]:
        """What the isolated round took more than the one beside it."""
        return [there - here for there, here in zip(self.isolated_us, self.here_us, strict=True)]


@dataclass(frozen=True)
class Way:
    """Microseconds of a round trip in each round above what the other side computes in it, ``work_us``."""

    name: str
    work_us: int
    rounds_us: tuple[float, ...]


@dataclass(frozen=True)
class Opening:
    """Seconds from `toolkit.load` to the first answer, and MiB of all processes and of the engine's, in each fresh process."""

    engine: str
    isolated: bool
    seconds: tuple[float, ...]
    all_mib: tuple[float, ...]
    engine_mib: tuple[float, ...]


def interleaved(cases: dict[str, Call], *, rounds: int, calls: int) -> dict[str, tuple[float, ...]]:
    """Microseconds a call of each case in each round."""
    order = random.Random(0)
    times: dict[str, list[float]] = {name: [] for name in cases}
    for call in cases.values():
        _time(call, _WARM_UP)
    for _ in range(rounds):
        for name in order.sample(list(cases), len(cases)):
            times[name].append(_time(cases[name], calls))
    return {name: tuple(each) for name, each in times.items()}


def _time(call: Call, calls: int) -> float:
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return (time.perf_counter_ns() - start) / calls / 1e3


def measure_calls(artifact: Artifact, engine: str, *, threads: int, batch: int, rounds: int, calls: int) -> Calls:
    """Compare the two sessions of an artifact."""
    (spec,) = artifact.manifest.signature.inputs
    x = np.random.default_rng(0).standard_normal(spec.concrete(batch)).astype(spec.dtype)
    options = SessionOptions(threads=threads)
    with (
        open_session(artifact, engine=engine, options=options) as here,
        open_session(artifact, engine=engine, options=options, isolated=True) as there,
    ):
        np.testing.assert_allclose(there.run(x)[0], here.run(x)[0], atol=1e-5)
        times = interleaved({"here": partial(here.run, x), "isolated": partial(there.run, x)}, rounds=rounds, calls=calls)
    return Calls(engine, threads, batch, times["here"], times["isolated"])


def measure_ways(work_us: int, *, rounds: int, calls: int) -> list[Way]:
    """Round trips of nothing between two processes, of which the other one computes for so long."""
    with _pipes() as pipe, _events() as event, _sockets() as sockets, _semaphores() as semaphore, _pipes(_SPIN_US) as spin:
        ways = {
            "two pipes (what sessions use)": pipe,
            "two eventfds": event,
            "a pair of sockets": sockets,
            "two semaphores": semaphore,
            f"pipes, after {_SPIN_US} µs of looking at memory": spin,
        }
        times = interleaved({name: partial(trip, work_us) for name, trip in ways.items()}, rounds=rounds, calls=calls)
    return [Way(name, work_us, tuple(took - work_us for took in each)) for name, each in times.items()]


Trip = Callable[[int], None]


@contextmanager
def _other(serve: Callable[[], None]) -> Iterator[None]:
    """A fork of this process that does `serve` again and again."""
    child = os.fork()
    if child == 0:
        while True:
            serve()
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _compute(microseconds: int) -> None:
    end = time.perf_counter_ns() + 1000 * microseconds
    while time.perf_counter_ns() < end:
        pass


@contextmanager
def _through(there: tuple[int, int], back: tuple[int, int], spin_us: int = 0) -> Iterator[Trip]:
    """Round trips through two files, each to read and to write; who waits for the answer looks for it in memory first."""
    seen = np.frombuffer(multiprocessing.RawArray("q", 1), np.int64)

    def serve() -> None:
        _compute(int.from_bytes(os.read(there[0], 8), "little") - 1)
        seen[0] += 1
        os.write(back[1], (1).to_bytes(8, "little"))

    def trip(work_us: int) -> None:
        before = seen[0]
        os.write(there[1], (work_us + 1).to_bytes(8, "little"))
        end = time.perf_counter_ns() + 1000 * spin_us
        while spin_us and seen[0] == before and time.perf_counter_ns() < end:
            pass
        os.read(back[0], 8)

    with _other(serve):
        yield trip
    for file in {*there, *back}:
        os.close(file)


def _pipes(spin_us: int = 0) -> Any:
    return _through(os.pipe(), os.pipe(), spin_us)


def _events() -> Any:
    there, back = os.eventfd(0), os.eventfd(0)
    return _through((there, there), (back, back))


def _sockets() -> Any:
    ours, theirs = (end.detach() for end in socket.socketpair())
    return _through((theirs, ours), (ours, theirs))


@contextmanager
def _semaphores() -> Iterator[Trip]:
    there, back = (multiprocessing.get_context("fork").Semaphore(0) for _ in range(2))
    work = multiprocessing.RawValue("q", 0)

    def serve() -> None:
        there.acquire()
        _compute(work.value)
        back.release()

    def trip(work_us: int) -> None:
        work.value = work_us
        there.release()
        back.acquire()

    with _other(serve):
        yield trip


def measure_openings(artifact: Artifact, engine: str, *, runs: int) -> Iterator[Opening]:
    """Open the artifact in fresh processes, both ways in turn."""
    figures: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
    for _ in range(runs):
        for isolated, each in figures.items():
            command = [sys.executable, "-c", _OPENED, str(artifact.path), engine, str(isolated)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
            each.append(tuple(map(float, done.stdout.split())))
    for isolated, each in figures.items():
        yield Opening(engine, isolated, *zip(*each, strict=True))


def _spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and the range of the middle nine tenths."""
    low, high = np.quantile(values, [0.05, 0.95])
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def page(record: Mapping[str, Any], calls: list[Calls], ways: list[Way], openings: list[Opening]) -> str:
    """The report."""
    lines = [
        "# Engines in a process of their own: what it costs",
        "",
        "Made by `python -m benchmarks.isolated`; never edited by hand. Raw values: [isolated.json](isolated.json). What is promised:",
        "[robustness.md](robustness.md#an-engine-apart-from-your-app).",
        "",
        f"{record['date']}, {record['cpu']}, {record['threads']} threads; load average {record['load_before']:.1f} before, "
        f"{record['load_after']:.1f} after.",
        "A figure is a median over rounds, in brackets its 95 % bootstrap interval, in parentheses where nine tenths of the rounds lie.",
        "",
        "## A call",
        "",
        f"The smallest reference model (`cnn`, images of 8 x 8), {len(calls[0].here_us)} rounds by turns. The budget for a batch of 1:",
        f"a difference of {BUDGET_US:.0f} µs.",
        "",
        "| engine | threads | batch | in the app's process, µs | isolated, µs | isolated / in process | difference, µs | |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for each in calls:
        over, ratio = bootstrap_median(each.differences_us), bootstrap_ratio(each.isolated_us, each.here_us)
        cells = (
            each.engine,
            str(each.threads),
            str(each.batch),
            f"{statistics.median(each.here_us):.1f}",
            f"{statistics.median(each.isolated_us):.1f}",
            f"{ratio.value:.1f} [{ratio.low:.1f}, {ratio.high:.1f}]",
            f"{over.value:.0f} [{over.low:.0f}, {over.high:.0f}] {_spread(each.differences_us).partition(' ')[2]}",
            "" if each.batch > 1 else "met" if over.value <= BUDGET_US else "not met",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Each call costs two switches between processes and, beside the engine's own, two copies of its arrays. Where other programs want",
        "the same cores, a switch waits for its turn: the load above belongs to the figures.",
        "",
        "## By what the processes wake each other",
        "",
        "Round trips of a few bytes, above what the other side computes in them; µs.",
        "",
        f"| | {' | '.join(f'computing {work} µs' for work in _WORK_US)} |",
        f"| --- |{' ---: |' * len(_WORK_US)}",
    ]
    for name in dict.fromkeys(way.name for way in ways):
        trips = [_spread(way.rounds_us, 1) for way in ways if way.name == name]
        lines.append(f"| {name} | {' | '.join(trips)} |")
    lines += [
        "",
        "Sessions use pipes: no other way to sleep is clearly faster and tells at once that the other side has ended. An app that looks at",
        "memory while it waits takes a core from the engine, or from others.",
        "",
        "## Opening, and memory",
        "",
        f"From `toolkit.load` to the first answer in {len(openings[0].seconds)} fresh apps, one thread; the import of the engine is in it.",
        "A page of memory that several processes share counts once.",
        "",
        "| engine | | seconds | MiB of all processes | of these the engine's |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for opened in openings:
        where = "isolated" if opened.isolated else "in the app's process"
        engine = f"{statistics.median(opened.engine_mib):.0f}" if opened.isolated else "–"
        lines.append(f"| {opened.engine} | {where} | {_spread(opened.seconds, 2)} | {statistics.median(opened.all_mib):.0f} | {engine} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "isolated.md")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--calls", type=int, default=50, help="in a round")
    parser.add_argument("--runs", type=int, default=7, help="fresh processes for each row of opening")
    options = parser.parse_args()
    from tests.runtimes.nets import NETS, make_artifacts

    machine = this_machine()
    record: dict[str, Any] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cpu": machine.cpu,
        "threads": machine.threads,
        "versions": machine.versions,
        "load_before": load_average(),
    }
    amount = {"rounds": options.rounds, "calls": options.calls}
    ways = [way for work in _WORK_US for way in measure_ways(work, **amount)]  # First: a fork must not have an engine's threads.
    with tempfile.TemporaryDirectory() as folder:
        artifacts = make_artifacts(NETS["cnn"], Path(folder), tuple(format for _, format in CASES))
        settings = [(threads, batch) for batch in (1, 64) for threads in dict.fromkeys((1, machine.threads)) if batch == 1 or threads == 1]
        calls = [
            measure_calls(artifacts[format], engine, threads=threads, batch=batch, **amount)
            for engine, format in CASES
            for threads, batch in settings
        ]
        openings = [row for engine, format in CASES for row in measure_openings(artifacts[format], engine, runs=options.runs)]
    record["load_after"] = load_average()
    rows = {"calls": [*map(asdict, calls)], "ways": [*map(asdict, ways)], "openings": [*map(asdict, openings)]}
    write_file(options.out.with_suffix(".json"), json.dumps(record | rows, indent=1) + "\n")
    write_file(options.out, page(record, calls, ways, openings))


if __name__ == "__main__":
    main()
