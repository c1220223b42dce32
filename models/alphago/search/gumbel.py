"""Choice at the root by Gumbel noise and sequential halving: a policy improvement even with few playouts.

Danihelka, Guez, Schrittwieser and Silver, "Policy improvement by planning with Gumbel", ICLR 2022. Below the root actions are chosen by
PUCT, so that both searches share one tree; the paper's rule for inner nodes is left out.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from toolkit.core import InputError

from ..games import Game, States
from .evaluator import Evaluator
from .options import GumbelOptions, SearchOptions
from .puct import Search, SearchResult


class GumbelSearch(Search):
    """As `Search`, with one leaf a game and step. ``action`` is the winner of the halving, ``policy`` the improved policy of equation 11.

    ``noise`` says where Gumbel noise is drawn; elsewhere the considered actions are those with the highest priors.
    """

    def __init__(
        self,
        game: Game,
        evaluator: Evaluator,
        games: int,
        options: SearchOptions,
        *,
        max_playouts: int,
        seed: int,
        gumbel: GumbelOptions | None = None,
    ) -> None:
        if options.leaves != 1:
            raise InputError(
                "leaves of Gumbel search", expected="1: each playout's action follows from those before", got=str(options.leaves)
            )
        super().__init__(game, evaluator, games, options, max_playouts=max_playouts, seed=seed)
        self._gumbel = gumbel or GumbelOptions()
        self._noise = np.zeros((games, game.actions))
        self._sequences: list[np.ndarray] = []

    def run(self, states: States, rows: np.ndarray, playouts: np.ndarray, *, noise: np.ndarray | None = None) -> SearchResult:
        """As `Search.run`."""
        self._noise[rows] = 0
        self._drawn = rows[noise] if noise is not None else rows[:0]
        legal = self._game.legal(states, rows).sum(axis=1)
        self._sequences = [
            np.array(considered_visits(max(1, min(self._gumbel.considered, int(count))), int(wanted)), np.int32)
            for count, wanted in zip(legal, playouts, strict=True)
        ]
        return super().run(states, rows, playouts, noise=noise)

    def _add_noise(self, rows: np.ndarray) -> None:
        for row in rows:
            self._noise[row] = self._random(row).gumbel(size=self._game.actions)

    def _forced(self, rows: np.ndarray, live: np.ndarray, left: np.ndarray, before: np.ndarray) -> np.ndarray:
        visits = self._tree.visits[rows[live], 0] - before[live]
        wanted = np.array([self._sequences[i][len(self._sequences[i]) - left[i]] for i in live])
        scores = np.where(visits == wanted[:, None], self._scores(rows[live], visits), -np.inf)
        return np.where(np.isfinite(scores).any(axis=1), scores.argmax(axis=1), -1)

    def _scores(self, rows: np.ndarray, visits: np.ndarray) -> np.ndarray:
        """Noise, logits and scaled values, ``[n, A]``; -inf where illegal."""
        logits, completed = self._completed(rows)
        return self._noise[rows] + logits + self._scaled(completed, visits)

    def _scaled(self, q: np.ndarray, visits: np.ndarray) -> np.ndarray:
        """Equation 8, for values moved from [-1, 1] to [0, 1]."""
        options = self._gumbel
        return (options.visit_scale + visits.max(axis=1, keepdims=True)) * options.value_scale * (q + 1) / 2

    def _completed(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits, and values completed by the mix of the network's and the tried ones' (appendix D, equation 33): both ``[n, A]``."""
        tree = self._tree
        prior, visits, wins, value = (array[rows, 0] for array in (tree.prior, tree.visits, tree.wins, tree.value))
        with np.errstate(divide="ignore"):
            logits = np.log(np.where(prior >= 0, np.maximum(prior, 1e-30), 0))
        q = np.divide(wins, visits, out=np.zeros(wins.shape), where=visits > 0)
        tried = np.where(visits > 0, np.maximum(prior, 0), 0)
        mass, total = tried.sum(axis=1), visits.sum(axis=1)
        mean = np.divide((tried * q).sum(axis=1), mass, out=np.zeros(len(rows)), where=mass > 0)
        mixed = (value + total * mean) / (1 + total)
        return logits, np.where(visits > 0, q, mixed[:, None])

    def _result(self, rows: np.ndarray, clean: np.ndarray, before: np.ndarray) -> SearchResult:
        plain = super()._result(rows, clean, before)
        visits = plain.visits - before
        most = np.where(visits == visits.max(axis=1, keepdims=True), self._scores(rows, visits), -np.inf)
        logits, completed = self._completed(rows)
        improved = logits + self._scaled(completed, plain.visits)
        weights = np.exp(improved - improved.max(axis=1, keepdims=True))
        policy = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return SearchResult(plain.visits, plain.value, policy, plain.q, plain.priors, most.argmax(axis=1))


@lru_cache(maxsize=4096)
def considered_visits(actions: int, playouts: int) -> tuple[int, ...]:
    """Sequential halving (algorithm 1) as a sequence: how often the action of each playout must have been tried before it.

    The best `actions` are tried equally often, then the better half of them, and so on; what is left over goes to the last two.
    """
    phases = max(1, math.ceil(math.log2(actions)))
    sequence: list[int] = []
    remaining, tried = actions, 0
    while len(sequence) < playouts:
        each = max(1, playouts // (phases * remaining))
        for visit in range(tried, tried + each):
            sequence += [visit] * remaining
        tried += each
        remaining = max(min(2, actions), remaining // 2)
    return tuple(sequence[:playouts])
