"""Matches: many games at once between two players, in pairs that share an opening and swap colours. The referee is our own rules."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toolkit.core import InputError, Interval

from ..games import FIRST, Game
from .elo import elo_difference
from .openings import play_out, random_openings
from .players import CRASHED, RESIGN, Player
from .sprt import Sprt, SprtState


@dataclass(frozen=True)
class GameResult:
    """One game of a match. ``value`` is for player A: 1 won, 0 drawn, -1 lost; ``how`` it ended: score, resign, illegal, or crash, which
    makes the pair void. ``moves`` are actions, the first `opening` of them set; ``notes`` are what the players said of their moves.
    """

    pair: int
    a_is_first: bool
    value: int
    how: str
    moves: tuple[int, ...]
    opening: int
    notes: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class MatchResult:
    """What a match came to, for player A.

    ``counts`` are complete pairs by points, from 0 to 2 in halves; ``lost``, ``drawn`` and ``won`` the games of these pairs; ``void`` the
    pairs in which a player crashed. ``elo`` is None without a complete pair. Seconds a move are wall-clock, of all games that moved at once
    divided by their number.
    """

    a: str
    b: str
    game: str
    counts: tuple[int, int, int, int, int]
    lost: int
    drawn: int
    won: int
    void: int
    elo: Interval | None
    seconds_a: float
    seconds_b: float
    sprt: SprtState | None
    games: tuple[GameResult, ...]


OnGame = Callable[[GameResult], None]


def play_match(
    game: Game,
    a: Player,
    b: Player,
    *,
    games: int,
    opening: int = 2,
    seed: int = 0,
    parallel: int = 32,
    sprt: Sprt | None = None,
    on_game: OnGame | None = None,
) -> MatchResult:
    """Play an even number of `games`, up to `parallel` at once; with `sprt` stop as soon as the pairs say enough.

    Args:
        game: the rules.
        a: the player whose results are counted.
        b: the other.
        games: at least 2.
        opening: random moves that a pair of games begins with; all pairs begin differently.
        seed: of openings and players.
        parallel: rows; GTP players start a process for each.
        sprt: a test that may end the match early.
        on_game: told of each game as it ends.

    Raises:
        InputError: an odd number of games, or too few openings of this length.
        ToolkitError: a player cannot play this game at all.
    """
    if games < 2 or games % 2:
        raise InputError("games of a match", expected="an even number, at least 2", got=str(games))
    openings = random_openings(game, count=games // 2, plies=opening, seed=seed)
    try:
        a.start(game, min(parallel, games), seed)
        b.start(game, min(parallel, games), seed + 1)
        return _Match(game, a, b, openings, min(parallel, games), sprt, on_game or (lambda _: None)).play()
    finally:
        a.close()
        b.close()


@dataclass
class _Going:
    """A game in a row."""

    pair: int
    a_is_first: bool
    moves: list[int]
    notes: list[str]
    opening: int


class _Match:
    def __init__(
        self, game: Game, a: Player, b: Player, openings: list[tuple[int, ...]], rows: int, sprt: Sprt | None, on_game: OnGame
    ) -> None:
        self._game, self._players, self._openings, self._sprt, self._on_game = game, (a, b), openings, sprt, on_game
        self._states = game.new(rows)
        self._going: list[_Going | None] = [None] * rows
        self._waiting = deque((pair, a_is_first) for pair in range(len(openings)) for a_is_first in (True, False))
        self._results: list[GameResult] = []
        self._seconds, self._chosen = [0.0, 0.0], [0, 0]
        self._state: SprtState | None = None

    def play(self) -> MatchResult:
        """To the end of the last game, or to the test's verdict."""
        self._fill(np.arange(len(self._going)))
        while not self._decided() and any(self._going):
            rows = np.array([row for row, going in enumerate(self._going) if going])
            movers = self._game.to_move(self._states, rows)
            a_moves = np.array([(mover == FIRST) == self._at(row).a_is_first for row, mover in zip(rows, movers, strict=True)])
            for side, own in ((0, rows[a_moves]), (1, rows[~a_moves])):
                if len(own):
                    self._move(side, own)
        return self._result()

    def _at(self, row: int) -> _Going:
        going = self._going[row]
        assert going is not None
        return going

    def _decided(self) -> bool:
        return self._state is not None and self._state.verdict != "continue"

    def _fill(self, rows: np.ndarray) -> None:
        """Start games in these rows while there are any."""
        started: list[int] = []
        for row in rows.tolist():
            self._going[row] = None
            if self._waiting:
                pair, a_is_first = self._waiting.popleft()
                moves = self._openings[pair]
                play_out(self._game, moves, self._states, row)
                self._going[row] = _Going(pair, a_is_first, list(moves), [""] * len(moves), len(moves))
                started.append(row)
        if not started:
            return
        new = np.array(started)
        for player in self._players:
            player.begin(new)
            for ply in range(len(self._openings[0])):
                player.played(new, np.array([self._at(row).moves[ply] for row in started]))

    def _move(self, side: int, rows: np.ndarray) -> None:
        player = self._players[side]
        start = time.perf_counter()
        actions = np.asarray(player.choose(self._states, rows))
        self._seconds[side] += time.perf_counter() - start
        self._chosen[side] += len(rows)
        legal = self._game.legal(self._states, rows)
        fine = np.array([0 <= action < self._game.actions and mask[action] for action, mask in zip(actions, legal, strict=True)])
        done: list[int] = []
        for row, action in zip(rows[~fine].tolist(), actions[~fine].tolist(), strict=True):
            how = {RESIGN: "resign", CRASHED: "crash"}.get(action, "illegal")
            reason = player.note(row) if how == "crash" else f"{player.name} played {self._named(action)}" if how == "illegal" else ""
            self._end(row, value=0 if how == "crash" else (-1, 1)[side], how=how, reason=reason)
            done.append(row)
        rows, actions = rows[fine], actions[fine]
        if len(rows):
            self._game.play(self._states, rows, actions)
            for row, action in zip(rows.tolist(), actions.tolist(), strict=True):
                self._at(row).moves.append(int(action))
                self._at(row).notes.append(player.note(row))
            for each in self._players:
                each.played(rows, actions)
            ended, values = self._game.outcome(self._states, rows)
            for row, value in zip(rows[ended].tolist(), values[ended], strict=True):
                self._end(row, value=int(np.sign(value)) * (1 if self._at(row).a_is_first else -1), how="score")
                done.append(row)
        if done and not self._decided():
            self._fill(np.array(done))

    def _named(self, action: int) -> str:
        return f"the illegal move {self._game.action_name(action)}" if 0 <= action < self._game.actions else f"no move ({action})"

    def _end(self, row: int, *, value: int, how: str, reason: str = "") -> None:
        going = self._at(row)
        result = GameResult(
            going.pair, going.a_is_first, value, how, tuple(going.moves), going.opening, tuple(going.notes), reason
        )  # fmt: skip
        self._results.append(result)
        self._on_game(result)
        if self._sprt is not None:
            self._state = self._sprt.test(_pairs(self._results)[0])

    def _result(self) -> MatchResult:
        counts, played, void = _pairs(self._results)
        values = [game.value for game in played]
        seconds = [spent / max(count, 1) for spent, count in zip(self._seconds, self._chosen, strict=True)]
        return MatchResult(
            a=self._players[0].name,
            b=self._players[1].name,
            game=self._game.name,
            counts=counts,
            lost=values.count(-1),
            drawn=values.count(0),
            won=values.count(1),
            void=void,
            elo=elo_difference(counts) if sum(counts) else None,
            seconds_a=seconds[0],
            seconds_b=seconds[1],
            sprt=self._state,
            games=tuple(sorted(self._results, key=lambda game: (game.pair, not game.a_is_first))),
        )


def _pairs(results: list[GameResult]) -> tuple[tuple[int, int, int, int, int], list[GameResult], int]:
    """Complete pairs by points, their games, and how many pairs are void."""
    pairs: dict[int, list[GameResult]] = {}
    for game in results:
        pairs.setdefault(game.pair, []).append(game)
    void = sum(any(game.how == "crash" for game in games) for games in pairs.values())
    whole = [games for games in pairs.values() if len(games) == 2 and all(game.how != "crash" for game in games)]
    points = [sum(game.value for game in games) + 2 for games in whole]
    counts = (points.count(0), points.count(1), points.count(2), points.count(3), points.count(4))
    return counts, [game for games in whole for game in games], void
