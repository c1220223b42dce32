"""What a match found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolkit.core import Interval

from ..games import FIRST, SECOND, Go
from ..sgf import SgfGame, SgfMove, result_text, sgf_text
from .elo import elo_difference
from .sprt import SprtState

Reason = Literal["played out", "resigned", "illegal move", "crashed"]


@dataclass(frozen=True)
class GameResult:
    """One game of a match between a and b.

    ``number`` counts the games, ``pair`` the pairs; both games of a pair have the same opening, in the second b moves first.
    ``moves`` are actions, the first ``opening`` of them were given; ``notes`` are the players' own words on each move.
    ``value`` is 1 if a won, 0 for a draw, -1 if a lost, and None in a game that does not count because a player crashed.
    ``reason`` says how the game ended, ``fault`` who resigned, crashed or moved illegally, and ``detail`` what happened.
    ``score`` is in points for the first player with komi taken off, for games that count it.
    """

    number: int
    pair: int
    a_is_first: bool
    moves: tuple[int, ...]
    opening: int
    notes: tuple[str, ...]
    value: float | None
    reason: Reason
    fault: Literal["", "a", "b"] = ""
    detail: str = ""
    score: float | None = None


@dataclass(frozen=True)
class MatchResult:
    """A whole match, `a` against `b`: every finished game, in their order, and the wall-clock spent choosing.

    A pair counts when both of its games do: ``void`` pairs saw a crash. The times of one move are those of its batch, divided by the
    games in it.
    """

    game: str
    a: str
    b: str
    games: tuple[GameResult, ...]
    sprt: SprtState | None
    wall_s: float
    seconds_a: float
    seconds_b: float
    choices_a: int
    choices_b: int

    @property
    def pairs(self) -> tuple[int, int, int, int, int]:
        """How many pairs gave a 0, 1/2, 1, 3/2 and 2 points."""
        counts = [0] * 5
        for first, second in _pairs(self.games):
            if first.value is not None and second.value is not None:
                counts[round(first.value + second.value) + 2] += 1
        return counts[0], counts[1], counts[2], counts[3], counts[4]

    @property
    def void(self) -> int:
        """Pairs that do not count."""
        return len(_pairs(self.games)) - sum(self.pairs)

    @property
    def lost_drawn_won(self) -> tuple[int, int, int]:
        """Single games from a's view, of the pairs that count."""
        values = [game.value for pair in _pairs(self.games) for game in pair if None not in {one.value for one in pair}]
        return values.count(-1.0), values.count(0.0), values.count(1.0)

    @property
    def elo(self) -> Interval | None:
        """By how much a is stronger, with its 95 % interval; None when no pair counts."""
        return elo_difference(self.pairs) if sum(self.pairs) else None

    @property
    def seconds_a_move(self) -> tuple[float, float]:
        """The mean wall-clock of a choice of a and of b."""
        return self.seconds_a / max(1, self.choices_a), self.seconds_b / max(1, self.choices_b)


def match_sgf(game: Go, result: GameResult, *, a: str, b: str) -> str:
    """The record of one game as SGF."""
    first, second = (a, b) if result.a_is_first else (b, a)
    colour, moves = SECOND if game.handicap else FIRST, []
    for action, note in zip(result.moves, result.notes, strict=True):
        moves.append(SgfMove(colour, action, note))
        colour = 1 - colour
    stones = tuple(sorted(game.handicap_cells(game.handicap))) if game.handicap else ()
    return sgf_text(
        SgfGame(
            size=game.width, komi=game.komi, moves=tuple(moves), black=first, white=second, rules="Tromp-Taylor", result=_result(result),
            handicap=game.handicap, black_stones=stones, to_move=SECOND if stones else FIRST, comment=result.detail,
            properties={"GN": f"game {result.number}", "EV": f"{a} - {b}"},
        )
    )  # fmt: skip


def _pairs(games: tuple[GameResult, ...]) -> list[tuple[GameResult, GameResult]]:
    by_pair: dict[int, list[GameResult]] = {}
    for game in games:
        by_pair.setdefault(game.pair, []).append(game)
    return [(both[0], both[1]) for both in by_pair.values() if len(both) == 2]


def _result(result: GameResult) -> str:
    if result.value is None:
        return "Void"
    value = result.value if result.a_is_first else -result.value
    if result.reason == "illegal move":
        return "B+F" if value > 0 else "W+F"
    return result_text(value, score=result.score, resigned=result.reason == "resigned")
