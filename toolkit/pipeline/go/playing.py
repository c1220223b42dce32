"""One game with deployed nets: what a terminal or a protocol needs to play and to show it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toolkit.core import available_threads
from toolkit.models.alphago.brain import Brain, Thought
from toolkit.models.alphago.games import Game, Position
from toolkit.models.alphago.search import CachedEvaluator, Search, SearchOptions

from .evaluator import as_learned, open_net

_CACHE = 1 << 15
# Of one game alone: batches of four cost little strength and are much faster than single positions.
_LEAVES = 4


def net_brain(net: Path, *, playouts: int, engine: str | None = None, threads: int | None = None, seed: int = 0) -> Brain:
    """A net that thinks `playouts` playouts about each move of one game, on all threads that this process may use unless told.

    Args:
        net: an artifact, or a bundle whose fastest one is taken.
        playouts: of each move.
        engine: that runs it; by default the first installed one.
        threads: of the engine.
        seed: of the choice among moves in the opening.
    """

    def make(game: Game) -> Search:
        evaluator = CachedEvaluator(open_net(net, game, engine=engine, threads=threads or available_threads()), _CACHE)
        options = SearchOptions(leaves=min(_LEAVES, playouts))
        return Search(as_learned(net, game), evaluator, 1, options, max_playouts=playouts, seed=seed)

    return Brain(net.name, make, playouts=playouts, seed=seed)


def play_game(position: Position, black: Brain, white: Brain, *, opening: int = 0) -> Iterator[tuple[Brain, Thought]]:
    """Let two nets play a position to its end; yields who moved and what it thought after each move, which is played by then.

    The first `opening` moves are drawn from the visits, so that games differ.
    """
    while not position.ended:
        player = (black, white)[position.to_move]
        thought = player.think(position, temperature=1.0 if len(position.history) < opening else 0.0)
        position.play(thought.action)
        yield player, thought
