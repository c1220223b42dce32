"""The compiled rules against plain ones, over random games on random boards; and the invariants of their arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.alphago.games.contract import encoded
from tests.models.alphago.games.naive import NaiveGo
from toolkit.models.alphago.games import Go, States
from toolkit.models.alphago.games import _go_rules as rules

ROW = np.zeros(1, np.int64)


@st.composite
def games(draw: Any) -> tuple[Go, NaiveGo, int]:
    width, height = draw(st.integers(1, 6)), draw(st.integers(2, 6))
    ko, suicide = draw(st.sampled_from(["simple", "positional", "situational"])), draw(st.booleans())
    return (
        Go((width, height), ko=ko, suicide=suicide, komi=0.5, max_moves=70),
        NaiveGo(width, height, ko=ko, suicide=suicide),
        draw(st.integers(0, 2**32)),
    )


@settings(max_examples=60)
@given(games())
def test_random_games_agree_with_the_plain_rules(case: tuple[Go, NaiveGo, int]) -> None:
    game, naive, seed = case
    random, states = np.random.default_rng(seed), game.new(1)
    while True:
        legal = game.legal(states, ROW)[0]
        cells = [divmod(cell, game.width) for cell in range(game.actions - 1)]
        assert game.board(states, 0).tolist() == [list(row) for row in naive.board]
        assert game.ownership(states, ROW)[0].tolist() == naive.owners()
        assert game.score(states, ROW)[0] == sum(naive.owners()) - 0.5
        np.testing.assert_array_equal(encoded(game, states, ROW)[0], naive.planes())
        check_arrays(game, naive, states)
        if game.outcome(states, ROW)[0][0]:
            assert game.outcome(states, ROW)[1][0] == np.sign(sum(naive.owners()) - 0.5)
            break
        assert legal[:-1].tolist() == [naive.is_legal(cell) for cell in cells]
        assert game.to_move(states, ROW)[0] == naive.turn - 1
        # Mostly stones: two passes would end the game while the board is empty.
        choices = np.flatnonzero(legal[:-1])
        action = int(random.choice(choices)) if len(choices) and random.random() < 0.95 else game.actions - 1
        game.play(states, ROW, np.array([action]))
        naive.play(None if action == game.actions - 1 else cells[action])


def check_arrays(game: Go, naive: NaiveGo, states: States) -> None:
    """Chains, liberties and keys, which are kept from move to move, are what they would be if computed anew."""
    stones, _, chains, liberties, keys, seen, info = (array[0] for array in states)
    point_of = dict(zip(np.ndindex(game.height, game.width), game._points.tolist(), strict=True))
    zobrist, key = game._zobrist, game._zobrist[0, -1]
    for cell, point in point_of.items():
        stone = naive.board[cell[0]][cell[1]]
        if not stone:
            continue
        key ^= zobrist[stone, point]
        members, _ = naive.chain(naive.board, cell)
        points = {point_of[member] for member in members}
        head = int(chains[0, point])
        assert {int(chains[0, each]) for each in points} == {head}
        assert chains[2, head] == len(points)
        ring, each = set(), head
        while each not in ring:
            ring.add(each)
            each = int(chains[1, each])
        assert (ring, each) == (points, head)
        assert keys[head] == np.bitwise_xor.reduce([zobrist[stone, each] for each in points])
        pairs = [point_of[near] for member in members for near in naive.neighbours(member) if not naive.board[near[0]][near[1]]]
        assert liberties[:, head].tolist() == [len(pairs), sum(pairs), sum(each * each for each in pairs)]
        assert rules.is_in_atari.py_func(liberties.astype(object), head) == (len(set(pairs)) == 1)
    assert info[rules.KEY] == key
    if naive.ko == "positional":
        assert np.count_nonzero(seen) == len(set(naive.boards))
    if naive.ko == "situational":
        assert np.count_nonzero(seen) == len(naive.situations)
    assert np.count_nonzero(stones == 3) == len(stones) - len(point_of)


def test_a_chain_with_one_liberty_is_told_on_the_largest_board() -> None:
    """Squares and products of points of 19x19 stay within their integers."""
    game, states = Go(19), Go(19).new(1)
    game.place(states, 0, 0, [cell for cell in range(361) if cell != 360])
    head = int(states[2][0, 0, game._points[0]])
    assert rules.is_in_atari(states[3][0], head)
    assert not game.legal(states, ROW)[0, 360]
    game.set_to_move(states, 0, 1)
    assert game.legal(states, ROW)[0, 360]
    game.play(states, ROW, np.array([360]))
    assert game.score(states, ROW)[0] == -361 - 7
