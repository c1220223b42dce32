"""A search that plays one game: what a terminal, a protocol or a match of two asks of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .games import Game, Position
from .search import Search, SearchResult, choose

_ROW = np.zeros(1, np.int64)


@dataclass(frozen=True)
class Candidate:
    """A move that was looked at: its visits, the mover's chance to win after it, from 0 to 1, its prior, and what would follow."""

    action: int
    visits: int
    win_rate: float
    prior: float
    line: tuple[int, ...]


@dataclass(frozen=True)
class Thought:
    """What a search thinks: the ``action`` it would play, the mover's ``win_rate`` from 0 to 1, its candidates, best first."""

    action: int
    win_rate: float
    candidates: tuple[Candidate, ...]


class Brain:
    """A search of `playouts` playouts for each move of one game; the tree is grown anew for each position.

    Args:
        name: what to call it.
        make: the search for one row of a game; it raises `ToolkitError` for a game that it cannot play.
        playouts: of each move.
        seed: of the choice among moves where a temperature is given.
    """

    def __init__(self, name: str, make: Callable[[Game], Search], *, playouts: int, seed: int = 0) -> None:
        self.name, self._make, self._playouts = name, make, playouts
        self._random = np.random.default_rng(seed)
        self._search: Search | None = None
        self._game: Game | None = None

    def start(self, game: Game) -> None:
        """Get ready to play `game`, anew where its rules are not those of the last one. Raises `ToolkitError` if it does not fit."""
        if self._game is None or _rules_of(self._game) != _rules_of(game):
            self._search = self._make(game)
            self._game = game
            # Compiles what no cache has, seconds that are not to be taken from the clock of the first move.
            self._search.run(Position(game).states, _ROW, np.array([2], np.int32))

    def think(self, position: Position, *, seconds: float | None = None, temperature: float = 0.0) -> Thought:
        """Search a position that has not ended, for at most `seconds`; with a temperature the move is drawn from the visits."""
        end = None if seconds is None else time.monotonic() + seconds
        # In parts, so that a short time is kept; without a limit in one.
        parts = self._parts(position, self._playouts if end is None else min(self._playouts, 64))
        result = next(parts)
        while end is not None and time.monotonic() < end and (more := next(parts, None)) is not None:
            result = more
        return self._thought(result, temperature)

    def analyse(self, position: Position) -> Iterator[Thought]:
        """Thoughts that deepen, until all playouts are spent."""
        for result in self._parts(position, 32):
            yield self._thought(result, 0.0)

    def _parts(self, position: Position, size: int) -> Iterator[SearchResult]:
        self.start(position.game)
        assert self._search is not None
        self._search.reset(_ROW)
        for done in range(0, self._playouts, size):
            yield self._search.run(position.states, _ROW, np.array([min(size, self._playouts - done)], np.int32))

    def _thought(self, result: SearchResult, temperature: float) -> Thought:
        assert self._search is not None
        visits = result.visits[0]
        order = [int(action) for action in np.argsort(-visits, kind="stable") if visits[action]]
        candidates = [
            Candidate(
                action=action,
                visits=int(visits[action]),
                win_rate=float(1 + result.q[0, action]) / 2,
                prior=float(result.priors[0, action]),
                line=(action, *self._search.line(0, action)),
            )
            for action in order
        ]
        action = int(choose(result.visits, temperature, self._random)[0]) if temperature else int(result.action[0])
        return Thought(action, float(1 + result.value[0]) / 2, tuple(candidates))


def _rules_of(game: Game) -> dict[str, object]:
    """All that tells two games apart: positions of games with other rules have other arrays, so a search must not mix them."""
    return {"type": type(game)} | {name: value for name, value in vars(game).items() if isinstance(value, (str, int, float))}
