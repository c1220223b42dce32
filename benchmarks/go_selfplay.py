"""Self-play through the deployed runtimes: the net's evaluations a second and where the time goes, by engine, batch and processes.

    python benchmarks/go_selfplay.py --json out.json --plot out.png

The net is 6 blocks x 64 channels for 9 x 9; its weights are random and its int8 ranges calibrated on random games, which changes
what is played but not what an evaluation costs. Settings are measured in rounds, in a random order, each in fresh processes;
answers out of the cache do not count as evaluations.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from toolkit.core import Interval, Samples, bootstrap_median, write_file
from toolkit.models.alphago.games import Go
from toolkit.models.alphago.net import NetOptions, build_net, export_net
from toolkit.models.alphago.selfplay import SelfPlayOptions
from toolkit.pipeline.convert import Request, convert, nodes
from toolkit.pipeline.go.workers import WorkerOptions, Workers
from toolkit.pipeline.source.samples import Split

PLAYOUTS = 200
BUDGET = 8000
"""Evaluations a second with int8 on 2 cores."""
_WARM_UP_S = 3.0


@dataclass(frozen=True)
class Setting:
    """``games`` in lockstep in each of ``processes`` processes, whose nets have ``threads`` threads each: up to so many positions are
    evaluated at once.
    """

    artifact: str
    engine: str
    processes: int
    games: int
    threads: int = 1


@dataclass(frozen=True)
class Speed:
    """Evaluations a second of all processes together, and the share of a process's time that is not the net's, over rounds."""

    setting: Setting
    evaluations_per_s: Interval
    tree_share: Interval
    rounds: int


SETTINGS = (
    *(Setting("openvino-int8", "openvino", processes, games) for processes in (1, 2) for games in (1, 8, 64)),
    *(Setting("openvino-int8", "openvino", 1, games, threads=2) for games in (1, 8, 64)),
    *(Setting(artifact, engine, 2, 64) for artifact, engine in (("onnx-int8", "onnxruntime"), ("tflite-int8", "litert"))),
    *(
        Setting(f"{format}-fp32", engine, 2, 64)
        for format, engine in (("openvino", "openvino"), ("onnx", "onnxruntime"), ("tflite", "litert"))
    ),
)


def make_artifacts(game: Go, bundle: Path) -> None:
    """A net with random weights in every format that is measured."""
    import torch

    torch.manual_seed(0)
    options = NetOptions(6, 64)
    net = build_net(game, options)
    planes = random_positions(game, 1024)
    for block in net.tower:  # A fresh block adds nothing to its input, and a converter that sees that leaves it out.
        torch.nn.init.ones_(block.second[1].weight)
    with torch.no_grad():  # Batch norm learns what its inputs look like.
        for start in range(0, len(planes), 128):
            net(torch.from_numpy(planes[start : start + 128]))
    source = export_net(net, game=game, options=options, out=bundle / "pt2-fp32")
    split = Split(Samples({"planes": planes[:512]}), Samples({"planes": planes[512:]}))
    targets = nodes(["openvino", "onnx", "tflite"], ["fp32", "int8"])
    convert(Request(source, targets, bundle, split, batch_sizes=(1, 64)))


def random_positions(game: Go, count: int) -> np.ndarray:
    """Positions of random games, ``[count, C, H, W]`` float32, each after another number of moves."""
    generator = np.random.default_rng(0)
    states, planes = game.new(count), np.empty((count, game.planes, game.height, game.width), np.float32)
    rows = np.arange(count)
    for move in range(game.max_moves // 2):
        live = rows[rows % (game.max_moves // 2) > move]
        legal = game.legal(states, live)
        legal[:, -1] = ~legal[:, :-1].any(axis=1)
        actions = np.where(legal, generator.random(legal.shape), -1).argmax(axis=1)
        ended, _ = game.outcome(states, live)
        game.play(states, live[~ended], actions[~ended])
    game.encode(states, rows, planes)
    return planes


def measure(bundle: Path, game: Go, setting: Setting, *, seconds: float, seed: int) -> tuple[float, float]:
    """Evaluations a second and the tree's share of the time, after a warm-up."""
    options = SelfPlayOptions(playouts=PLAYOUTS, fast_playouts=PLAYOUTS, full_share=1.0)
    with Workers(WorkerOptions(game, options, setting.processes, setting.games, setting.threads, seed=seed)) as pool:
        pool.use(bundle / setting.artifact, engine=setting.engine)
        evaluations, tree, net, begin = 0, 0.0, 0.0, time.perf_counter()
        start = begin
        for played in pool.play(1 << 60):
            now = time.perf_counter()
            if now - begin < _WARM_UP_S:
                evaluations, tree, net, start = 0, 0.0, 0.0, now
                continue
            evaluations += played.evaluations
            tree += played.seconds - played.seconds_net
            net += played.seconds_net
            if now - start >= seconds:
                return evaluations / (now - start), tree / (tree + net)
    raise AssertionError("play without end ended")


