"""What joining callers gains where they arrive at random: MLPerf's server scenario, with and without a batcher: docs/batcher.md.

python -m benchmarks.batcher

Callers arrive by a Poisson process, each with one row of its own number. A rate is kept where 99 % of them are answered within the
deadline, counted from when they were to come; the highest rate that is kept is looked for by halves, joined and alone by turns. Reddi et
al. 2020, "MLPerf Inference Benchmark", section 4.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from toolkit.core import EngineError, load_average, this_machine
from toolkit.runtimes import Batcher, Session, SessionOptions, open_session

from .pages import write_measured

ROOT = Path(__file__).resolve().parents[1]
ENGINES = ("onnxruntime", "openvino")
DEADLINE_S, MOST, SECONDS, ROUNDS, STEPS = 0.02, 32, 1.0, 3, 6
CALLERS = 100_000


@dataclass(frozen=True)
class Run:
    """One run at a rate: how many callers there were, their 50th and 99th percentile in seconds, and how many got another's answer."""

    callers: int
    p50_s: float
    p99_s: float
    swapped: int


@dataclass(frozen=True)
class Row:
    """Of one network in one engine: the highest rates that were kept alone and joined, by rounds, a run at four fifths of the joined rate,
    and one of many callers.
    """

    network: str
    engine: str
    alone: tuple[float, ...]
    joined: tuple[float, ...]
    at_load: Run
    many: Run

    @property
    def gains(self) -> list[float]:
        """Joined over alone, round by round."""
        return [one / other for one, other in zip(self.joined, self.alone, strict=True)]


def network(file: Path, *, layers: int, width: int, seed: int = 0) -> Path:
    """ONNX: ``x: float32[batch, width]`` through layers of that width, and the sum of what came in as the last of its outputs."""
    from onnx import TensorProto, helper, numpy_helper, save

    random = np.random.default_rng(seed)
    nodes, weights, last = [], [], "x"
    for number in range(layers):
        weights.append(numpy_helper.from_array((random.standard_normal((width, width)) / width).astype(np.float32), f"w{number}"))
        nodes += [
            helper.make_node("MatMul", [last, f"w{number}"], [f"m{number}"]),
            helper.make_node("Relu", [f"m{number}"], [f"r{number}"]),
        ]
        last = f"r{number}"
    nodes.append(helper.make_node("ReduceMean", ["x"], ["number"], axes=[1], keepdims=1))
    shape = ["batch", width]
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(last, TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("number", TensorProto.FLOAT, ["batch", 1]),
        ],
        weights,
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


NETWORKS = {"3 layers of 1,024": (3, 1024), "2 layers of 128": (2, 128)}


def run(batcher: Batcher, rate: float, *, width: int, callers: int, seed: int) -> Run:
    """So many callers at a rate a second; who comes late because the machine was busy is counted from when it should have come. The 99th
    percentile is infinite where somebody was refused, because too many waited; nobody comes after that.
    """
    random = np.random.default_rng(seed)
    due = np.cumsum(random.exponential(1 / rate, callers))
    took, swapped = np.zeros(callers), [0]
    left, done, lock = [callers], threading.Event(), threading.Lock()
    rows = np.repeat(np.arange(1000, dtype=np.float32)[:, None, None], width, axis=2)
    began = time.perf_counter() + 0.01
    for number in range(callers):
        pause = began + due[number] - time.perf_counter()
        if pause > 0:
            time.sleep(pause)

        def answered(answer: object, number: int = number) -> None:
            took[number] = time.perf_counter() - began - due[number]
            _, own = answer.result()  # type: ignore[attr-defined]
            with lock:
                swapped[0] += abs(float(own[0, 0]) - number % 1000) > 0.01
                left[0] -= 1
                if not left[0]:
                    done.set()

        try:
            batcher.submit(rows[number % 1000]).add_done_callback(answered)
        except EngineError:
            return Run(number, np.inf, np.inf, swapped[0])
    done.wait()
    return Run(callers, float(np.percentile(took, 50)), float(np.percentile(took, 99)), swapped[0])


def highest(session: Session, first: float, *, most: int, width: int, seed: int) -> float:
    """The highest rate that is kept, looked for by halves of its logarithm between a quarter of `first` and sixteen times that."""
    low, high = first / 4, first * 16
    for step in range(STEPS):
        rate = (low * high) ** 0.5
        with session.batcher(most=most, waiting=max(64, int(rate * DEADLINE_S * 4))) as batcher:
            kept = run(batcher, rate, width=width, callers=max(200, int(rate * SECONDS)), seed=seed + step).p99_s <= DEADLINE_S
        low, high = (rate, high) if kept else (low, rate)
    return low


def measure(name: str, engine: str, folder: Path) -> Row:
    """One row."""
    layers, width = NETWORKS[name]
    file = network(folder / f"{layers}-{width}.onnx", layers=layers, width=width)
    rates: dict[int, list[float]] = {1: [], MOST: []}
    with open_session(file, engine=engine, options=SessionOptions(threads=1)) as session:
        row = np.zeros((1, width), np.float32)
        start = time.perf_counter()
        for _ in range(200):
            session.run(row)
        first = 200 / (time.perf_counter() - start)
        for number in range(ROUNDS):
            for most in (1, MOST) if number % 2 else (MOST, 1):
                rates[most].append(highest(session, first, most=most, width=width, seed=100 * number))
        rate = 0.8 * statistics.median(rates[MOST])
        with session.batcher(most=MOST, waiting=10**6) as batcher:
            at_load = run(batcher, rate, width=width, callers=int(rate * 5 * SECONDS), seed=7)
            many = run(batcher, rate, width=width, callers=CALLERS, seed=8)
    return Row(name, engine, tuple(rates[1]), tuple(rates[MOST]), at_load, many)


def page(rows: list[Row]) -> str:
    """docs/batcher.md below its text."""
    machine = this_machine()
    lines = [
        "| network | engine | alone, callers/s | joined, callers/s | gain | p50, p99 at 80 % | 100,000 callers |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        gains = sorted(row.gains)
        lines.append(
            f"| {row.network} | {row.engine} | {_spread(row.alone)} | {_spread(row.joined)} "
            f"| **{statistics.median(gains):.1f}** ({gains[0]:.1f} to {gains[-1]:.1f}) "
            f"| {1e3 * row.at_load.p50_s:.1f}, {1e3 * row.at_load.p99_s:.1f} ms (n={row.at_load.callers:,}) "
            f"| {row.many.swapped} swapped, p99 {1e3 * row.many.p99_s:.1f} ms |"
        )
    where = f"{machine.cpu}, {machine.threads} threads, {', '.join(machine.instruction_sets)}"
    how = f"Medians of {ROUNDS} rounds, least to most in brackets."
    return "\n".join([*lines, "", f"{datetime.now(UTC):%Y-%m-%d}, {where}, load {load_average():.1f} at the end. {how}"])


def _spread(rates: tuple[float, ...]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"


_MARK = "<!-- measured -->"


def main() -> None:
    """Measure, and write the page's table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "batcher.md", help="the page whose table is written anew")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for name in NETWORKS:
            for engine in ENGINES:
                rows.append(measure(name, engine, Path(folder)))
                print(f"{len(rows)}/{len(NETWORKS) * len(ENGINES)} {name} in {engine}: {rows[-1].gains}", file=sys.stderr, flush=True)
    write_measured(options.out, _MARK, page(rows))


if __name__ == "__main__":
    main()
