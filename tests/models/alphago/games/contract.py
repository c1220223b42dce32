"""The test that every game must pass; third parties call `check_game` on their own.

from tests.models.alphago.games.contract import check_game
check_game(MyGame())
"""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.core import InputError
from toolkit.models.alphago.games import FIRST, SECOND, Game, Position, States

ROWS = 6


def check_game(game: Game, *, seed: int = 0) -> None:
    """Hold a game to the contract of `Game`."""
    check_description(game)
    check_symmetries(game)
    for round in range(3):
        check_random_games(game, seed=seed + round)
    check_equivariance(game, seed=seed)
    check_rollout(game, seed=seed)
    check_position(game, seed=seed)


def random_actions(legal: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One legal action a row, ``[n]`` int32."""
    return np.array([random.choice(np.flatnonzero(row)) for row in legal], np.int32)


def encoded(game: Game, states: States, rows: np.ndarray) -> np.ndarray:
    """The planes of some rows, written over rubbish."""
    out = np.full((len(rows), game.planes, game.height, game.width), np.nan, np.float32)
    game.encode(states, rows, out)
    assert np.isfinite(out).all(), "encode must write everything"
    return out


def views(game: Game, states: States, rows: np.ndarray) -> list[np.ndarray]:
    """All that can be asked about some rows."""
    boards = np.stack([game.board(states, int(row)) for row in rows])
    return [game.legal(states, rows), *game.outcome(states, rows), game.to_move(states, rows), encoded(game, states, rows), boards]


def check_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def check_description(game: Game) -> None:
    assert game.name == game.name.lower()
    assert min(game.height, game.width, game.planes, game.max_moves) >= 1
    names = [game.action_name(action) for action in range(game.actions)]
    assert len({name.lower() for name in names}) == game.actions
    for action, name in enumerate(names):
        assert game.action_of(name) == game.action_of(f" {name.upper()} ") == action
    with pytest.raises(InputError, match="no move"):
        game.action_of("no such move")


def check_symmetries(game: Game) -> None:
    cells, actions = game.symmetries()
    assert cells.shape == (len(actions), game.height * game.width)
    assert actions.shape[1] == game.actions
    for table in (cells, actions):
        assert table.dtype == np.int64
        np.testing.assert_array_equal(np.sort(table, axis=1), np.broadcast_to(np.arange(table.shape[1]), table.shape))
        np.testing.assert_array_equal(table[0], np.arange(table.shape[1]))
    assert len(np.unique(cells, axis=0)) == len(cells)


def check_random_games(game: Game, *, seed: int) -> None:
    """Games on interleaved rows: `play` and `follow` agree at every move, and every answer has its shape and dtype."""
    random = np.random.default_rng(seed)
    start, states, other = game.new(1), game.new(ROWS + 2), game.new(ROWS + 1)
    untouched = views(game, start, np.zeros(1, np.int64))
    rows = random.permutation(ROWS + 2)[:ROWS]
    paths, lengths = np.zeros((ROWS, game.max_moves), np.int32), np.zeros(ROWS, np.int32)
    idle = np.setdiff1d(np.arange(ROWS + 2), rows)
    for moves in range(game.max_moves + 1):
        legal = game.legal(states, rows)
        ended, value = game.outcome(states, rows)
        turn = game.to_move(states, rows)
        assert legal.shape == (ROWS, game.actions)
        assert [array.dtype.name for array in (legal, ended, value, turn)] == ["bool", "bool", "float32", "int8"]
        assert set(turn.tolist()) <= {FIRST, SECOND}
        assert set(value.tolist()) <= {-1.0, 0.0, 1.0}
        assert not value[~ended].any()
        np.testing.assert_array_equal(legal.any(axis=1), ~ended)
        board = game.board(states, int(rows[0]))
        assert board.dtype == np.int8
        assert board.shape == (game.height, game.width)
        assert set(np.unique(board)) <= {0, 1, 2}
        if moves % 7 == 0 or ended.any():
            to = random.permutation(ROWS + 1)[:ROWS]
            game.follow(start, np.zeros(ROWS, np.int64), paths, lengths, other, to)
            check_same(views(game, states, rows), views(game, other, to))
            again = game.new(ROWS)
            game.follow(states, rows, np.zeros((ROWS, 0), np.int32), np.zeros(ROWS, np.int32), again, np.arange(ROWS))
            check_same(views(game, states, rows), views(game, again, np.arange(ROWS)))
        live = np.flatnonzero(~ended)
        if not len(live):
            break
        actions = random_actions(legal[live], random)
        paths[live, lengths[live]] = actions
        lengths[live] += 1
        game.play(states, rows[live], actions)
    assert ended.all(), "a game must end within max_moves"
    check_same(untouched, views(game, start, np.zeros(1, np.int64)))
    for row in idle:
        check_same(untouched, views(game, states, np.array([row])))
    empty = np.zeros(0, np.int64)
    assert game.legal(states, empty).shape == (0, game.actions)
    game.play(states, empty, np.zeros(0, np.int32))


def check_equivariance(game: Game, *, seed: int) -> None:
    """A game transformed move by move is the transformed game."""
    random = np.random.default_rng(seed)
    cells, actions = game.symmetries()
    count = len(cells)
    states, rows = game.new(count), np.arange(count)
    back = np.argsort(actions, axis=1)
    for _ in range(game.max_moves):
        planes, legal = encoded(game, states, rows).reshape(count, game.planes, -1), game.legal(states, rows)
        ended, value = game.outcome(states, rows)
        for s in range(count):
            np.testing.assert_array_equal(planes[s], planes[0][:, cells[s]])
            np.testing.assert_array_equal(legal[s], legal[0][actions[s]])
            np.testing.assert_array_equal(game.board(states, s).reshape(-1), game.board(states, 0).reshape(-1)[cells[s]])
        assert len(set(ended)) == len(set(value)) == 1
        if ended[0]:
            break
        action = random_actions(legal[:1], random)[0]
        game.play(states, rows, back[:, action].astype(np.int32))


def check_rollout(game: Game, *, seed: int) -> None:
    count = 40
    rows = np.arange(count)

    def roll(seed: int) -> tuple[States, np.ndarray, np.ndarray]:
        states = game.new(count)
        return states, *game.rollout(states, rows, seed)

    states, value, moves = roll(seed)
    ended, outcome = game.outcome(states, rows)
    assert value.dtype == np.float32
    assert moves.dtype == np.int32
    assert ended.all()
    np.testing.assert_array_equal(value, outcome)
    assert (moves >= 1).all()
    assert (moves <= game.max_moves).all()
    again, _, same = roll(seed)
    check_same(views(game, states, rows), views(game, again, rows))
    np.testing.assert_array_equal(moves, same)
    boards = {b"".join(game.board(one, row).tobytes() for row in range(count)) for one in (roll(seed + k)[0] for k in range(4))}
    assert len(boards) > 1, "the seed must matter"
    _, none = game.rollout(states, rows, seed)
    assert not none.any(), "a game that has ended stays as it is"


def check_position(game: Game, *, seed: int) -> None:
    """What is refused has a reason, and undoing brings back what was."""
    random = np.random.default_rng(seed)
    position = Position(game)
    seen = [position.board()]
    while not position.ended:
        legal = position.legal()
        for action in range(game.actions):
            assert (game.why_illegal(position.states, 0, action) == "") == legal[action]
        position.play(int(random.choice(np.flatnonzero(legal))))
        seen.append(position.board())
    with pytest.raises(InputError, match="over"):
        position.play(0)
    for board in reversed(seen[:-1]):
        position.undo()
        np.testing.assert_array_equal(position.board(), board)
    for action in (-1, game.actions):
        with pytest.raises(InputError, match=f"actions are 0 to {game.actions - 1}"):
            position.play(action)
    with pytest.raises(InputError, match="nothing to undo"):
        position.undo()
