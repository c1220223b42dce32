"""Random games, move by move, beside OpenSpiel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolkit.models.alphago.games import ConnectFour, Game, Go, Position, TicTacToe

pyspiel = pytest.importorskip("pyspiel", reason="open-spiel is a development dependency")


def open_spiel(name: str) -> Any:
    return pyspiel.load_game(name).new_initial_state()


@pytest.mark.parametrize("size", [2, 3, 5, 9, 13])
@pytest.mark.parametrize("komi", [0.5, 7.0])
def test_go(size: int, komi: float) -> None:
    """OpenSpiel's rows count from the bottom. It allows a move that brings a board back and ends the game there: that is our superko."""
    random = np.random.default_rng(size)
    repeated = 0
    for _ in range(4 if size > 5 else 30):
        at, theirs = Position(Go(size, komi=komi, max_moves=4 * size * size)), open_spiel(f"go(board_size={size},komi={komi})")
        points = np.arange(size * size).reshape(size, size)[::-1].reshape(-1)
        ours_to_theirs = [*points.tolist(), size * size]
        while not (at.ended or theirs.is_terminal()):
            ours, allowed = np.flatnonzero(at.legal()).tolist(), set(theirs.legal_actions())
            assert theirs.current_player() == at.to_move
            assert {ours_to_theirs[action] for action in ours} <= allowed
            for action in allowed - {ours_to_theirs[action] for action in ours}:
                assert theirs.child(action).is_terminal()
                repeated += 1
            drawn = "".join(line.split()[1] for line in str(theirs).splitlines() if len(line.split()) == 2 and line.split()[0].isdigit())
            assert drawn == "".join("+XO"[stone] for stone in at.board().reshape(-1))
            stones = [action for action in ours if action != at.game.actions - 1]
            action = random.choice(stones) if stones and random.random() < 0.97 else at.game.actions - 1
            at.play(int(action))
            theirs.apply_action(ours_to_theirs[action])
        if at.ended and len(at.history) < theirs.get_game().max_game_length() and at.history[-2:] == [at.game.actions - 1] * 2:
            assert theirs.is_terminal()
            assert theirs.returns()[0] == at.value
    assert repeated or size > 3


@pytest.mark.parametrize(("game", "name"), [(ConnectFour(), "connect_four"), (TicTacToe(), "tic_tac_toe")])
def test_small_games(game: Game, name: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(60):
        at, theirs = Position(game), open_spiel(name)
        while not theirs.is_terminal():
            assert not at.ended
            assert theirs.current_player() == at.to_move
            assert np.flatnonzero(at.legal()).tolist() == theirs.legal_actions()
            action = int(random.choice(theirs.legal_actions()))
            at.play(action)
            theirs.apply_action(action)
            assert str(theirs).split() == ["".join(".xo"[stone] for stone in row) for row in at.board()]
        assert at.ended
        assert theirs.returns() == [at.value, -at.value]
