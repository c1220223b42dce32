"""Tree search on positions whose answer is known, and on trees counted by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.core import EngineError, InputError
from toolkit.models.alphago.games import Game, Gomoku, States, TicTacToe
from toolkit.models.alphago.games.go import Go
from toolkit.models.alphago.search import (
    CachedEvaluator,
    GumbelOptions,
    GumbelSearch,
    Search,
    SearchOptions,
    SearchResult,
    UctSearch,
    UniformEvaluator,
    choose,
)
from toolkit.models.alphago.search.gumbel import considered_visits

KINDS = ("puct", "gumbel", "uct")


def make(kind: str, game: Game, rows: int = 1, *, playouts: int = 400, seed: int = 0, leaves: int = 1) -> Search:
    if kind == "uct":
        return UctSearch(game, rows, max_playouts=playouts, seed=seed)
    evaluator, options = UniformEvaluator(game.actions), SearchOptions(leaves=leaves)
    if kind == "gumbel":
        every = GumbelOptions(considered=64)  # Without an opinion and without noise the considered actions would be the first ones.
        return GumbelSearch(game, evaluator, rows, options, max_playouts=playouts, seed=seed, gumbel=every)
    return Search(game, evaluator, rows, options, max_playouts=playouts, seed=seed)


def after(game: Game, *lines: list[int]) -> tuple[States, np.ndarray]:
    """A row for each list of moves."""
    states = game.new(len(lines))
    for row, line in enumerate(lines):
        for action in line:
            assert game.legal(states, np.array([row]))[0, action]
            game.play(states, np.array([row]), np.array([action]))
    return states, np.arange(len(lines))


def search(kind: str, game: Game, line: list[int], *, playouts: int = 400, leaves: int = 1, seed: int = 0) -> SearchResult:
    states, rows = after(game, line)
    return make(kind, game, playouts=playouts, leaves=leaves, seed=seed).run(states, rows, np.array([playouts], np.int32))


class Table:
    """An evaluator that says for the starting position of tic-tac-toe what the test says, and 0 elsewhere, with even priors."""

    def __init__(self, logits: np.ndarray, value: float) -> None:
        self._logits, self._value = logits, value

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        empty = planes[:, :2].reshape(len(planes), -1).sum(axis=1) == 0
        logits = np.where(empty[:, None], self._logits, 0).astype(np.float32)
        return logits, np.where(empty, self._value, 0).astype(np.float32)


def test_first_visits_follow_puct() -> None:
    """Worked by hand: priors .5, .3, .2; the root's value .4, no reduction for untried actions; every child is worth 0.

    Playout 1: Q .4 + 1.1 * sqrt(1) * p: .95, .73, .62 -> a. Its Q becomes 0.
    Playout 2: untried: (0 + .4) / 2 = .2. a: 0 + 1.1 * sqrt(2) * .5 / 2 = .389; b: .2 + .467 = .667; c: .2 + .311 = .511 -> b.
    Playout 3: untried: .4 / 3 = .133. a: 1.1 * sqrt(3) * .25 = .476; b: .286; c: .133 + .381 = .514 -> c.
    Playout 4: 1.1 * sqrt(4) = 2.2. a: .55, b: .33, c: .22 -> a.
    """
    logits = np.full(9, -50.0)
    logits[[0, 4, 8]] = np.log([0.5, 0.3, 0.2])
    game = TicTacToe()
    for playouts, want in enumerate(([1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1]), start=1):
        tree = Search(game, Table(logits, 0.4), 1, SearchOptions(), max_playouts=8, seed=0)
        result = tree.run(*after(game, []), np.array([playouts], np.int32))
        assert result.visits[0, [0, 4, 8]].tolist() == want
    np.testing.assert_allclose(result.priors[0, [0, 4, 8]], [0.5, 0.3, 0.2], atol=1e-5)
    assert result.value[0] == pytest.approx(0.4 / 5)


def test_untried_actions_are_reduced_by_the_mass_that_was_tried() -> None:
    """With a large reduction the first action keeps being visited: 1.1 * sqrt(2) * .5 / 2 = .39 > .2 - 1 * sqrt(.5) + .467."""
    logits = np.full(9, -50.0)
    logits[[0, 4, 8]] = np.log([0.5, 0.3, 0.2])
    game = TicTacToe()
    tree = Search(game, Table(logits, 0.4), 1, SearchOptions(root_fpu_reduction=1.0), max_playouts=8, seed=0)
    assert tree.run(*after(game, []), np.array([2], np.int32)).visits[0, [0, 4, 8]].tolist() == [2, 0, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("line", "win"),
    [([0, 3, 1, 4], 2), ([0, 3, 1, 4, 8], 5), ([4, 0, 2, 3, 8], 6)],
    ids=["first player", "second player", "the only defence"],
)
def test_a_win_in_one_or_its_defence_is_found(kind: str, line: list[int], win: int) -> None:
    result = search(kind, TicTacToe(), line, playouts=300)
    assert result.action[0] == win
    assert result.visits[0].sum() == 300


@pytest.mark.parametrize("kind", KINDS)
def test_five_in_a_row_is_found_and_worth_a_win(kind: str) -> None:
    game = Gomoku(7)
    line = [21, 0, 22, 1, 23, 2, 24, 8]
    result = search(kind, game, line, playouts=400)
    assert result.action[0] in {20, 25}
    assert result.q[0, result.action[0]] == 1
    if kind != "gumbel":  # Its playouts are spread over all actions by the schedule.
        assert result.value[0] > 0.5


@cache
def minimax(board: str, mover: str) -> int:
    lines = [board[i : i + 3] for i in (0, 3, 6)] + [board[i::3] for i in range(3)] + [board[::4], board[2:7:2]]
    other = "o" if mover == "x" else "x"
    if other * 3 in lines:
        return -1
    if " " not in board:
        return 0
    return max(-minimax(board[:i] + mover + board[i + 1 :], other) for i in range(9) if board[i] == " ")


@pytest.mark.parametrize("kind", ["puct", "uct"])
def test_tic_tac_toe_is_solved(kind: str) -> None:
    """From every position after two moves the action's value is minimax's best; both orders of play are met."""
    game = TicTacToe()
    lines = [[a, b] for a in range(9) for b in range(9) if a != b]
    states, rows = after(game, *lines)
    tree = make(kind, game, len(lines), playouts=1500)
    result = tree.run(states, rows, np.full(len(lines), 1500, np.int32))
    for line, action in zip(lines, result.action, strict=True):
        cells = [" "] * 9
        cells[line[0]], cells[line[1]] = "x", "o"
        best = minimax("".join(cells), "x")
        cells[action] = "x"
        assert -minimax("".join(cells), "o") == best, line


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_does_not_depend_on_the_others(kind: str) -> None:
    game = TicTacToe()
    states, rows = after(game, [0], [4, 0], [8], [2, 1, 0])
    counts = np.array([40, 10, 60, 30], np.int32)
    together = make(kind, game, 4).run(states, rows, counts, noise=np.ones(4, bool))
    for row in rows:
        alone = make(kind, game, 4).run(states, rows[[row]], counts[[row]], noise=np.ones(1, bool))
        assert (alone.visits[0] == together.visits[row]).all()
        assert alone.policy[0].tolist() == together.policy[row].tolist()
    assert together.visits.sum(axis=1).tolist() == counts.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same(kind: str) -> None:
    game = Gomoku(6)
    states, rows = after(game, [0], [7, 8])
    results = [
        make(kind, game, 2, seed=seed).run(states, rows, np.full(2, 60, np.int32), noise=np.ones(2, bool)).visits for seed in (3, 3, 4)
    ]
    assert (results[0] == results[1]).all()
    assert (results[0] != results[2]).any()


def test_noise_leaves_the_stored_priors_clean() -> None:
    game = TicTacToe()
    states, rows = after(game, [])
    tree = make("puct", game)
    first = tree.run(states, rows, np.array([50], np.int32), noise=np.array([True]))
    again = tree.run(states, rows, np.array([1], np.int32))
    np.testing.assert_allclose(first.priors, 1 / 9, atol=1e-6)
    np.testing.assert_allclose(again.priors, 1 / 9, atol=1e-6)


def test_a_played_subtree_is_kept_whole() -> None:
    game = TicTacToe()
    states, rows = after(game, [])
    tree = make("puct", game, playouts=200)
    first = tree.run(states, rows, np.array([200], np.int32))
    action = first.action
    game.play(states, rows, action)
    tree.advance(rows, action)
    kept = tree.run(states, rows, np.array([0], np.int32))
    # The visit that made the node is the parent's; those below it stay.
    assert kept.visits[0].sum() == first.visits[0, action[0]] - 1
    assert kept.value[0] == pytest.approx(-first.q[0, action[0]], abs=1e-5)
    more = tree.run(states, rows, np.array([100], np.int32))
    assert more.visits[0].sum() == kept.visits[0].sum() + 100


def test_an_unknown_move_or_a_reset_leaves_an_empty_tree() -> None:
    game = TicTacToe()
    states, rows = after(game, [])
    tree = make("puct", game, playouts=20)
    tree.run(states, rows, np.array([3], np.int32))
    game.play(states, rows, np.array([8]))
    tree.advance(rows, np.array([8]))
    assert tree.run(states, rows, np.array([5], np.int32)).visits.sum() == 5
    tree.reset(rows)
    assert tree.run(states, rows, np.array([5], np.int32)).visits.sum() == 5


def test_a_long_game_never_outgrows_the_tree() -> None:
    game = Gomoku(5)
    states, rows = after(game, [])
    tree = make("puct", game, playouts=30)
    for _ in range(20):
        result = tree.run(states, rows, np.array([30], np.int32))
        game.play(states, rows, result.action)
        tree.advance(rows, result.action)
        if game.outcome(states, rows)[0][0]:
            break


@pytest.mark.parametrize("leaves", [2, 8])
def test_virtual_loss_spreads_the_leaves(leaves: int) -> None:
    seen: list[np.ndarray] = []

    class Watch(UniformEvaluator):
        def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            seen.append(planes.copy())
            return super().__call__(planes)

    game = Gomoku(5)
    tree = Search(game, Watch(game.actions), 1, SearchOptions(leaves=leaves), max_playouts=64, seed=0)
    result = tree.run(*after(game, []), np.array([64], np.int32))
    assert result.visits.sum() == 64
    batches = seen[1:]
    assert [len(batch) for batch in batches] == [leaves] * (64 // leaves)
    # Later ones may hold one position twice, by two orders of moves.
    assert len(np.unique(batches[0].reshape(leaves, -1), axis=0)) == leaves


def test_virtual_loss_is_taken_back() -> None:
    assert search("puct", TicTacToe(), [0, 4], playouts=400, leaves=4).value[0] == pytest.approx(0, abs=0.15)
    assert abs(search("puct", TicTacToe(), [], playouts=64, leaves=8).q[0]).max() < 0.5


def test_sequential_halving_counts() -> None:
    """16 playouts, 8 actions: three phases of 5 1/3; 8 x 1, 4 x 1 and 2 x 2 (Danihelka et al. 2022, figure 1)."""
    assert considered_visits(8, 16) == (0,) * 8 + (1,) * 4 + (2, 2, 3, 3)
    assert considered_visits(1, 3) == (0, 1, 2)
    assert considered_visits(2, 5) == (0, 0, 1, 1, 2)


@given(actions=st.integers(1, 40), playouts=st.integers(1, 200))
def test_sequential_halving_is_a_schedule(actions: int, playouts: int) -> None:
    """Each visit count is asked for only when enough actions have it."""
    counts = [0] * actions
    for wanted in considered_visits(actions, playouts):
        counts[counts.index(wanted)] += 1
    assert sum(counts) == playouts


def test_gumbel_visits_are_those_of_the_schedule() -> None:
    game = TicTacToe()
    tree = GumbelSearch(game, UniformEvaluator(9), 1, SearchOptions(), max_playouts=16, seed=0, gumbel=GumbelOptions(considered=8))
    result = tree.run(*after(game, []), np.array([16], np.int32), noise=np.array([True]))
    assert sorted(result.visits[0].tolist()) == [0, 1, 1, 1, 1, 2, 2, 4, 4]
    assert result.visits[0, result.action[0]] == 4


@given(st.integers(0, 2**31), st.integers(4, 60))
@settings(max_examples=25)
def test_gumbels_policy_is_an_improvement(seed: int, playouts: int) -> None:
    """Under the values that were found the improved policy expects at least what the prior does."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=9)
    values = {int(cell): float(random.uniform(-1, 1)) for cell in range(9)}

    class Bandit:
        def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            stones = planes[:, :2].sum(axis=1).reshape(len(planes), 9)
            first = stones.argmax(axis=1)
            value = np.array([-values[int(cell)] if stone.sum() == 1 else 0.0 for cell, stone in zip(first, stones, strict=True)])
            return np.broadcast_to(logits, (len(planes), 9)).astype(np.float32), value.astype(np.float32)

    game = TicTacToe()
    tree = GumbelSearch(game, Bandit(), 1, SearchOptions(), max_playouts=60, seed=seed)
    result = tree.run(*after(game, []), np.array([playouts], np.int32), noise=np.array([True]))
    q = np.where(np.isnan(result.q[0]), result.value[0], result.q[0])
    assert result.policy[0].sum() == pytest.approx(1, abs=1e-5)
    assert (result.policy[0] * q).sum() >= (result.priors[0] * q).sum() - 1e-4


