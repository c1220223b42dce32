"""Matches: many games at once in lockstep, so that networks are evaluated in batches, under our own rules as the referee."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from toolkit.core import InputError

from ..games import FIRST, Game, Position
from .openings import random_openings
from .players import CRASHED, RESIGN, Player
from .results import GameResult, MatchResult, Reason
from .sprt import Sprt, SprtState


def play_match(
    game: Game,
    a: Player,
    b: Player,
    *,
    games: int,
    seed: int,
    openings: int | Sequence[Sequence[int]] = 2,
    parallel: int = 32,
    sprt: Sprt | None = None,
    on_game: Callable[[GameResult], None] | None = None,
) -> MatchResult:
    """Play `games` games in pairs with colours swapped; both games of a pair have the same opening, and no two pairs do.

    The game's rules decide what is legal and who won. An illegal move loses; a player that crashes voids the pair, and the match goes
    on. Deterministic under the seed if the players are.

    Args:
        game: the rules.
        a: one player; results are from his view.
        b: the other; not the same object.
        games: an even number.
        seed: for openings and players.
        openings: random plies at the start, see `random_openings`, or the openings themselves, as many as there are pairs.
        parallel: games that go on at once.
        sprt: ends the match when it has decided. It looks at pairs in their order, never at a later one before an earlier one has
            ended: quick games would count first otherwise, and they are not like the others.
        on_game: told of every game that ended.

    Raises:
        InputError: what was asked for does not fit together, or a player cannot play this game.
        EngineError: an engine does not work at all.
    """
    if games < 2 or games % 2:
        raise InputError("games of a match", expected="an even number, for pairs with colours swapped", got=str(games))
    if parallel < 1:
        raise InputError("games at once", expected="at least 1", got=str(parallel))
    if isinstance(openings, int):
        starts = random_openings(game, count=games // 2, plies=openings, seed=seed)
    else:
        starts = [tuple(opening) for opening in openings]
        if len(starts) != games // 2:
            raise InputError("openings of a match", expected=f"one for each of {games // 2} pairs", got=str(len(starts)))
        for opening in starts:
            _check_opening(game, opening)
    match = _Match(game, (a, b), starts, rows=min(parallel, games), seed=seed)
    begun = time.perf_counter()
    state = None
    try:
        while match.going():
            match.refill()
            ended = match.step()
            if on_game is not None:
                for result in ended:
                    on_game(result)
            if sprt is not None and ended:
                state = _stop(sprt, match.finished)
                if state.verdict != "continue":
                    break
    finally:
        a.close()
        b.close()
    return MatchResult(
        game=game.name, a=a.name, b=b.name, games=tuple(match.finished[i] for i in sorted(match.finished)), sprt=state,
        wall_s=time.perf_counter() - begun, seconds_a=match.seconds[0], seconds_b=match.seconds[1], choices_a=match.choices[0],
        choices_b=match.choices[1],
    )  # fmt: skip


@dataclass
class _Slot:
    """A game that goes on in a row."""

    number: int
    opening: tuple[int, ...]
    moves: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def player_to_move(self, to_move: int) -> int:
        """0 for a, 1 for b: a is first in games with an even number."""
        return to_move if self.number % 2 == 0 else 1 - to_move


class _Match:
    def __init__(self, game: Game, players: tuple[Player, Player], starts: list[tuple[int, ...]], *, rows: int, seed: int) -> None:
        self.game, self.players, self.starts = game, players, starts
        self.states, self.start = game.new(rows), game.new(1)
        self.slots: list[_Slot | None] = [None] * rows
        self.finished: dict[int, GameResult] = {}
        self.moved = np.zeros(0, np.int64)
        self.seconds, self.choices = [0.0, 0.0], [0, 0]
        self._next = 0
        try:
            for i, player in enumerate(players):
                player.start(game, rows, seed=int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
        except BaseException:
            for player in players:
                player.close()
            raise

    def going(self) -> bool:
        return len(self.finished) < 2 * len(self.starts)

    def refill(self) -> None:
        """Start games in free rows and play their openings."""
        free = [row for row, slot in enumerate(self.slots) if slot is None][: 2 * len(self.starts) - self._next]
        if not free:
            return
        for row in free:
            self.slots[row] = _Slot(self._next, self.starts[self._next // 2])
            self._next += 1
        rows = np.array(free)
        nothing = np.zeros((len(rows), 0), np.int32)
        self.game.follow(self.start, np.zeros(len(rows), np.int64), nothing, np.zeros(len(rows), np.int32), self.states, rows)
        for player in self.players:
            player.begin(rows)
        longest = max(len(self._slot(row).opening) for row in free)
        for ply in range(longest):
            some = np.array([row for row in free if ply < len(self._slot(row).opening)])
            self._play(some, np.array([self._slot(row).opening[ply] for row in some]), [""] * len(some))

    def step(self) -> list[GameResult]:
        """One move in each game; the games that it ended."""
        rows = np.array([row for row, slot in enumerate(self.slots) if slot is not None])
        turn = [self._slot(row).player_to_move(int(first)) for row, first in zip(rows, self.game.to_move(self.states, rows), strict=True)]
        ended: list[GameResult] = []
        self.moved = np.zeros(0, np.int64)
        for i, player in enumerate(self.players):
            own = rows[np.array(turn) == i]
            if not len(own):
                continue
            begun = time.perf_counter()
            actions = player.choose(self.states, own)
            self.seconds[i] += time.perf_counter() - begun
            self.choices[i] += len(own)
            legal = self.game.legal(self.states, own)
            fine = (actions >= 0) & (actions < self.game.actions)
            fine[fine] = legal[np.flatnonzero(fine), actions[fine]]
            self._play(own[fine], actions[fine], [player.note(row) for row in own[fine]])
            ended += [self._foul(row, int(action), i) for row, action in zip(own[~fine], actions[~fine], strict=True)]
        ended += self._played_out()
        for result in ended:
            self.finished[result.number] = result
        return ended

    def _slot(self, row: int) -> _Slot:
        slot = self.slots[row]
        assert slot is not None
        return slot

    def _play(self, rows: np.ndarray, actions: np.ndarray, notes: list[str]) -> None:
        if not len(rows):
            return
        self.game.play(self.states, rows, actions)
        for row, action, note in zip(rows, actions, notes, strict=True):
            self._slot(row).moves.append(int(action))
            self._slot(row).notes.append(note)
        for player in self.players:
            player.played(rows, actions)
        self.moved = np.concatenate([self.moved, rows])

    def _played_out(self) -> list[GameResult]:
        results = []
        done, values = self.game.outcome(self.states, self.moved)
        for row, value in zip(self.moved[done], values[done], strict=True):
            territory = self.game.territory(self.states, np.array([row]))
            score = None if territory is None else float(territory[1][0])
            # A margin may count in the value that search and training see; a match counts wins.
            results.append(self._end(row, float(np.sign(value)), "played out", score=score))
        return results

    def _foul(self, row: int, action: int, player: int) -> GameResult:
        """The game of a player who gave no legal move."""
        who: Literal["a", "b"] = "ab"[player]  # type: ignore[assignment]
        to_move = int(self.game.to_move(self.states, np.array([row]))[0])
        lost = -1.0 if to_move == FIRST else 1.0
        if action == RESIGN:
            return self._end(row, lost, "resigned", fault=who)
        if action == CRASHED:
            return self._end(row, None, "crashed", fault=who, detail=self.players[player].note(row))
        name = self.game.action_name(action) if 0 <= action < self.game.actions else str(action)
        return self._end(row, lost, "illegal move", fault=who, detail=f"illegal move {name}")

    def _end(
        self,
        row: int,
        value: float | None,
        reason: Reason,
        *,
        fault: Literal["", "a", "b"] = "",
        detail: str = "",
        score: float | None = None,
    ) -> GameResult:
        """Free the row; `value` is for the first player."""
        slot, self.slots[row] = self._slot(row), None
        a_is_first = slot.number % 2 == 0
        return GameResult(
            number=slot.number, pair=slot.number // 2, a_is_first=a_is_first, moves=tuple(slot.moves), opening=len(slot.opening),
            notes=tuple(slot.notes), value=value if value is None or a_is_first else -value + 0.0, reason=reason, fault=fault,
            detail=detail, score=score,
        )  # fmt: skip


def _check_opening(game: Game, opening: tuple[int, ...]) -> None:
    position = Position(game)
    for action in opening:
        position.play(action)
    if position.ended:
        raise InputError(
            "an opening of a match", expected="one that leaves something to play", got=" ".join(map(game.action_name, opening))
        )


def _stop(sprt: Sprt, finished: dict[int, GameResult]) -> SprtState:
    """The test on the pairs up to the first that has not ended."""
    counts, number = [0] * 5, 0
    while number in finished and number + 1 in finished:
        one, other = finished[number].value, finished[number + 1].value
        if one is not None and other is not None:
            counts[round(one + other) + 2] += 1
            if (state := sprt.test(counts)).verdict != "continue":
                return state
        number += 2
    return sprt.test(counts)
