"""Monte Carlo tree search with a network: PUCT, all games of a batch in lockstep (Silver et al. 2017, Methods)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.core import InputError

from ..games import FIRST, Game, States
from . import _tree
from .evaluator import Evaluator, ask
from .options import SearchOptions


@dataclass(frozen=True)
class SearchResult:
    """What a search found for n positions, each for the player to move.

    ``visits [n, A]`` int32; ``value [n]`` float32, the mean of all playouts; ``policy [n, A]`` float32, what a network should learn;
    ``q [n, A]`` float32, each action's mean, NaN where it was not tried; ``priors [n, A]`` float32 without noise, 0 where illegal;
    ``action [n]`` int64, what the search would play.
    """

    visits: np.ndarray
    value: np.ndarray
    policy: np.ndarray
    q: np.ndarray
    priors: np.ndarray
    action: np.ndarray


class Search:
    """A tree for each of `games` rows, grown in lockstep and kept from move to move.

    A row's result depends on the seed, the row, and what happened in it, never on other rows.

    Args:
        game: the rules.
        evaluator: the network.
        games: rows.
        options: constants.
        max_playouts: the most that `run` will be asked for in one row; it sizes the arrays.
        seed: of the root noise.
    """

    def __init__(self, game: Game, evaluator: Evaluator, games: int, options: SearchOptions, *, max_playouts: int, seed: int) -> None:
        self._game, self._evaluator, self._options, self._seed = game, evaluator, options, seed
        nodes = 2 * max_playouts + 2  # As many again are kept from the move before, at most.
        self._tree = _tree.new_tree(games, nodes=nodes, actions=game.actions)
        most = games * options.leaves
        self._walk = _tree.new_walk(most, depth=min(nodes, game.max_moves) + 1)
        self._leaves = game.new(most)
        self._planes = np.empty((max(most, games), game.planes, game.height, game.width), np.float32)
        self._moves = np.zeros(games, np.int64)
        self._constants = _tree.Constants(
            ucb1=False,
            c_puct=options.c_puct,
            fpu_reduction=options.fpu_reduction,
            root_fpu_reduction=options.root_fpu_reduction,
            virtual_loss=options.virtual_loss,
        )

    def run(self, states: States, rows: np.ndarray, playouts: np.ndarray, *, noise: np.ndarray | None = None) -> SearchResult:
        """Search positions with ``playouts[i]`` more playouts each.

        Args:
            states: positions; not changed.
            rows: ``[n]`` int64, distinct; a row's tree belongs to it until `reset`.
            playouts: ``[n]`` int32.
            noise: ``[n]`` bool, where the root's priors get noise.

        Raises:
            InputError: a game has ended, or more playouts than `max_playouts`.
            EngineError: the evaluator gave NaN, infinity, or wrong shapes; the trees of these rows are forgotten then.
        """
        prior, visits, used = self._tree.prior, self._tree.visits, self._tree.used
        if 2 * playouts.max(initial=0) + 2 > prior.shape[1]:
            raise InputError("playouts", expected=f"at most {prior.shape[1] // 2 - 1}", got=str(playouts.max()))
        full = rows[used[rows] + playouts > prior.shape[1]]
        used[full] = 0
        self._grow_roots(states, rows[used[rows] == 0])
        clean, before = prior[rows, 0], visits[rows, 0]
        left = playouts.astype(np.int64)
        try:
            if noise is not None:
                self._add_noise(rows[noise])
            while (live := np.flatnonzero(left > 0)).size:
                done = self._step(states, rows[live], left[live], self._forced(rows, live, left, before))
                left[live] -= done
        except BaseException:
            self.reset(rows)  # Noise and virtual losses of the broken step would stay in them.
            raise
        result = self._result(rows, clean, before)
        prior[rows, 0] = clean
        return result

    def advance(self, rows: np.ndarray, actions: np.ndarray) -> None:
        """The actions were played: keep their subtrees."""
        _tree.keep_subtrees(self._tree, rows, actions)
        self._moves[rows] += 1

    def reset(self, rows: np.ndarray) -> None:
        """Forget the trees of these rows."""
        self._tree.used[rows] = 0

    def line(self, row: int, action: int, *, longest: int = 16) -> list[int]:
        """What the search expects after `action` at the root of a row: the most visited actions."""
        visits, child = self._tree.visits, self._tree.child
        node = child[row, 0, action] if self._tree.used[row] else -1
        actions: list[int] = []
        while node >= 0 and len(actions) < longest and visits[row, node].any():
            actions.append(int(visits[row, node].argmax()))
            node = child[row, node, actions[-1]]
        return actions

    def _step(self, states: States, games: np.ndarray, left: np.ndarray, forced: np.ndarray) -> np.ndarray:
        """One batch of leaves; returns how many playouts each game made."""
        tree, walk, game = self._tree, self._walk, self._game
        count = _tree.select(tree, games, left, forced, self._options.leaves, self._constants, walk)
        owners = walk.owners[:count]
        leaves, self._owners = np.arange(count), games[owners]
        game.follow(states, self._owners, walk.paths[:count], walk.lengths[:count], self._leaves, leaves)
        over, outcome = game.outcome(self._leaves, leaves)
        values = np.where(game.to_move(self._leaves, leaves) == FIRST, outcome, -outcome).astype(np.float32)
        legal = game.legal(self._leaves, leaves)
        logits = np.zeros(legal.shape, np.float32)
        going = np.flatnonzero(~over)
        if len(going):
            logits[going], values[going] = self._evaluate(self._leaves, going)
        _tree.expand(tree, games, walk, count, legal, logits, values, over)
        _tree.backup(tree, games, walk, count, values, self._constants.virtual_loss)
        return np.bincount(owners, minlength=len(games))

    def _evaluate(self, states: States, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        planes = self._planes[: len(rows)]
        self._game.encode(states, rows, planes)
        return ask(self._evaluator, planes, self._game.actions)

    def _grow_roots(self, states: States, rows: np.ndarray) -> None:
        if not len(rows):
            return
        legal = self._game.legal(states, rows)
        if not legal.any(axis=1).all():
            raise InputError("a position to search", expected="a game that goes on", got="one that has ended")
        logits, values = self._evaluate(states, rows)
        for row, mask, policy in zip(rows, legal, logits, strict=True):
            _tree.set_node(self._tree, row, 0, mask, policy)
        self._tree.value[rows, 0], self._tree.ended[rows, 0], self._tree.used[rows] = values, False, 1

    def _random(self, row: int) -> np.random.Generator:
        """A stream of its own for each row and move."""
        return np.random.default_rng([self._seed, row, self._moves[row]])

    def _add_noise(self, rows: np.ndarray) -> None:
        options = self._options
        for row in rows:
            root = self._tree.prior[row, 0]
            legal = np.flatnonzero(root >= 0)
            noise = self._random(row).dirichlet(np.full(len(legal), options.dirichlet_total / len(legal)))
            root[legal] = (1 - options.noise_weight) * root[legal] + options.noise_weight * noise

    def _forced(self, rows: np.ndarray, live: np.ndarray, left: np.ndarray, before: np.ndarray) -> np.ndarray:  # noqa: ARG002 - for Gumbel
        """The root's action in the next playout of each live row, -1 where the search is free."""
        return np.full(len(live), -1, np.int64)

    def _result(self, rows: np.ndarray, clean: np.ndarray, before: np.ndarray) -> SearchResult:  # noqa: ARG002 - for Gumbel
        visits, wins, values = self._tree.visits[rows, 0], self._tree.wins[rows, 0], self._tree.value[rows, 0]
        total = visits.sum(axis=1)
        q = np.divide(wins, visits, out=np.full(wins.shape, np.nan, np.float32), where=visits > 0)
        return SearchResult(
            visits=visits,
            value=((wins.sum(axis=1) + values) / (total + 1)).astype(np.float32),
            policy=(visits / np.maximum(total, 1)[:, None]).astype(np.float32),
            q=q,
            priors=np.maximum(clean, 0),
            action=visits.argmax(axis=1),
        )
