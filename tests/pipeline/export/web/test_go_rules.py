"""The rules of the page's board against those of the games: the same on every position of random games."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.pipeline.export.web.nodes import modules, run_node
from toolkit.models.alphago.games import Go

GAMES = 200
SIZES = tuple(range(2, 10))  # superko comes most often on the smallest boards


def test_random_games_are_the_same_in_every_position(tmp_path: Path) -> None:
    played = compare(tmp_path / "page", games=GAMES, seed=0)
    assert played["games"] == GAMES
    # What is seldom has to be among it.
    assert min(played[what] for what in ("suicide", "superko", "occupied", "taken", "passes", "handicap", "twice")) > 50, played


def test_handicap_and_names_are_those_of_the_games(tmp_path: Path) -> None:
    sizes = list(range(2, 20))
    found = run_node("go_handicap.mjs", modules(tmp_path / "page"), sizes)
    for size, (names, handicaps) in zip(sizes, found, strict=True):
        game = Go(size)
        assert names == [game.action_name(action) for action in range(game.actions)]
        assert handicaps == [game.handicap_cells(stones) for stones in range(2, len(handicaps) + 2)]
        assert len(handicaps) == (0 if size < 7 else 8 if size % 2 and size > 7 else 3)


def compare(folder: Path, *, games: int, seed: int) -> dict[str, int]:
    """Play random games by both rules and compare all that they say; returns how often what was played."""
    random = np.random.default_rng(seed)
    given: list[dict[str, Any]] = []
    want: list[tuple[list[np.ndarray], list[str]]] = []
    for index in range(games):
        one, positions, reasons = random_game(random, SIZES[index % len(SIZES)])
        given.append(one)
        want.append((positions, reasons))
    reasons = run_node("go_rules.mjs", modules(folder), given)
    found = np.fromfile(folder / "positions.bin", np.float32)
    counts = dict.fromkeys(("games", "positions", "suicide", "superko", "occupied", "taken", "passes", "handicap", "twice", "full"), 0)
    start = 0
    for one, (positions, words), said in zip(given, want, reasons, strict=True):
        own = np.stack(positions)
        theirs = found[start : start + own.size].reshape(own.shape)
        start += own.size
        for place in np.flatnonzero((own != theirs).any(axis=1))[:1]:
            raise AssertionError(f"position {place} of {one} differs: at {np.flatnonzero(own[place] != theirs[place])}")
        assert said == words, one
        size = one["rules"]["size"]
        boards = own[:, 4 + size * size + 1 : 4 + 2 * size * size + 1]
        counts["games"] += 1
        counts["positions"] += len(own)
        counts["taken"] += int((np.diff((boards > 0).sum(axis=1)) < 0).sum())
        counts["passes"] += sum(action == size * size for _, action in one["moves"])
        counts["handicap"] += bool(one["setup"]["black"]) * len(own)
        counts["twice"] += sum(one["moves"][k][0] == one["moves"][k + 1][0] for k in range(len(one["moves"]) - 1))
        counts["full"] += len(one["moves"]) == 2 * size * size
        for what in ("suicide", "superko", "occupied"):
            counts[what] += sum(what in word for word in words)
    assert start == len(found)
    return counts


def random_game(random: np.random.Generator, size: int) -> tuple[dict[str, Any], list[np.ndarray], list[str]]:
    """A game as `go_rules.mjs` takes it, and of each position its numbers and why an action is not legal there."""
    stones = int(random.choice([0, 2, 4])) if size >= 7 else 0
    komi, weight = float(random.integers(-4, 15)) / 2, float(random.choice([0.0, 0.1, 0.5]))
    game, rows = Go(size, komi=komi, handicap=stones, score_weight=weight), np.zeros(1, np.int64)
    states = game.new(1)
    positions, reasons, probes, moves = [], [], [], []
    while True:
        legal = game.legal(states, rows)[0]
        positions.append(numbers(game, states))
        refused = np.flatnonzero(~legal[:-1] & (game.board(states, 0).reshape(-1) == 0))  # more is to be told of these than of stones
        probes.append(int(random.choice(refused)) if len(refused) else int(random.integers(game.actions)))
        reasons.append(game.why_illegal(states, 0, probes[-1]))
        if not legal.any():
            break
        player = int(game.to_move(states, rows)[0])
        if random.random() < 0.02:  # as records may have it
            player = 1 - player
            game.set_to_move(states, 0, player)
            legal = game.legal(states, rows)[0]
        # Mostly stones: two passes would end the game while the board is empty.
        choices = np.flatnonzero(legal[:-1])
        action = int(random.choice(choices)) if len(choices) and random.random() < 0.95 else game.actions - 1
        moves.append([player + 1, action])
        game.play(states, rows, np.array([action]))
    setup = {"black": game.handicap_cells(stones) if stones else [], "toMove": 2 if stones else 1}
    rules = {"size": size, "komi": komi, "scoreWeight": weight}
    return {"rules": rules, "setup": setup, "moves": moves, "probes": probes}, positions, reasons


def numbers(game: Go, states: Any) -> np.ndarray:
    """Who moves, whether it is over, the score, the value for who would move, legal actions, board, ownership, planes: float32."""
    rows = np.zeros(1, np.int64)
    mover = int(game.to_move(states, rows)[0])
    ended, value = game.outcome(states, rows)
    planes = np.empty((1, game.planes, game.height, game.width), np.float32)
    game.encode(states, rows, planes)
    parts = [
        np.array([mover, ended[0], game.score(states, rows)[0], -value[0] if mover else value[0]]),
        game.legal(states, rows)[0],
        game.board(states, 0).reshape(-1),
        game.ownership(states, rows)[0],
        planes.reshape(-1),
    ]
    return np.concatenate([part.astype(np.float32) for part in parts])
