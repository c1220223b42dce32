"""Matches: who wins, what is recorded, and what a player that errs or dies does to the rest."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import InputError
from toolkit.models.alphago.arena.gtp_player import GtpPlayer
from toolkit.models.alphago.arena.match import play_match
from toolkit.models.alphago.arena.players import CRASHED, RESIGN, RandomPlayer, SearchPlayer, own_eyes
from toolkit.models.alphago.arena.results import GameResult, MatchResult
from toolkit.models.alphago.arena.sprt import Sprt
from toolkit.models.alphago.games import Game, Go, States, TicTacToe
from toolkit.models.alphago.search import Search, SearchOptions, UctSearch, UniformEvaluator

GNUGO = shutil.which("gnugo") or shutil.which("gnugo", path="/usr/games")


def searcher(playouts: int = 200) -> SearchPlayer:
    def make(game: Game, games: int, seed: int) -> Search:
        return Search(game, UniformEvaluator(game.actions), games, SearchOptions(), max_playouts=playouts, seed=seed)

    return SearchPlayer("search", make, playouts=playouts)


class Errant(RandomPlayer):
    """Does what the test says at its second move of each game."""

    def __init__(self, deed: int) -> None:
        super().__init__("errant")
        self._deed = deed

    def start(self, game: Game, games: int, seed: int) -> None:
        super().start(game, games, seed)
        self._asked = np.zeros(games, np.int64)

    def begin(self, rows: np.ndarray) -> None:
        self._asked[rows] = 0

    def choose(self, states: States, rows: np.ndarray) -> np.ndarray:
        self._asked[rows] += 1
        return np.where(self._asked[rows] == 2, self._deed, super().choose(states, rows))

    def note(self, row: int) -> str:
        return "it fell over"


def check(result: MatchResult, game: Game) -> None:
    """Each game replays by the rules; pairs share an opening and swap colours."""
    by_pair: dict[int, list[GameResult]] = {}
    for one in result.games:
        by_pair.setdefault(one.pair, []).append(one)
        states, row = game.new(1), np.array([0])
        for action in one.moves:
            assert game.legal(states, row)[0, action]
            game.play(states, row, np.array([action]))
        ended, value = game.outcome(states, row)
        if one.reason == "played out":
            assert ended[0]
            assert one.value == np.sign(value[0]) * (1 if one.a_is_first else -1)
        assert len(one.notes) == len(one.moves)
    for pair in by_pair.values():
        assert [one.a_is_first for one in pair] == [True, False]
        assert pair[0].moves[: pair[0].opening] == pair[1].moves[: pair[1].opening]
    openings = [pair[0].moves[: pair[0].opening] for pair in by_pair.values()]
    assert len(set(openings)) == len(openings)


def test_a_search_beats_chance() -> None:
    told: list[GameResult] = []
    result = play_match(TicTacToe(), searcher(), RandomPlayer(), games=20, seed=0, openings=2, parallel=6, on_game=told.append)
    check(result, TicTacToe())
    assert (result.a, result.b) == ("search", "random")
    assert len(told) == len(result.games) == 20
    assert result.lost_drawn_won[0] == 0
    assert result.lost_drawn_won[2] >= 15
    assert result.elo is not None
    assert result.elo.low > 100
    assert sum(result.pairs) == 10


def test_the_result_is_for_a_whoever_that_is() -> None:
    first = play_match(TicTacToe(), searcher(), RandomPlayer(), games=12, seed=0)
    swapped = play_match(TicTacToe(), RandomPlayer(), searcher(), games=12, seed=0)
    assert first.lost_drawn_won[2] > first.lost_drawn_won[0]
    assert swapped.lost_drawn_won[0] > swapped.lost_drawn_won[2]
    assert swapped.elo is not None
    assert swapped.elo.high < 0


def test_a_match_is_the_same_again() -> None:
    results = [play_match(Go(3), searcher(30), RandomPlayer(), games=8, seed=seed, parallel=4) for seed in (1, 1, 2)]
    assert results[0].games == results[1].games != results[2].games


@pytest.mark.parametrize(("deed", "how"), [(RESIGN, "resigned"), (999, "illegal move"), (-7, "illegal move")])
def test_who_resigns_or_plays_no_legal_move_loses(deed: int, how: str) -> None:
    game = Go(3)
    result = play_match(game, Errant(deed), searcher(20), games=6, seed=0, openings=1)
    check(result, game)
    assert result.lost_drawn_won[0] == 6
    assert {one.reason for one in result.games} == {how}
    assert {one.fault for one in result.games} == {"a"}


def test_a_crash_makes_the_pair_void_and_the_match_goes_on() -> None:
    result = play_match(Go(3), Errant(CRASHED), searcher(20), games=6, seed=0, openings=1)
    assert result.void == 3
    assert result.elo is None
    assert result.lost_drawn_won[2] == result.lost_drawn_won[1] == result.lost_drawn_won[0] == 0
    assert {one.detail for one in result.games} == {"it fell over"}


def test_sprt_ends_a_clear_match_early() -> None:
    uct = SearchPlayer("uct", lambda game, games, seed: UctSearch(game, games, max_playouts=100, seed=seed), playouts=100)
    result = play_match(Go(4, komi=0.5), uct, RandomPlayer(), games=200, seed=0, openings=3, parallel=8, sprt=Sprt(0, 100))
    assert result.sprt is not None
    assert result.sprt.verdict == "accept"
    assert len(result.games) < 100


@pytest.mark.parametrize("games", [0, 1, 7])
def test_odd_matches_are_refused(games: int) -> None:
    with pytest.raises(InputError, match="even number"):
        play_match(TicTacToe(), RandomPlayer(), RandomPlayer(), games=games, seed=0)


def test_too_few_openings_are_said() -> None:
    with pytest.raises(InputError, match="different openings"):
        play_match(TicTacToe(), RandomPlayer(), RandomPlayer(), games=40, seed=0, openings=1)


def test_the_random_player_fills_no_own_eye() -> None:
    board = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.int8)
    assert own_eyes(board, 1).sum() == 4
    assert own_eyes(board, 2).sum() == 0
    result = play_match(Go(4), RandomPlayer(), RandomPlayer(), games=4, seed=0, openings=2)
    check(result, Go(4))


@pytest.mark.skipif(GNUGO is None, reason="gnugo is not installed: apt install gnugo")
def test_gnu_go_plays_whole_games_over_its_pipe() -> None:
    command = [
        str(GNUGO),
        "--mode",
        "gtp",
        "--level",
        "0",
        "--chinese-rules",
        "--positional-superko",
        "--capture-all-dead",
        "--never-resign",
    ]
    uct = SearchPlayer("uct", lambda game, games, seed: UctSearch(game, games, max_playouts=60, seed=seed), playouts=60)
    result = play_match(Go(5, komi=7.0), uct, GtpPlayer(command), games=4, seed=0, openings=2)
    check(result, Go(5, komi=7.0))
    assert result.b.startswith("GNU Go 3")
    assert result.void == 0


def test_an_engine_that_dies_is_survived(tmp_path: Path) -> None:
    """It answers what GTP must, and ends when it should move."""
    script = tmp_path / "mortal.py"
    script.write_text(
        "import sys\nmoves = 0\nfor line in sys.stdin:\n    word = [part for part in line.split() if not part.isdigit()][0]\n"
        "    if word == 'genmove':\n        moves += 1\n        if moves == 1:\n            sys.exit('out of breath')\n"
        "        print('= pass\\n', flush=True)\n"
        "    elif word in ('name', 'version', 'protocol_version'):\n        print('= 2\\n', flush=True)\n"
        "    elif word == 'list_commands':\n        print('= genmove\\nplay\\nboardsize\\nclear_board\\nkomi\\n', flush=True)\n"
        "    else:\n        print('= \\n', flush=True)\n"
    )
    result = play_match(Go(4, komi=0.5), GtpPlayer([sys.executable, str(script)]), searcher(20), games=4, seed=0, openings=1, parallel=2)
    assert result.void == 2
    assert any("out of breath" in one.detail for one in result.games)
    assert len(result.games) == 4
