"""One game with deployed nets: what a terminal or a protocol needs to play and to show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.models.alphago.games import Go, Position
from toolkit.models.alphago.search import CachedEvaluator, Search, SearchOptions, choose

from .evaluator import open_net

_ROW = np.zeros(1, np.int64)
_CACHE = 1 << 15
# Of one game alone: batches of four cost little strength and are much faster than single positions.
_LEAVES = 4


@dataclass(frozen=True)
class Thought:
    """What a net thinks of a position: ``action`` it would play; ``win_rate`` of the player to move, from 0 to 1; its ``candidates``, best
    first, as action, share of the visits, and win rate.
    """

    action: int
    win_rate: float
    candidates: tuple[tuple[int, float, float], ...]


class NetPlayer:
    """A net that thinks `playouts` playouts about each move of one game.

    Args:
        net: an artifact, or a bundle whose fastest one is taken.
        game: the rules, of the size that the net has.
        playouts: of each move.
        engine: that runs it; by default the first installed one.
        threads: of the engine.
        seed: of the choice among moves in the opening.
    """

    def __init__(self, net: Path, game: Go, *, playouts: int, engine: str | None = None, threads: int = 1, seed: int = 0) -> None:
        self._evaluator = open_net(net, game, engine=engine, threads=threads)
        self.name, self.game = net.name, game
        self._playouts, self._random = playouts, np.random.default_rng(seed)
        cached = CachedEvaluator(self._evaluator, _CACHE)
        self._search = Search(game, cached, 1, SearchOptions(leaves=_LEAVES), max_playouts=playouts, seed=seed)

    def think(self, position: Position, *, temperature: float = 0.0) -> Thought:
        """Search a position that has not ended; with a temperature the move is drawn from the visits."""
        self._search.reset(_ROW)
        result = self._search.run(position.states, _ROW, np.array([self._playouts], np.int32))
        visits = result.visits[0]
        order = [int(action) for action in np.argsort(-visits, kind="stable") if visits[action]]
        share = visits / visits.sum()
        return Thought(
            action=int(choose(result.visits, temperature, self._random)[0]),
            win_rate=float(1 + result.value[0]) / 2,
            candidates=tuple((action, float(share[action]), float(1 + result.q[0, action]) / 2) for action in order[:5]),
        )

    def close(self) -> None:
        """Release the session."""
        self._evaluator.session.close()


def play_game(position: Position, black: NetPlayer, white: NetPlayer, *, opening: int = 0) -> Iterator[tuple[NetPlayer, Thought]]:
    """Let two nets play a position to its end; yields who moved and what it thought after each move, which is played by then.

    The first `opening` moves are drawn from the visits, so that games differ.
    """
    while not position.ended:
        player = (black, white)[position.to_move]
        thought = player.think(position, temperature=1.0 if len(position.history) < opening else 0.0)
        position.play(thought.action)
        yield player, thought
