"""What search does when something goes wrong, what its rows must not share, and the solved positions of Connect Four and 5 x 5 Go."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from toolkit.core import EngineError, InputError
from toolkit.models.alphago.games import ConnectFour, TicTacToe
from toolkit.models.alphago.games.go import Go
from toolkit.models.alphago.search import CachedEvaluator, GumbelOptions, GumbelSearch, Search, SearchOptions, UctSearch, UniformEvaluator

ONE = np.array([0])


def count(number: int) -> np.ndarray:
    return np.array([number], np.int32)


class BreaksOnce:
    """Even priors and values, but NaN in the call with that number."""

    def __init__(self, call: int) -> None:
        self._left = call

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._left -= 1
        return np.zeros((len(planes), 9), np.float32), np.full(len(planes), np.nan if self._left == 0 else 0, np.float32)


@pytest.mark.parametrize("leaves", [1, 4])
def test_a_broken_step_leaves_nothing_in_the_tree(leaves: int) -> None:
    """Neither losses that were never taken back nor noise: afterwards the search is as if it were new."""
    game, options = TicTacToe(), SearchOptions(leaves=leaves, noise_weight=1.0)
    tree = Search(game, BreaksOnce(20), 1, options, max_playouts=200, seed=0)
    with pytest.raises(EngineError, match="NaN"):
        tree.run(game.new(1), ONE, count(200), noise=np.array([True]))
    new = Search(game, UniformEvaluator(9), 1, options, max_playouts=200, seed=0)
    after, fresh = (search.run(game.new(1), ONE, count(100)) for search in (tree, new))
    np.testing.assert_array_equal(after.visits, fresh.visits)
    np.testing.assert_array_equal(after.q, fresh.q)
    np.testing.assert_allclose(after.priors, 1 / 9, atol=1e-6)


def test_the_cache_does_not_keep_what_was_broken() -> None:
    game = TicTacToe()
    tree = Search(game, CachedEvaluator(BreaksOnce(1), 64), 1, SearchOptions(), max_playouts=4, seed=0)
    with pytest.raises(EngineError, match="NaN"):
        tree.run(game.new(1), ONE, count(2))
    assert tree.run(game.new(1), ONE, count(2)).visits.sum() == 2


@pytest.mark.parametrize(("rows", "shape"), [(0, (1,)), (-1, ())], ids=["a value too deep", "a row too few"])
def test_wrong_shapes_behind_the_cache_are_one_clear_line(rows: int, shape: tuple[int, ...]) -> None:
    def wrong(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = len(planes) + rows
        return np.zeros((n, 9), np.float32), np.zeros((n, *shape), np.float32)

    game = TicTacToe()
    with pytest.raises(EngineError, match="does not fit the game"):
        Search(game, CachedEvaluator(wrong, 64), 1, SearchOptions(), max_playouts=4, seed=0).run(game.new(1), ONE, count(2))


def test_settings_without_sense_are_refused() -> None:
    value: Any
    for value in (-1.0, math.nan, math.inf):
        for name in ("c_puct", "fpu_reduction", "root_fpu_reduction", "virtual_loss", "dirichlet_total", "noise_weight"):
            with pytest.raises(InputError):
                replace(SearchOptions(), **{name: value})
        for name in ("visit_scale", "value_scale"):
            with pytest.raises(InputError):
                replace(GumbelOptions(), **{name: value})
    with pytest.raises(InputError, match="at least 1"):
        CachedEvaluator(UniformEvaluator(9), 0)
    with pytest.raises(InputError, match="leaves"):
        GumbelSearch(TicTacToe(), UniformEvaluator(9), 1, SearchOptions(leaves=4), max_playouts=16, seed=0)


def test_gumbel_refuses_a_game_that_has_ended() -> None:
    game = TicTacToe()
    states = game.new(1)
    for action in (0, 3, 1, 4, 2):
        game.play(states, ONE, np.array([action]))
    with pytest.raises(InputError, match="ended"):
        GumbelSearch(game, UniformEvaluator(9), 1, SearchOptions(), max_playouts=4, seed=0).run(states, ONE, count(4))


def test_random_play_in_a_row_does_not_depend_on_the_others() -> None:
    game = Go(5)
    states, rows, playouts = game.new(3), np.arange(3), np.array([64, 20, 50], np.int32)
    game.play(states, np.array([1]), np.array([12]))
    together = UctSearch(game, 3, max_playouts=64, seed=1).run(states, rows, playouts)
    for row in rows:
        alone = UctSearch(game, 3, max_playouts=64, seed=1).run(states, rows[[row]], playouts[[row]])
        np.testing.assert_array_equal(alone.visits[0], together.visits[row])
        np.testing.assert_array_equal(alone.q[0], together.q[row])
    assert (together.visits[0] != together.visits[2]).any()


def test_random_play_is_not_repeated_by_a_second_search() -> None:
    game = Go(5)
    tree = UctSearch(game, 1, max_playouts=64, seed=1)
    first = tree.run(game.new(1), ONE, count(64)).visits
    tree.reset(ONE)
    assert (tree.run(game.new(1), ONE, count(64)).visits != first).any()


@pytest.mark.parametrize("kind", ["puct", "gumbel", "uct"])
@pytest.mark.parametrize(
    ("line", "win"), [([3, 0, 3, 0, 3, 1], 3), ([0, 3, 0, 3, 1, 3], 3), ([3, 0, 3, 0, 3], 3)], ids=["first", "second", "defence"]
)
def test_connect_four_a_win_in_one_or_its_defence_is_found(kind: str, line: list[int], win: int) -> None:
    game = ConnectFour()
    states = game.new(1)
    for action in line:
        game.play(states, ONE, np.array([action]))
    evaluator, options = UniformEvaluator(game.actions), SearchOptions()
    tree: Search = UctSearch(game, 1, max_playouts=400, seed=0)
    if kind != "uct":
        tree = {"puct": Search, "gumbel": GumbelSearch}[kind](game, evaluator, 1, options, max_playouts=400, seed=0)
    assert tree.run(states, ONE, count(400)).action[0] == win


def test_connect_four_4x4_is_drawn() -> None:
    """Both sides play what the search says; nobody loses, and the empty board is worth about nothing."""
    game = ConnectFour(4, 4)
    states, tree = game.new(1), UctSearch(game, 1, max_playouts=4000, seed=0)
    first = tree.run(states, ONE, count(4000))
    assert abs(first.value[0]) < 0.15
    while not game.outcome(states, ONE)[0][0]:
        action = tree.run(states, ONE, count(1000)).action
        game.play(states, ONE, action)
        tree.advance(ONE, action)
    assert game.outcome(states, ONE)[1][0] == 0


class Stones:
    """Counts: more own stones are better."""

    def __init__(self, game: Go) -> None:
        self._game = game

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lead = (planes[:, 0] - planes[:, 8]).sum(axis=(1, 2)) / (self._game.height * self._game.width)
        return np.zeros((len(planes), self._game.actions), np.float32), np.tanh(4 * lead).astype(np.float32)


@pytest.mark.parametrize("kind", ["puct", "gumbel"])
@pytest.mark.parametrize("mover", [0, 1])
def test_go_a_capture_in_one_is_found(kind: str, mover: int) -> None:
    """The last liberty of four stones is E1. The komi makes a pass lose, which would otherwise be a sure win after another's."""
    game = Go(5, komi=-24.5 if mover else 24.5)
    states = game.new(1)
    game.place(states, 0, 1 - mover, [game.action_of(name) for name in ("A1", "B1", "C1", "D1")])
    game.place(states, 0, mover, [game.action_of(name) for name in ("A2", "B2", "C2", "D2")])
    if mover:
        game.play(states, ONE, np.array([game.actions - 1]))
    assert game.to_move(states, ONE)[0] == mover
    every = GumbelOptions(considered=game.actions)
    tree = (
        GumbelSearch(game, Stones(game), 1, SearchOptions(), max_playouts=400, seed=0, gumbel=every)
        if kind == "gumbel"
        else Search(game, Stones(game), 1, SearchOptions(), max_playouts=400, seed=0)
    )
    result = tree.run(states, ONE, count(400))
    assert game.action_name(int(result.action[0])) == "E1"


