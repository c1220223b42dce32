"""Go, measured on this machine: ``make bench-go`` writes docs/go-benchmarks.md, its JSON and its plot from it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.core import load_average, this_machine, write_file

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, *words: str) -> Any:
    """What a script of this folder writes with ``--json``."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        subprocess.run([sys.executable, str(ROOT / "tests/bench" / script), *words, "--json", str(result)], check=True, cwd=ROOT)
        return json.loads(result.read_text())


def interval(value: dict[str, float], form: str = ",.0f") -> str:
    """An estimate with its interval."""
    return f"{value['value']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"


def verdict(met: bool) -> str:
    """Met or not."""
    return "met" if met else "**not met**"


def markdown(rules: dict[str, Any], speeds: list[dict[str, Any]], before: float) -> str:
    """The report: the machine, the rules, self-play."""
    machine = this_machine()
    best = next(s for s in speeds if s["setting"] == {"artifact": "openvino-int8", "engine": "openvino", "processes": 2, "games": 64})
    evaluations, tree = best["evaluations_per_s"], best["tree_share"]
    lines = [
        "# Go, measured",
        "",
        "Made by `make bench-go`; never edited by hand. Raw values: [go-benchmarks.json](go-benchmarks.json).",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.cpu}, {machine.threads} threads; "
        f"load average {before:.1f} before, {load_average():.1f} after.",
        "",
        "| what | budget | measured | |",
        "| --- | --- | --- | --- |",
        f"| random games that fill no own eye, 9 x 9, one core | 1,000,000 moves/s | {interval(rules['moves'])} | "
        f"{verdict(rules['moves']['value'] >= 1e6)} |",
        f"| full legal masks, 9 x 9, one core | 100,000 a second | {interval(rules['masks'])} | "
        f"{verdict(rules['masks']['value'] >= 1e5)} |",
        f"| self-play 6x64 on 9 x 9, int8 on OpenVINO, 2 processes | 8,000 evaluations/s | {interval(evaluations)} | "
        f"{verdict(evaluations['value'] >= 8000)} |",
        f"| of that outside the net | 15 % | {interval(tree, '.1%')} | {verdict(tree['value'] <= 0.15)} |",
        "",
        "## Self-play by engine, precision, processes and games in lockstep",
        "",
        f"200 playouts a move, random weights, {best['rounds']} rounds in a random order; answers out of the cache do not count.",
        "A process has one thread; with G games in lockstep up to G positions are evaluated at once.",
        "",
        "| artifact | engine | processes | games | evaluations/s | outside the net |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for speed in speeds:
        s = speed["setting"]
        share = interval(speed["tree_share"], ".1%")
        lines.append(
            f"| {s['artifact']} | {s['engine']} | {s['processes']} | {s['games']} | {interval(speed['evaluations_per_s'])} | {share} |"
        )
    lines += ["", "![evaluations a second by games in lockstep, and by artifact](go-selfplay.png)"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "go-benchmarks.md")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    before = load_average()
    rules = run("go_rules.py")
    speeds = run("go_selfplay.py", "--rounds", str(options.rounds), "--plot", str(options.out.with_name("go-selfplay.png")))
    write_file(options.out, markdown(rules, speeds, before))
    write_file(options.out.with_suffix(".json"), json.dumps({"rules": rules, "selfplay": speeds}, indent=2) + "\n")
    print(options.out.read_text())


if __name__ == "__main__":
    main()
