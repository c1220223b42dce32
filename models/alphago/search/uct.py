"""UCT (Kocsis and Szepesvari 2006): UCB1 in the tree, random play to the end below it, no network. The yardstick for those with one."""

from __future__ import annotations

import numpy as np

from ..games import FIRST, Game, States
from .evaluator import UniformEvaluator
from .options import SearchOptions
from .puct import Search

_LEAVES = 8


class UctSearch(Search):
    """As `Search`; untried actions are taken in a random order, each before a second look at another.

    `exploration` is UCB1's constant for values in [-1, 1]. Up to 8 leaves of a game are played out together, each counting as lost
    until then.
    """

    def __init__(self, game: Game, games: int, *, max_playouts: int, seed: int, exploration: float = 0.7, leaves: int = _LEAVES) -> None:
        options = SearchOptions(leaves=leaves)
        super().__init__(game, UniformEvaluator(game.actions), games, options, max_playouts=max_playouts, seed=seed)
        self._constants = self._constants._replace(ucb1=True, c_puct=exploration)
        self._streams = [np.random.default_rng([seed, row, 3]) for row in range(games)]

    def _evaluate(self, states: States, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        roots = states is not self._leaves
        movers, owners = self._game.to_move(states, rows), rows if roots else self._owners[rows]
        order, values = np.empty((len(rows), self._game.actions), np.float32), np.zeros(len(rows), np.float32)
        for owner in np.unique(owners):  # Each row plays from a stream of its own, so that no other row changes its games.
            own, stream = np.flatnonzero(owners == owner), self._streams[owner]
            order[own] = stream.random((len(own), self._game.actions), np.float32)
            if not roots:  # Their own value is never used, and they must stay as they are.
                values[own], _ = self._game.rollout(states, rows[own], int(stream.integers(2**62)))
        return order, np.where(movers == FIRST, values, -values)