def test_visits_become_moves() -> None:
    random = np.random.default_rng(0)
    visits = np.tile(np.array([[1, 0, 3]], np.int32), (4000, 1))
    shares = np.bincount(choose(visits, 1.0, random), minlength=3) / 4000
    np.testing.assert_allclose(shares, [0.25, 0, 0.75], atol=0.03)
    assert (choose(visits, 0.0, random) == 2).all()
    hot = np.bincount(choose(visits, np.full(4000, 0.5), random), minlength=3) / 4000
    np.testing.assert_allclose(hot, [0.1, 0, 0.9], atol=0.03)


def test_the_cache_answers_what_was_asked() -> None:
    asked: list[int] = []

    class Count:
        def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            asked.append(len(planes))
            flat = planes.reshape(len(planes), -1)
            return flat[:, :4] * 2, flat.mean(axis=1)

    cached = CachedEvaluator(Count(), 64)
    planes = np.random.default_rng(0).random((6, 3, 2, 2), np.float32)
    planes[5] = planes[0]
    for batch in (planes, planes[:3], planes[[5, 4, 1]]):
        logits, values = cached(batch)
        np.testing.assert_array_equal(logits, batch.reshape(len(batch), -1)[:, :4] * 2)
        np.testing.assert_allclose(values, batch.reshape(len(batch), -1).mean(axis=1))
    assert asked == [5]
    assert (cached.hits, cached.misses) == (7, 5)


