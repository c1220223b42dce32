"""How fast the rules of Go are on one core, 9x9 unless told.

    python benchmarks/go_rules.py --json out.json

Moves: random games that fill no own eye, superko checked, the end scored. Masks: all legal moves of positions out of such games, a
different number of moves played in each. Copies: a position copied, as search does at every leaf.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from toolkit.core import Interval, bootstrap_median, write_file
from toolkit.models.alphago.games import Go

ROWS = 256


@dataclass(frozen=True)
class RulesSpeed:
    """Medians over rounds with their 95 % intervals, a second on one core; ``mean_length`` is the random games', in moves."""

    game: str
    moves: Interval
    masks: Interval
    copies: Interval
    encodings: Interval
    mean_length: float


def rules_speed(seconds: float, *, size: int = 9) -> RulesSpeed:
    """Measure for about `seconds` in all, after one call of everything."""
    game, rows = Go(size), np.arange(ROWS)
    states, target = positions(game), game.new(ROWS)
    paths, lengths = np.zeros((ROWS, 0), np.int32), np.zeros(ROWS, np.int32)
    planes = np.empty((ROWS, game.planes, size, size), np.float32)
    played: list[float] = []

    def games() -> tuple[float, float]:
        fresh = game.new(ROWS)
        start = time.perf_counter()
        moves = game.rollout(fresh, rows, len(played))[1].sum()
        played.append(float(moves))
        return float(moves), time.perf_counter() - start

    def calls(call: Callable[[], object]) -> Callable[[], tuple[float, float]]:
        def measure() -> tuple[float, float]:
            start = time.perf_counter()
            for _ in range(10):
                call()
            return 10.0 * ROWS, time.perf_counter() - start

        return measure

    cases = {
        "moves": games,
        "masks": calls(lambda: game.legal(states, rows)),
        "copies": calls(lambda: game.follow(states, rows, paths, lengths, target, rows)),
        "encodings": calls(lambda: game.encode(states, rows, planes)),
    }
    for case in cases.values():
        case()
    rates: dict[str, list[float]] = {name: [] for name in cases}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, case in cases.items():
            count, elapsed = case()
            rates[name].append(count / elapsed)
    return RulesSpeed(
        game=game.name, mean_length=sum(played) / (len(played) * ROWS), **{name: bootstrap_median(found) for name, found in rates.items()}
    )


def positions(game: Go) -> tuple[np.ndarray, ...]:
    """`ROWS` positions, the k-th after k moves modulo the number of cells, of random games without passes."""
    states, random = game.new(ROWS), np.random.default_rng(0)
    for move in range(game.actions - 2):
        rows = np.flatnonzero(np.arange(ROWS) % (game.actions - 1) > move)
        legal = game.legal(states, rows)
        legal[:, -1] = ~legal[:, :-1].any(axis=1)
        actions = np.array([random.choice(np.flatnonzero(row)) for row in legal], np.int32)
        game.play(states, rows, actions)
    return states


def main() -> None:
    """Print a line a figure, or write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--size", type=int, default=9)
    options = parser.parse_args()
    speed = rules_speed(options.seconds, size=options.size)
    for name, figure in asdict(speed).items():
        text = f"{figure['value']:12,.0f} a second [{figure['low']:,.0f}, {figure['high']:,.0f}]" if isinstance(figure, dict) else figure
        print(f"{name:<12} {text}")
    if options.json:
        write_file(options.json, json.dumps(asdict(speed), indent=2) + "\n")


if __name__ == "__main__":
    main()
