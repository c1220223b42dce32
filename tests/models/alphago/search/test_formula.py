"""The formula of PUCT on trees that were counted by hand."""

from __future__ import annotations

import numpy as np

from toolkit.models.alphago.games import TicTacToe
from toolkit.models.alphago.search import Search, SearchOptions

ONE = np.array([0])


class ByStones:
    """What the test says of the empty board of tic-tac-toe and of those with one stone; 0 and even priors for all others."""

    def __init__(self, empty: tuple[dict[int, float], float], one: tuple[dict[int, float], float]) -> None:
        self._known = [empty, one]

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, values = np.zeros((len(planes), 9), np.float32), np.zeros(len(planes), np.float32)
        for i, stones in enumerate(planes[:, :2].sum(axis=(1, 2, 3)).astype(int)):
            if stones < 2:
                priors, values[i] = self._known[stones]
                logits[i] = [np.log(priors.get(cell, 1e-20)) for cell in range(9)]
        return logits, values


def test_exploration_grows_with_the_root_of_the_visits() -> None:
    """Priors .8 and .2; the root's value .4, a's -.35. After one playout the untried are worth (.4 - .35) / 2 = .025.

    a: -.35 + 1.1 * sqrt(2) * .8 / 2 = .272; b: .025 + 1.1 * sqrt(2) * .2 = .336 -> b. With a factor of 2 it would be .53 and .465.
    """
    evaluator = ByStones(({0: 0.8, 4: 0.2}, 0.4), ({1: 1.0}, 0.35))
    tree = Search(TicTacToe(), evaluator, 1, SearchOptions(), max_playouts=8, seed=0)
    assert tree.run(TicTacToe().new(1), ONE, np.array([2], np.int32)).visits[0, [0, 4]].tolist() == [1, 1]


def test_untried_actions_below_the_root_have_their_own_reduction() -> None:
    """All goes to a, whose value is .4 and whose priors are .5 and .3; the third playout chooses below it for the second time.

    x: 0 + 1.1 * sqrt(2) * .5 / 2 = .389; y: .4 / 2 - r * sqrt(.5) + 1.1 * sqrt(2) * .3 = .667 - .707 r: x where r is 1, y where it is 0.
    """
    game = TicTacToe()
    for reduction, want in ((1.0, [2, 0]), (0.0, [1, 1])):
        options = SearchOptions(fpu_reduction=reduction, root_fpu_reduction=1 - reduction)
        tree = Search(game, ByStones(({0: 1.0}, 0.0), ({3: 0.5, 4: 0.3, 5: 0.2}, 0.4)), 1, options, max_playouts=8, seed=0)
        states = game.new(1)
        tree.run(states, ONE, np.array([3], np.int32))
        game.play(states, ONE, ONE)
        tree.advance(ONE, ONE)
        assert tree.run(states, ONE, np.array([0], np.int32)).visits[0, [3, 4]].tolist() == want
