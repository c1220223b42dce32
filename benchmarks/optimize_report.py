"""`toolkit optimize` against trying everything, on this machine: docs/optimize.md.

    python -m benchmarks.optimize_report --bundles artifacts/train-all

Both begin with the trained network, an empty cache and an empty folder. Trying everything is what a person would type: convert to
every format and precision, verify in every engine, benchmark in every engine with one thread and with all, by the protocol of
`toolkit optimize`. What each of the two would ship is then measured again, side by side.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.by_model import ROOT, report
from toolkit.cli.optimize import command as optimize
from toolkit.core import Bundle, Interval, Samples, Verdict, available_threads, bootstrap_ratio, load_average, this_machine
from toolkit.core.measurement import BENCHMARK, BenchmarkReport, Measurement, Protocol, Setting
from toolkit.models.alphago.games import Go
from toolkit.models.alphago.replay import Replay
from toolkit.models.alphago.selfplay import SelfPlayOptions
from toolkit.models.alphago.shipped import shipped_net
from toolkit.pipeline.go.selfplay import play_games
from toolkit.pipeline.go.workers import WorkerOptions
from toolkit.pipeline.optimize import PROTOCOL
from toolkit.pipeline.source.samples import split_samples
from toolkit.runtimes import all_runtimes
from toolkit.runtimes.benchmark import run_benchmark

NET = "go-9x9"
POSITIONS = 8000
MODELS = ("cnn", "lstm", "transformer", NET)
PRECISIONS = str(next(each.default for each in optimize.params if each.name == "precisions"))
DUEL = Protocol(rounds=15, min_seconds=0.3, seed=1)
WITHIN, SHARE = 1.05, 1 / 3


@dataclass(frozen=True)
class Pick:
    """One way to run the model."""

    artifact: str
    engine: str
    threads: int

    def __str__(self) -> str:
        return f"{self.artifact}, {self.engine}, {self.threads}"


@dataclass(frozen=True)
class Row:
    """One model: what both ship, how long both took, how many measuring processes they ran; ``ratio`` is the latency of optimize's pick
    over that of the sweep's, None when both picked the same; ``rank`` is where the sweep's own figures have optimize's pick.
    """

    model: str
    optimized: Pick
    best: Pick
    optimize_s: float
    sweep_s: float
    steps_s: dict[str, float]
    optimize_processes: int
    sweep_processes: int
    rank: int
    candidates: int
    ratio: Interval | None
    load: float


def command(words: Sequence[str], *, cache: Path, codes: Collection[int] = (0, 1)) -> float:
    """The seconds of a command of the toolkit; some targets may fail, as they may for a person, unless `codes` says otherwise."""
    start = time.perf_counter()
    environment = {**os.environ, "TOOLKIT_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-m", "toolkit", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return time.perf_counter() - start


def swept(source: Path, data: Sequence[str], work: Path) -> tuple[BenchmarkReport, Bundle, dict[str, float]]:
    """Everything converted, verified and measured."""
    cache, bundle = work / "cache", source.parent
    threads = ",".join(str(count) for count in dict.fromkeys((1, available_threads())))
    # Both may ship what an app gets without asking for it by name.
    engines = ",".join(runtime.name for runtime in all_runtimes() if runtime.for_apps)
    protocol = ["--rounds", str(PROTOCOL.rounds), "--seconds", str(PROTOCOL.min_seconds)]
    steps = {
        "convert": command(["convert", str(source), "--precision", PRECISIONS, *data], cache=cache),
        "verify": command(["verify", str(bundle), "--engine", engines, *data], cache=cache),
        "benchmark": command(["benchmark", str(bundle), "--engine", engines, "--threads", threads, *protocol, *data], cache=cache),
    }
    return BenchmarkReport.load(bundle / BENCHMARK), Bundle.load(bundle), steps


def passed(report: BenchmarkReport) -> list[Measurement]:
    """What may be shipped, the fastest first."""
    good = [m for m in report.measurements if m.ok and (row := report.parity_of(m)) and row.verdict is Verdict.PASSED]
    return sorted(good, key=lambda m: m.latency_ns.value)


def duel(first: Path, second: Path, picks: tuple[Pick, Pick], samples: Samples) -> Interval:
    """The latency of the first over that of the second, in rounds of both one after the other."""
    settings = []
    for folder, pick in zip((first, second), picks, strict=True):
        artifact = next(a for a in Bundle.load(folder) if a.name == pick.artifact)
        settings.append(Setting(str(artifact.path), artifact.name, artifact.manifest.content_sha256, pick.engine, threads=pick.threads))
    with tempfile.TemporaryDirectory() as work:
        samples.rows(slice(32 * DUEL.inputs)).save(inputs := Path(work) / "inputs.npz")
        own, other = run_benchmark(settings, inputs=inputs, protocol=DUEL)
    return bootstrap_ratio([r.median_ns for r in own.rounds], [r.median_ns for r in other.rounds])


def positions(path: Path, count: int) -> None:
    """Positions of the shipped net's games against itself, the search's move as the label."""
    game = Go(9, komi=7.0)
    replay = Replay(game)
    plays = SelfPlayOptions(playouts=64, fast_playouts=64, full_share=1.0)
    for played in play_games(WorkerOptions(game, plays), shipped_net(NET), games=10_000):
        replay.add(list(played.records))
        if replay.arrays["full"].sum() >= count:
            break
    batch = replay.newest(count)
    Samples({"planes": batch.planes}, batch.policy.argmax(axis=1), "positions of self-play").save(path)


def measured(name: str, bundles: Path, work: Path) -> Row:
    """Both ways for one model."""
    data: list[str] = []
    if name == NET:
        origin = shipped_net(NET) / "onnx-fp32"
        data = ["--data", str(work / "positions.npz")]
        positions(work / "positions.npz", POSITIONS)
    else:
        origin = bundles / "fashion-mnist" / name / "pt2-fp32"
    sources = {way: work / way / name / origin.name for way in ("optimize", "sweep")}
    for source in sources.values():
        shutil.rmtree(source.parent, ignore_errors=True)
        shutil.copytree(origin, source)
        shutil.rmtree(source.parents[1] / "cache", ignore_errors=True)
    told = work / "optimize.json"
    load = load_average()
    seconds = command(["optimize", str(sources["optimize"]), *data, "--json", str(told)], cache=work / "optimize" / "cache", codes=[0])
    optimized: dict[str, Any] = json.loads(told.read_text())
    found, bundle, steps = swept(sources["sweep"], data, work / "sweep")
    ranked = [pick_of(each) for each in passed(found)]
    picks = msgspec.convert(optimized["shipped"], Pick), ranked[0]
    shipped = sources["optimize"].parent.with_name(f"{name}-shipped")
    samples = samples_of(bundle, data)
    return Row(
        model=name,
        optimized=picks[0],
        best=picks[1],
        optimize_s=seconds,
        sweep_s=sum(steps.values()),
        steps_s=steps,
        optimize_processes=optimized["processes"],
        sweep_processes=sum(len(m.rounds) for m in found.measurements),
        rank=1 + (ranked.index(picks[0]) if picks[0] in ranked else len(ranked)),
        candidates=len(found.measurements),
        ratio=None if picks[0] == picks[1] else duel(shipped, bundle.path, picks, samples),
        load=load,
    )


def pick_of(measurement: Measurement) -> Pick:
    """How a measured setting would be shipped."""
    return Pick(measurement.setting.artifact, measurement.setting.engine, measurement.setting.threads)


def samples_of(bundle: Bundle, data: Sequence[str]) -> Samples:
    """The samples that the benchmark took its inputs from."""
    return split_samples(next(iter(bundle)), data[1] if data else None).evaluation


def page(rows: Sequence[Row]) -> str:
    """The rows as a page."""
    machine = this_machine()
    lines = [
        "# `toolkit optimize` against trying everything",
        "",
        "Made by `make bench-optimize`; never edited by hand. Raw values: docs/optimize.json.",
        "",
        f"{machine.cpu}, {machine.threads} threads. Both begin with the trained network and an empty cache. Trying everything is",
        "`toolkit convert` to every format and precision, `toolkit verify --engine all`, and `toolkit benchmark --engine all` with one",
        f"thread and with all, {PROTOCOL.rounds} rounds each. What the two would ship is then measured again in {DUEL.rounds} interleaved",
        "rounds: the ratio is the latency of optimize's pick over that of the other, above 1 is worse, with its bootstrap interval.",
        "",
        "| model | optimize ships | the sweep's fastest that passed | latency ratio | time | of the sweep's | processes | holds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        share = row.optimize_s / row.sweep_s
        ratio = "1, the same" if row.ratio is None else f"{row.ratio.value:.2f} [{row.ratio.low:.2f}, {row.ratio.high:.2f}]"
        near = row.ratio is None or row.ratio.value <= WITHIN
        holds = "yes" if near and share <= SHARE else "no"
        lines.append(
            f"| {row.model} | {row.optimized} | {row.best} | {ratio} | {row.optimize_s:.0f} s | {share:.0%} of {row.sweep_s:.0f} s "
            f"| {row.optimize_processes} of {row.sweep_processes} | {holds} |"
        )
    lines += [
        "",
        f"It holds where the pick is within {WITHIN - 1:.0%} of the sweep's and took at most a third of the time. The sweep's time in",
        "seconds, and the place of optimize's pick in the sweep's own figures.",
        "`verify` is in every engine that an app can load; what a row was measured with is in docs/measuring.md:",
        "",
        "| model | convert | verify | benchmark | candidates | place | load before |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        steps = " | ".join(f"{row.steps_s[step]:.0f}" for step in ("convert", "verify", "benchmark"))
        lines.append(f"| {row.model} | {steps} | {row.candidates} | {row.rank} | {row.load:.1f} |")
    missing = [name for name in MODELS if name not in {row.model for row in rows}]
    if missing:
        lines += ["", f"Not measured yet: {', '.join(missing)}."]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure what is missing, and write the page after each model."""
    report(__doc__, Row, measured, page, models=MODELS, out=ROOT / "docs" / "optimize.md")


if __name__ == "__main__":
    main()
