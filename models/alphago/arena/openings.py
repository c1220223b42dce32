"""Different, fair starts of games."""

from __future__ import annotations

import numpy as np

from toolkit.core import InputError

from ..games import Game

_ROLLOUTS = 32  # random games that judge an opening
_TRIES = 8  # rounds of drawing more candidates until openings repeat too often


def random_openings(game: Game, *, count: int, plies: int, seed: int) -> list[tuple[int, ...]]:
    """`count` sequences of `plies` random moves that lead to different boards, mirrored and turned ones counted as one.

    Of twice as many candidates, those are kept whose random games end nearest to what is usual, so that an opening rarely decides the
    game; what imbalance remains, the pair with swapped colours takes out. Deterministic under the seed.

    Raises:
        InputError: the game has fewer different openings of this length.
    """
    if plies == 0:
        return [()] * count
    random, cells = np.random.default_rng(seed), game.symmetries()[0]
    found: dict[bytes, tuple[int, ...]] = {}
    for _ in range(_TRIES):
        found.update(_draw(game, 2 * count, plies, random, cells))
        if len(found) >= 2 * count:
            break
    if len(found) < count:
        raise InputError(
            f"different openings of {plies} moves in {game.name}", expected=str(count), got=str(len(found)), hint="ask for longer ones"
        )
    candidates = list(found.values())[: 2 * count]
    values = _judge(game, candidates, int(random.integers(2**31)))
    nearest = np.argsort(np.abs(values - np.median(values)), kind="stable")[:count]
    return [candidates[i] for i in sorted(nearest)]


def _draw(game: Game, count: int, plies: int, random: np.random.Generator, cells: np.ndarray) -> dict[bytes, tuple[int, ...]]:
    states, rows = game.new(count), np.arange(count)
    moves = np.zeros((count, plies), np.int64)
    alive = np.ones(count, bool)
    passing = game.actions > game.height * game.width
    for ply in range(plies):
        legal = game.legal(states, rows)
        if passing:
            legal[:, -1] = False
        alive[rows] = legal.any(1)
        rows, legal = rows[alive[rows]], legal[alive[rows]]
        moves[rows, ply] = np.argmax(random.random(legal.shape) * legal, axis=1)
        game.play(states, rows, moves[rows, ply])
    rows = rows[~game.outcome(states, rows)[0]]
    return {min(game.board(states, row).reshape(-1)[turned].tobytes() for turned in cells): tuple(moves[row].tolist()) for row in rows}


def _judge(game: Game, openings: list[tuple[int, ...]], seed: int) -> np.ndarray:
    """Mean values of random games, ``[n]``."""
    start, states, rows = game.new(1), game.new(_ROLLOUTS), np.arange(_ROLLOUTS)
    values = np.zeros(len(openings))
    for i, actions in enumerate(openings):
        paths = np.tile(np.array(actions, np.int32), (_ROLLOUTS, 1))
        game.follow(start, np.zeros(_ROLLOUTS, np.int64), paths, np.full(_ROLLOUTS, len(actions), np.int32), states, rows)
        values[i] = game.rollout(states, rows, seed + i)[0].mean()
    return values
