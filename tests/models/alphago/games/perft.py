"""Counting lines of play, level by level, all positions of a level at once."""

from __future__ import annotations

import numpy as np

from toolkit.models.alphago.games import Game, States


def children(game: Game, states: States) -> tuple[np.ndarray, States]:
    """All positions one move on: the row each comes from, and the positions."""
    rows, actions = np.nonzero(game.legal(states, np.arange(len(states[0]))))
    target = game.new(len(rows))
    lengths = np.ones(len(rows), np.int32)
    game.follow(states, rows, actions[:, None].astype(np.int32), lengths, target, np.arange(len(rows)))
    return rows, target


def perft(game: Game, depth: int, *, with_ended: bool) -> list[int]:
    """The number of lines of 1, 2, ... `depth` moves; whether one that ends before counts as one or no longer."""
    states, over, counts = game.new(1), 0, []
    for _ in range(depth - 1):
        states = children(game, states)[1]
        ended, _ = game.outcome(states, np.arange(len(states[0])))
        counts.append(over + len(ended))
        over += int(ended.sum()) * with_ended
        states = tuple(array[~ended] for array in states)
    return [*counts, over + int(game.legal(states, np.arange(len(states[0]))).sum())]


def solve(game: Game) -> tuple[float, int]:
    """The value of a game for the first player, and how many positions it has, for games whose position is their board."""
    levels, links = [game.new(1)], []
    while True:
        rows, states = children(game, levels[-1])
        if not len(rows):
            break
        _, first, where = np.unique(states[0], axis=0, return_index=True, return_inverse=True)
        links.append((rows, where.reshape(-1)))
        levels.append(tuple(array[first] for array in states))
    values = game.outcome(levels[-1], np.arange(len(levels[-1][0])))[1]
    for states, (rows, where) in zip(reversed(levels[:-1]), reversed(links), strict=True):
        every = np.arange(len(states[0]))
        ended, value = game.outcome(states, every)
        sign = 1 - 2 * game.to_move(states, every)
        best = np.full(len(every), -2, np.float32)
        np.maximum.at(best, rows, values[where] * sign[rows])
        values = np.where(ended, value, best * sign)
    return float(values[0]), sum(len(states[0]) for states in levels)
