"""GNU Go as referee, over GTP: its board and its legal moves after every move of random games."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from toolkit.models.alphago.games import FIRST, SECOND, Go, Position

GNUGO = shutil.which("gnugo") or shutil.which("gnugo", path="/usr/games")

pytestmark = pytest.mark.skipif(GNUGO is None, reason="GNU Go is not installed (Debian package gnugo)")


class Referee:
    """GNU Go behind a pipe."""

    def __init__(self) -> None:
        command = [str(Path(str(GNUGO))), "--mode", "gtp", "--chinese-rules", "--positional-superko"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, command: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while line := self.process.stdout.readline().strip():
            lines.append(line)
        answer = " ".join(lines)
        assert answer.startswith("="), f"{command}: {answer}"
        return answer[1:].strip()


@pytest.fixture(scope="module")
def referee() -> Iterator[Referee]:
    one = Referee()
    with one.process:
        yield one
        one.ask("quit")


@pytest.mark.parametrize(("size", "games"), [(3, 8), (5, 6), (9, 3)])
def test_boards_and_legal_moves(referee: Referee, size: int, games: int) -> None:
    random = np.random.default_rng(size)
    for _ in range(games):
        at = Position(Go(size))
        referee.ask(f"boardsize {size}")
        referee.ask("clear_board")
        while not at.ended:
            colours = ("black", "white")
            for player in (FIRST, SECOND):
                stones = {at.game.action_name(int(cell)) for cell in np.flatnonzero(at.board() == player + 1)}
                assert set(referee.ask(f"list_stones {colours[player]}").split()) == stones
            legal = np.flatnonzero(at.legal()[:-1])
            names = {at.game.action_name(int(action)) for action in legal}
            assert set(referee.ask(f"all_legal {colours[at.to_move]}").split()) - {"PASS"} == names
            action = int(random.choice(legal)) if len(legal) else at.game.actions - 1
            referee.ask(f"play {colours[at.to_move]} {at.game.action_name(action)}")
            at.play(action)


@pytest.mark.parametrize(("size", "most"), [(19, 9), (13, 9), (9, 9), (10, 4), (8, 4), (7, 4)])
def test_fixed_handicap(referee: Referee, size: int, most: int) -> None:
    for stones in range(2, most + 1):
        referee.ask(f"boardsize {size}")
        referee.ask("clear_board")
        game = Go(size)
        assert set(referee.ask(f"fixed_handicap {stones}").split()) == {game.action_name(cell) for cell in game.handicap_cells(stones)}