def measure_all(settings: Sequence[Setting], *, seconds: float, rounds: int) -> list[Speed]:
    """Every setting in every round."""
    game, order = Go(9), random.Random(0)
    found: dict[Setting, list[tuple[float, float]]] = {setting: [] for setting in settings}
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "alphago"
        make_artifacts(game, bundle)
        for number in range(rounds):
            for setting in order.sample(list(settings), len(settings)):
                found[setting].append(measure(bundle, game, setting, seconds=seconds, seed=number))
                print(f"{number} {setting} {found[setting][-1]}", file=sys.stderr, flush=True)
    return [
        Speed(setting, bootstrap_median([speed for speed, _ in values]), bootstrap_median([share for _, share in values]), len(values))
        for setting, values in found.items()
    ]


def plot(speeds: Sequence[Speed], file: Path) -> None:
    """Evaluations a second over the games in lockstep, a line for each number of processes and threads, and a bar for each engine."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for processes, threads in ((1, 1), (1, 2), (2, 1)):
        own = [
            s for s in speeds if s.setting.artifact == "openvino-int8" and (s.setting.processes, s.setting.threads) == (processes, threads)
        ]
        left.errorbar(
            [s.setting.games for s in own],
            [s.evaluations_per_s.value for s in own],
            yerr=_arms(own),
            marker="o",
            capsize=2,
            label=f"{processes} x {threads} thread{'s' if threads > 1 else ''}",
        )
    left.axhline(BUDGET, color="grey", linewidth=1, linestyle=":")
    left.set(xscale="log", xlabel="games in lockstep", ylabel="evaluations/s [95 %]", title="OpenVINO int8", ylim=(0, None))
    left.yaxis.set_major_formatter("{x:,.0f}")
    steps = sorted({s.setting.games for s in speeds})
    left.set_xticks(steps, map(str, steps), minor=False)
    left.minorticks_off()
    left.legend(title="processes")
    most = max(s.setting.games for s in speeds)
    bars = [s for s in speeds if s.setting.processes == 2 and s.setting.games == most]
    right.barh([s.setting.artifact for s in bars], [s.evaluations_per_s.value for s in bars], xerr=_arms(bars), capsize=2)
    right.axvline(BUDGET, color="grey", linewidth=1, linestyle=":", label=f"budget of int8: {BUDGET:,}")
    right.set(xlabel="evaluations/s [95 %]", title=f"2 processes x {most} games")
    right.locator_params(axis="x", nbins=4)
    right.xaxis.set_major_formatter("{x:,.0f}")
    right.legend(loc="upper right", fontsize=8)
    figure.savefig(file, dpi=110)


def _arms(speeds: Sequence[Speed]) -> list[list[float]]:
    """How far the intervals reach below and above."""
    found = [s.evaluations_per_s for s in speeds]
    return [[each.value - each.low for each in found], [each.high - each.value for each in found]]


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="only settings of this artifact")
    parser.add_argument("--processes", type=int, help="only settings with so many processes")
    parser.add_argument("--games", type=int, help="only settings with so many games in lockstep")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    settings = [
        setting
        for setting in SETTINGS
        if options.only in {None, setting.artifact}
        and options.processes in {None, setting.processes}
        and options.games in {None, setting.games}
    ]
    speeds = measure_all(settings, seconds=options.seconds, rounds=options.rounds)
    for speed in speeds:
        s, e, t = speed.setting, speed.evaluations_per_s, speed.tree_share
        print(
            f"{s.artifact:<14} {s.processes} x {s.threads} x {s.games:<3} {e.value:8,.0f} [{e.low:,.0f}, {e.high:,.0f}] evaluations/s"
            f"  tree {t.value:.1%} [{t.low:.1%}, {t.high:.1%}]"
        )
    if options.json:
        write_file(options.json, json.dumps([asdict(speed) for speed in speeds], indent=2) + "\n")
    if options.plot:
        plot(speeds, options.plot)


if __name__ == "__main__":
    main()
