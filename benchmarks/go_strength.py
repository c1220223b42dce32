"""The nets that come with the project: how they were learned, and how strong they are against others and in another precision.

    python benchmarks/go_strength.py --json out.json --plot out.png

Every match is one command of ``toolkit go`` that a reader can repeat; it is in the result beside what it gave. A match that the file
holds already, made by the same command with the same nets, is not played again, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from toolkit.core import sha256_of, write_file
from toolkit.models.alphago.checkpoint import Generation
from toolkit.models.alphago.shipped import shipped_nets
from toolkit.pipeline.go.train import METRICS, OPTIONS

ROOT = Path(__file__).resolve().parents[1]
_LEVELS = (0, 1, 5, 10)
_MARK = "{nets}"


@dataclass(frozen=True)
class Case:
    """``words`` after ``toolkit go``; ``{nets}`` stands for the folder of the nets."""

    title: str
    net: str
    words: tuple[str, ...]


def cases(nets: Sequence[str]) -> Iterator[Case]:
    """The matches of each net that is there."""
    for net in nets:
        size = net.rpartition("x")[2]
        int8 = f"{_MARK}/{net}/onnx-int8"
        if net == "go-5x5":
            for precision in ("fp32", "int8"):
                sides = ("--black", f"onnx-{precision}", "--white", f"onnx-{precision}")
                words: tuple[str, ...] = ("demo", "--net", f"{_MARK}/{net}", *sides, "--playouts", "400", "--opening", "0", "--delay", "0")
                yield Case(f"5 x 5, {precision} against itself, 400 playouts", net, words)
        if net == "go-7x7":
            yield Case("7 x 7 against UCT with 1,000 playouts", net, ("match", f"{int8}@400", "uct:1000", "--games", "100"))
        if net == "go-9x9":
            for level in _LEVELS:
                words = ("match", f"{int8}@400", f"gnugo:{level}", "--games", "40", "--komi", "7")
                yield Case(f"9 x 9 against GNU Go level {level}", net, words)
        playouts = "50" if net == "go-9x9" else "100"
        both = ("strength", f"{_MARK}/{net}/onnx-fp32", f"{_MARK}/{net}/onnx-int8", "--games", "400", "--playouts", playouts)
        yield Case(f"{size} x {size}, int8 against fp32, equal playouts", net, both)
        yield Case(f"{size} x {size}, int8 against fp32, equal time", net, (*both, "--equal-time"))


def play(case: Case, nets: Path) -> dict[str, Any]:
    """Run the command and return its JSON without the games."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        words = [word.replace(_MARK, str(nets)) for word in case.words]
        subprocess.run([sys.executable, "-m", "toolkit", "go", *words, "--json", str(result)], check=True, cwd=ROOT)
        told = json.loads(result.read_text())
    if "moves" in told:
        return {"opens": told["moves"][0]["move"], "moves": len(told["moves"]), "outcome": told["result"]}
    match = told["matches"][0] if "matches" in told else told
    return {key: value for key, value in match.items() if key != "games"}


def fingerprint(folder: Path) -> str:
    """Of the nets that play: a match is known only for the same ones."""
    return sha256_of(folder / "onnx-fp32" / "model.onnx")[:16] + sha256_of(folder / "onnx-int8" / "model.onnx")[:16]


def learned(folder: Path) -> dict[str, Any]:
    """How a net came to be, from its log."""
    generations = [msgspec.json.decode(line, type=Generation) for line in (folder / METRICS).read_bytes().splitlines()]
    parts = ("seconds_selfplay", "seconds_training", "seconds_conversion", "seconds_rating")
    seconds = {part.removeprefix("seconds_"): sum(getattr(g, part) for g in generations) for part in parts}
    curve = [(g.generation, asdict(g.rated.elo), minutes) for g, minutes in _with_minutes(generations) if g.rated is not None]
    return {
        "generations": len(generations),
        "games": sum(g.games for g in generations),
        "positions": sum(g.positions for g in generations),
        "minutes": sum(seconds.values()) / 60,
        "seconds": seconds,
        "overlapped": sum(g.seconds_overlapped for g in generations),
        "options": json.loads((folder / OPTIONS).read_text()) if (folder / OPTIONS).is_file() else {},
        "curve": [{"generation": number, "minutes": minutes, "elo": elo} for number, elo, minutes in curve],
    }


def _with_minutes(generations: Sequence[Generation]) -> Iterator[tuple[Generation, float]]:
    minutes = 0.0
    for g in generations:
        minutes += (g.seconds_selfplay + g.seconds_training + g.seconds_conversion + g.seconds_rating) / 60
        yield g, minutes


def plot(nets: dict[str, dict[str, Any]], file: Path) -> None:
    """The Elo of each net over the minutes of its run."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
    for name, net in nets.items():
        curve = net["curve"]
        if not curve:
            continue
        minutes, elo = [0.0, *(p["minutes"] for p in curve)], [0.0, *(p["elo"]["value"] for p in curve)]
        low, high = [0.0, *(p["elo"]["low"] for p in curve)], [0.0, *(p["elo"]["high"] for p in curve)]
        (line,) = axes.plot(minutes, elo, marker="o", markersize=3, label=name)
        axes.fill_between(minutes, low, high, alpha=0.15, color=line.get_color())
    axes.set(xlabel="minutes on 2 cores", ylabel="Elo above the run's first net", title="Learning, with 95 % intervals")
    axes.legend()
    figure.savefig(file, dpi=110)


def main() -> None:
    """Play, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--only", default="", help="play only matches whose title holds this text; the others as far as they are known")
    options = parser.parse_args()
    folders = shipped_nets()
    known = {}
    if options.json.is_file():
        known = {(m["title"], tuple(m["words"]), m["nets"]): m for m in json.loads(options.json.read_text())["matches"]}
    nets = {name: learned(folder) for name, folder in folders.items()}
    matches = []
    for case in cases(list(folders)):
        mark = fingerprint(folders[case.net])
        found = known.get((case.title, case.words, mark))
        if found is None and options.only in case.title:
            result = play(case, folders[case.net].parent)
            found = {**asdict(case), "nets": mark, "date": f"{datetime.now(UTC):%Y-%m-%d}", "result": result}
        if found is None:
            continue
        matches.append(found)
        print(case.title, found["result"], file=sys.stderr, flush=True)
        write_file(options.json, json.dumps({"nets": nets, "matches": matches}, indent=2) + "\n")
    if options.plot:
        plot(nets, options.plot)


if __name__ == "__main__":
    main()