@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_a_small_cache_forgets_but_is_never_wrong(seed: int) -> None:
    class Echo:
        def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return planes.reshape(len(planes), -1)[:, :3].copy(), planes.reshape(len(planes), -1).mean(axis=1)

    random = np.random.default_rng(seed)
    cached, pool = CachedEvaluator(Echo(), 3), random.integers(0, 2, (20, 1, 3, 5)).astype(np.float32)
    for _ in range(10):
        batch = pool[random.integers(0, 20, 7)]
        logits, values = cached(batch)
        np.testing.assert_array_equal(logits, batch.reshape(7, -1)[:, :3])
        np.testing.assert_array_equal(values, batch.reshape(7, -1).mean(axis=1))


def test_history_tells_positions_apart() -> None:
    """The same stones by another order of moves are another position for the network, and so for the cache."""
    game = Go(5)
    states, rows = after(game, [0, 1, 2, 3], [2, 1, 0, 3], [0, 1, 2, 3])
    planes = np.empty((3, game.planes, 5, 5), np.float32)
    game.encode(states, rows, planes)
    cached = CachedEvaluator(UniformEvaluator(game.actions), 64)
    cached(planes)
    assert (cached.misses, cached.hits) == (2, 1)


@pytest.mark.parametrize(
    ("logits", "values"),
    [
        (np.full((1, 9), np.nan), np.zeros(1)),
        (np.zeros((1, 9)), np.full(1, np.inf)),
        (np.zeros((1, 8)), np.zeros(1)),
        (np.zeros((1, 9)), np.zeros((1, 1))),
    ],
    ids=["nan", "infinite", "too few actions", "a value too deep"],
)
def test_a_broken_evaluator_is_an_error(logits: np.ndarray, values: np.ndarray) -> None:
    game = TicTacToe()
    tree = Search(game, lambda planes: (logits, values), 1, SearchOptions(), max_playouts=4, seed=0)
    with pytest.raises(EngineError):
        tree.run(*after(game, []), np.array([1], np.int32))