def test_go_5x5_opens_in_the_centre() -> None:
    """Random play alone sees it with enough playouts; with 2,000 it mostly does not."""
    game = Go(5, komi=7.5)
    result = UctSearch(game, 1, max_playouts=30_000, seed=0).run(game.new(1), ONE, count(30_000))
    assert game.action_name(int(result.action[0])) == "C3"


def test_each_move_has_noise_of_its_own() -> None:
    game, tree = TicTacToe(), Search(TicTacToe(), UniformEvaluator(9), 1, SearchOptions(noise_weight=1.0), max_playouts=100, seed=0)
    seen = []
    for _ in range(2):
        seen.append(tree.run(game.new(1), ONE, count(100), noise=np.array([True])).visits)
        tree.advance(ONE, ONE)
        tree.reset(ONE)
    assert (seen[0] != seen[1]).any()


def test_gumbel_noise_is_gone_in_the_next_search() -> None:
    game, options = TicTacToe(), GumbelOptions(considered=4)
    used, new = (GumbelSearch(game, UniformEvaluator(9), 1, SearchOptions(), max_playouts=16, seed=0, gumbel=options) for _ in range(2))
    used.run(game.new(1), ONE, count(16), noise=np.array([True]))
    used.reset(ONE)
    np.testing.assert_array_equal(used.run(game.new(1), ONE, count(16)).visits, new.run(game.new(1), ONE, count(16)).visits)


@pytest.mark.parametrize("value", [1.5, -40.0])
def test_a_value_out_of_range_is_refused(value: float) -> None:
    def points(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(planes), 9), np.float32), np.full(len(planes), value, np.float32)

    game = TicTacToe()
    tree = Search(game, points, 1, SearchOptions(), max_playouts=4, seed=0)
    with pytest.raises(EngineError, match=f"out of range.*{value:g}"):
        tree.run(game.new(1), ONE, count(2))
