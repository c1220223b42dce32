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

ROOT = Path(__file__).resolve().parents[1]


def run(script: str, *words: str) -> Any:
    """What a script of this folder writes with ``--json``."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        call(script, *words, "--json", str(result))
        return json.loads(result.read_text())


def call(script: str, *words: str) -> None:
    """Run a script of this folder."""
    subprocess.run([sys.executable, str(ROOT / "benchmarks" / script), *words], check=True, cwd=ROOT)


def interval(value: dict[str, float], form: str = ",.0f") -> str:
    """An estimate with its interval."""
    return f"{value['value']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"


def verdict(met: bool) -> str:
    """Met or not."""
    return "met" if met else "**not met**"


def elo(result: dict[str, Any], *, turned: bool = False) -> str:
    """A match in points and Elo; `turned` from the second player's view."""
    won, drawn, lost = (result[name] for name in (("lost", "drawn", "won") if turned else ("won", "drawn", "lost")))
    e = result["elo"]
    value, low, high = (-e["value"], -e["high"], -e["low"]) if turned else (e["value"], e["low"], e["high"])
    score = (won + drawn / 2) / (won + drawn + lost)
    return f"{score:.0%}: {won} won, {drawn} drawn, {lost} lost; Elo {value:+.0f} [{low:+.0f}, {high:+.0f}], n={won + drawn + lost}"


def strength_rows(strength: dict[str, Any]) -> list[str]:
    """What each match gave, with its command."""
    rows = []
    for match in strength["matches"]:
        result, title = match["result"], match["title"]
        command = f"`toolkit go {' '.join(match['words']).replace('{nets}/', '')}`"
        budget, verdict_ = "", ""
        if "opens" in result:
            met = result["opens"] == "C3" and result["outcome"] == "Black wins by 18"
            budget, verdict_ = "opens C3, wins by 25 before komi 7", verdict(met)
            measured = f"opens {result['opens']}, {result['outcome']} after komi, {result['moves']} moves"
        else:
            measured = elo(result, turned="--playouts" in match["words"])
            if "UCT" in title:
                score = (result["won"] + result["drawn"] / 2) / (result["won"] + result["drawn"] + result["lost"])
                budget, verdict_ = "over 90 %", verdict(score > 0.9)
            if "--equal-time" in match["words"]:
                measured += f" ({result['b']} against {result['a']})"
        if "date" in match:
            measured += f"; {match['date']}"
        rows.append(f"| {title} | {budget} | {measured} | {verdict_} | {command} |")
    return rows


def learned_rows(strength: dict[str, Any]) -> list[str]:
    """How each net came to be."""
    rows = []
    for name, net in strength["nets"].items():
        last = net["curve"][-1]["elo"] if net["curve"] else None
        end = f"{last['value']:+.0f} [{last['low']:+.0f}, {last['high']:+.0f}]" if last else ""
        seconds, total = net["seconds"], sum(net["seconds"].values())
        shares = ", ".join(f"{part} {value / total:.0%}" for part, value in seconds.items())
        if net["overlapped"]:
            shares = f"selfplay {seconds['selfplay'] / total:.0%}, training beside it {net['overlapped'] / total:.0%}"
        rows.append(
            f"| {name} | {net['minutes']:.0f} | {net['generations']} | {net['games']:,} | {net['positions']:,} | {shares} | {end} |"
        )
    return rows


def machine_line(before: float) -> str:
    """When and where rules and self-play were measured."""
    machine = this_machine()
    loads = f"load average {before:.1f} before, {load_average():.1f} after"
    return f"{datetime.now(UTC):%Y-%m-%d}, {machine.cpu}, {machine.threads} threads; {loads}."


def markdown(rules: dict[str, Any], speeds: list[dict[str, Any]], strength: dict[str, Any], machine: str) -> str:
    """The report: the machine, the rules, self-play, strength."""
    best = next(
        s for s in speeds if s["setting"] == {"artifact": "openvino-int8", "engine": "openvino", "processes": 2, "games": 64, "threads": 1}
    )
    evaluations, tree = best["evaluations_per_s"], best["tree_share"]
    lines = [
        "# Go, measured",
        "",
        "Made by `make bench-go`; never edited by hand. Raw values: [go-benchmarks.json](go-benchmarks.json) and",
        "[go-strength.json](go-strength.json).",
        "",
        machine,
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
        "With G games in lockstep up to G positions are evaluated at once; threads are those of the net in each process.",
        "",
        "| artifact | engine | processes | threads | games | evaluations/s | outside the net |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for speed in speeds:
        s = speed["setting"]
        share = interval(speed["tree_share"], ".1%")
        lines.append(
            f"| {s['artifact']} | {s['engine']} | {s['processes']} | {s['threads']} | {s['games']} | "
            f"{interval(speed['evaluations_per_s'])} | {share} |"
        )
    lines += [
        "",
        "![evaluations a second by games in lockstep, and by artifact](go-selfplay.png)",
        "",
        "## The nets that come with the project",
        "",
        "| net | minutes | generations | games | positions | where the time went | Elo above the run's first net |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *learned_rows(strength),
        "",
        "![Elo over the minutes of each run](go-elo.png)",
        "",
        "Pairs of games with colours swapped from the same random opening; intervals are of 95 % over pairs.",
        "",
        "| match | budget | measured | | command |",
        "| --- | --- | --- | --- | --- |",
        *strength_rows(strength),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "go-benchmarks.md")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("rules", "selfplay", "strength"), help="measure this; the rest as measured before")
    parser.add_argument("--matches", default="", help="play only matches whose title holds this text; the others as far as they are known")
    options = parser.parse_args()
    raw, strength = options.out.with_suffix(".json"), options.out.with_name("go-strength.json")
    known = json.loads(raw.read_text()) if raw.is_file() else {}
    before = load_average()

    def measured(name: str, script: str, *words: str) -> Any:
        return known[name] if options.only not in {None, name} and name in known else run(script, *words)

    pictures = {name: ("--plot", str(options.out.with_name(f"go-{name}.png"))) for name in ("selfplay", "elo")}
    found = {
        "rules": measured("rules", "go_rules.py"),
        "selfplay": measured("selfplay", "go_selfplay.py", "--rounds", str(options.rounds), *pictures["selfplay"]),
    }
    write_file(raw, json.dumps(found, indent=2) + "\n")
    if options.only in {None, "strength"}:
        call("go_strength.py", *pictures["elo"], "--json", str(strength), "--only", options.matches)
    lines = options.out.read_text().splitlines() if options.only == "strength" and options.out.is_file() else []
    # Matches have dates of their own: what was not measured again keeps its day.
    machine = next((line for line in lines if "load average" in line), None) or machine_line(before)
    write_file(options.out, markdown(found["rules"], found["selfplay"], json.loads(strength.read_text()), machine))
    print(options.out.read_text())


if __name__ == "__main__":
    main()
