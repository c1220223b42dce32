"""A brain for one game: it follows the rules of the game that it is given, and keeps to its time."""

from __future__ import annotations

import pytest

from toolkit.models.alphago.brain import Brain
from toolkit.models.alphago.games import Game, Go, Position, TicTacToe
from toolkit.models.alphago.search import Search, SearchOptions, UniformEvaluator


def brain(made: list[Game], *, playouts: int = 60) -> Brain:
    def make(game: Game) -> Search:
        made.append(game)
        return Search(game, UniformEvaluator(game.actions), 1, SearchOptions(), max_playouts=playouts, seed=0)

    return Brain("test", make, playouts=playouts)


def test_a_search_is_made_for_other_rules_only() -> None:
    made: list[Game] = []
    thinker = brain(made)
    for game in (Go(3, komi=1), Go(3, komi=1), Go(3, komi=2), Go(3, komi=2, max_moves=400), Go(4, komi=2), TicTacToe()):
        thinker.think(Position(game))
    assert [game.name for game in made] == ["go-3x3", "go-3x3", "go-3x3", "go-4x4", "tic-tac-toe"]


def test_a_thought_is_complete() -> None:
    position = Position(TicTacToe())
    for action in (0, 3, 1, 4):
        position.play(action)
    thought = brain([], playouts=200).think(position)
    assert thought.action == 2
    best = thought.candidates[0]
    assert (best.action, best.win_rate, best.line) == (2, 1.0, (2,))
    assert sum(candidate.visits for candidate in thought.candidates) == 200
    assert thought.win_rate > 0.5
    assert position.history == [0, 3, 1, 4]


def test_analysis_deepens() -> None:
    visits = [sum(c.visits for c in thought.candidates) for thought in brain([], playouts=100).analyse(Position(TicTacToe()))]
    assert visits == [32, 64, 96, 100]


def test_a_time_limit_ends_it() -> None:
    thinker = brain([], playouts=500_000)
    thinker.start(Go(9))
    thought = thinker.think(Position(Go(9)), seconds=0.2)
    assert 0 < sum(candidate.visits for candidate in thought.candidates) < 500_000


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_moves_are_legal_at_any_temperature(temperature: float) -> None:
    position = Position(Go(3))
    thinker = brain([], playouts=20)
    while not position.ended:
        position.play(thinker.think(position, temperature=temperature).action)