def test_bad_requests_are_refused() -> None:
    game = TicTacToe()
    with pytest.raises(InputError, match="at most 400"):
        make("puct", game).run(*after(game, []), np.array([401], np.int32))
    with pytest.raises(InputError, match="ended"):
        make("puct", game).run(*after(game, [0, 3, 1, 4, 2]), np.array([4], np.int32))
    with pytest.raises(InputError):
        SearchOptions(leaves=0)
    with pytest.raises(InputError):
        GumbelOptions(considered=0)


def test_go_a_capture_race_is_won_by_who_moves_first() -> None:
    """Both chains have E1 as their last liberty; the komi is such that the race decides the game."""
    game = Go(5, komi=-6.5)
    states, rows = game.new(1), np.array([0])
    game.place(states, 0, 0, [game.action_of(f"{column}2") for column in "ABCDE"])
    game.place(states, 0, 1, [game.action_of(name) for name in ("A1", "B1", "C1", "D1", "A3", "B3", "C3", "D3", "E3")])
    result = make("uct", game, playouts=1500).run(states, rows, np.array([1500], np.int32))
    assert game.action_name(int(result.action[0])) == "E1"


class Hunter:
    """Looks at the liberties of White's chain at one cell first, and knows only whether it was captured."""

    def __init__(self, game: Go, cell: int) -> None:
        self._size, self._cell, self._actions = game.width, cell, game.actions

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, values = np.zeros((len(planes), self._actions), np.float32), np.zeros(len(planes), np.float32)
        for i, position in enumerate(planes):
            black_moves = bool(position[16, 0, 0])
            white = position[8 if black_moves else 0] > 0
            black = position[0 if black_moves else 8] > 0
            chain, front = set(), [divmod(self._cell, self._size)]
            if not white[front[0]]:
                values[i] = 1 if black_moves else -1
                continue
            while front:
                y, x = front.pop()
                chain.add((y, x))
                for point in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if not (0 <= point[0] < self._size and 0 <= point[1] < self._size) or point in chain:
                        continue
                    if white[point]:
                        front.append(point)
                    elif not black[point]:
                        logits[i, point[0] * self._size + point[1]] = 6
        return logits, values


def test_go_a_ladder_is_read_to_its_end() -> None:
    """White's stone at B6 is chased over the board, one atari after another: the search plays it out until it is captured."""
    game = Go(7, komi=0.5)
    states, rows = game.new(1), np.array([0])
    cell = game.action_of("B6")
    game.place(states, 0, 0, [game.action_of(name) for name in ("A6", "B7", "C7")])
    game.place(states, 0, 1, [cell])
    tree = Search(game, Hunter(game, cell), 1, SearchOptions(), max_playouts=12000, seed=0)
    moves, found = 0, 0.0
    while game.board(states, 0).reshape(-1)[cell] == 2 and moves < 30:
        result = tree.run(states, rows, np.array([12000 if moves == 0 else 2000], np.int32))
        found = found or float(result.q[0].max(where=~np.isnan(result.q[0]), initial=-1))
        game.play(states, rows, result.action)
        tree.advance(rows, result.action)
        moves += 1
    assert found > 0.5, "the capture was not seen at the first move"
    assert 7 <= moves < 30
