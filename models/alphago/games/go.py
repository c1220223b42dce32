"""Go: area scoring after Tromp and Taylor, positional superko unless told otherwise, boards from 2 x 2 to 19 x 19."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.core import InputError, UnknownNameError

from . import _go_batch as batch
from . import _go_rules as rules
from .base import FIRST, Game, States, dihedral_group, grid_name

_KO_RULES = {"simple": rules.SIMPLE, "positional": rules.POSITIONAL, "situational": rules.SITUATIONAL}
_KO_REASONS = {
    "simple": "it is ko",
    "positional": "an earlier board would come back (positional superko)",
    "situational": "an earlier board would come back with the same player to move (situational superko)",
}
_ZOBRIST_SEED = 20160127


class Go(Game):
    """Go on a square board, or on one of ``(width, height)``.

    The last action is the pass. Two passes in a row end the game, and so does move `max_moves`; it is then scored as it stands, without
    removing any stone as dead. Planes 0 to 7 are the stones of the player to move, now and up to seven moves ago, planes 8 to 15 the
    other's, plane 16 is ones where Black is to move (Silver et al. 2017, "Mastering the game of Go without human knowledge", Methods);
    boards before the game are empty.

    Args:
        size: 2 to 19, or width and height, each 1 to 19.
        komi: points that White gets; with a whole number a game can be drawn.
        ko: "positional": no board may come back by placing a stone; "situational": no board with the same player to move; "simple": only a
            single stone that just took a single stone may not be retaken at once.
        suicide: whether a move may take off its own chain. A single stone that does so leaves the board as it was, which positional superko
            forbids.
        handicap: Black stones on the fixed points of GTP (Go Text Protocol 2, section 4.1.1); White then moves first.
        max_moves: the game's longest length, passes included; twice the number of cells unless given.
        score_weight: share of the margin, in units of the board's cells, in the value of an ended game; the rest is the win. A learner who
            has won then still has something to gain.
    """

    planes = 17

    def __init__(
        self,
        size: int | tuple[int, int] = 9,
        *,
        komi: float = 7.0,
        ko: str = "positional",
        suicide: bool = False,
        handicap: int = 0,
        max_moves: int | None = None,
        score_weight: float = 0.0,
    ) -> None:
        self.width, self.height = (size, size) if isinstance(size, int) else size
        cells = self.width * self.height
        if not (1 <= self.width <= 19 and 1 <= self.height <= 19 and cells > 1):
            raise InputError("a Go board", expected="a size from 2 to 19", got=f"{self.width} x {self.height}")
        if ko not in _KO_RULES:
            raise UnknownNameError("ko rule", ko, _KO_RULES)
        if not np.isfinite(komi):
            raise InputError("komi", expected="a number of points", got=str(komi))
        if not 0 <= score_weight < 1:
            raise InputError("the weight of the score", expected="at least 0 and below 1", got=str(score_weight))
        if max_moves is not None and not 1 <= max_moves <= 100_000:
            raise InputError("the length of a game", expected="1 to 100000 moves", got=str(max_moves))
        self.name = f"go-{self.width}x{self.height}"
        self.actions = cells + 1
        self.max_moves = 2 * cells if max_moves is None else max_moves
        self.score_weight = float(score_weight)
        self.komi, self.ko, self.suicide, self.handicap = float(komi), ko, suicide, handicap
        points = (self.height + 2) * (self.width + 1) + 1
        self._points = np.array([rules.point_of.py_func(cell, self.width) for cell in range(cells)])
        self._rules = (self.width, self.height, _KO_RULES[ko], int(suicide), self.max_moves)
        # Entry [0, 0] tells White's turn, [1] and [2] are the players' stones, and the last of [0] is the empty board.
        self._zobrist = np.random.default_rng(_ZOBRIST_SEED).integers(-(2**63), 2**63 - 1, (3, points), dtype=np.int64)
        slots = 1 << (self.max_moves * 3 // 2 + 3).bit_length()  # at most two thirds full
        self._start: States = (
            np.full((1, points), 3, np.int8),
            np.zeros((1, 2, points), np.uint8),
            np.zeros((1, 3, points), np.int16),
            np.zeros((1, 3, points), np.int32),
            np.zeros((1, points), np.int64),
            np.zeros((1, slots), np.int64),
            np.zeros((1, 8), np.int64),
        )
        self._start[0][0, self._points] = 0
        self._start[6][0, rules.KEY] = self._zobrist[0, -1]
        self._begin(self._start, 0, FIRST)
        if handicap:
            self.place(self._start, 0, FIRST, self.handicap_cells(handicap))
            self.set_to_move(self._start, 0, 1 - FIRST)

    def new(self, rows: int) -> States:
        """Empty boards, or the handicap stones."""
        return tuple(np.repeat(array, rows, axis=0) for array in self._start)

    def play(self, states: States, rows: np.ndarray, actions: np.ndarray) -> None:
        """Set stones and take off captured ones, or pass."""
        batch.play_rows(states, rows, actions, self._rules, self._zobrist)

    def follow(
        self, source: States, source_rows: np.ndarray, paths: np.ndarray, lengths: np.ndarray, target: States, target_rows: np.ndarray
    ) -> None:
        """Copy, then play."""
        batch.follow_rows(source, source_rows, paths, lengths, target, target_rows, self._rules, self._zobrist)

    def legal(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Empty points that are neither suicide nor ko, and the pass."""
        out = np.zeros((len(rows), self.actions), np.bool_)
        batch.legal_rows(states, rows, out, self._rules, self._zobrist)
        return out

    def outcome(self, states: States, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Who has more points, and by how many where the score has a weight."""
        info = states[6][rows]
        ended = info[:, rules.ENDED] == 1
        score = info[:, rules.AREA] - self.komi
        margin = np.clip(score / (self.actions - 1), -1, 1)
        value = (1 - self.score_weight) * np.sign(score) + self.score_weight * margin
        return ended, (value * ended).astype(np.float32)

    def rollout(self, states: States, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Random moves that fill no own eye; a pass when there are none."""
        moves = batch.rollout_rows(states, rows, seed % 2**62, self._rules, self._zobrist)
        return self.outcome(states, rows)[1], moves

    def to_move(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Black is the first player."""
        return (states[6][rows, rules.TURN] - 1).astype(np.int8)

    def encode(self, states: States, rows: np.ndarray, out: np.ndarray) -> None:
        """The planes of AlphaGo Zero."""
        batch.encode_rows(states, rows, out.reshape(len(out), self.planes, -1), self._rules)

    def board(self, states: States, row: int) -> np.ndarray:
        """Without the border."""
        return states[0][row, self._points].reshape(self.height, self.width)

    def symmetries(self) -> tuple[np.ndarray, np.ndarray]:
        """All of the board's; a pass stays a pass."""
        cells = dihedral_group(self.height, self.width)
        return cells, np.hstack([cells, np.full((len(cells), 1), self.actions - 1)])

    def action_name(self, action: int) -> str:
        """A cell or ``pass``."""
        return "pass" if action == self.actions - 1 else grid_name(*divmod(action, self.width), self.height)

    def territory(self, states: States, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`ownership` and `score`."""
        return self.ownership(states, rows), self.score(states, rows)

    def score(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Black's area minus White's minus komi, of the boards as they stand: ``[n]`` float32 points."""
        return (self.ownership(states, rows).sum(axis=1, dtype=np.int64) - self.komi).astype(np.float32)

    def ownership(self, states: States, rows: np.ndarray) -> np.ndarray:
        """Whose each cell is as the boards stand: ``[n, H * W]`` int8, 1 Black, -1 White, 0 neither."""
        out = np.zeros((len(rows), self.actions - 1), np.int8)
        batch.ownership_rows(states[0], rows, out, self._rules)
        return out

    def why_illegal(self, states: States, row: int, action: int) -> str:
        """Occupied, suicide, or ko."""
        if states[6][row, rules.ENDED] or not 0 <= action < self.actions - 1:
            return super().why_illegal(states, row, action)
        position = tuple(array[row] for array in states)
        verdict = rules.may_place(position, self._points[action], self._rules, self._zobrist)
        return ("", "the point is occupied", "it is suicide", _KO_REASONS[self.ko])[verdict]

    def with_score_weight(self, weight: float) -> Go:
        """The same rules with another value of an ended game; positions of the one are positions of the other."""
        size = (self.width, self.height)
        return Go(
            size,
            komi=self.komi,
            ko=self.ko,
            suicide=self.suicide,
            handicap=self.handicap,
            max_moves=self.max_moves,
            score_weight=weight,
        )

    def place(self, states: States, row: int, player: int, cells: Sequence[int]) -> None:
        """Set up stones of one player before the first move; whose turn it is stays, and the history begins anew.

        Raises:
            InputError: a move was played, a cell is off the board or occupied, or stones would be without liberty. Nothing is changed then.
        """
        if states[6][row, rules.MOVES]:
            raise InputError("stones are set up before the first move", got=f"{states[6][row, rules.MOVES]} moves")
        work = tuple(array[row].copy() for array in states)
        taken = np.empty(work[0].shape, np.int16)
        for cell in cells:
            if not 0 <= cell < self.actions - 1:
                raise InputError("no such cell", expected=f"0 to {self.actions - 2}", got=str(cell))
            if work[0][self._points[cell]]:
                raise InputError(f"cannot set up a stone on {self.action_name(cell)}", expected="an empty point")
            # In a position where every chain has a liberty, so it has while its stones are set in any order.
            if rules.set_stone(work, self._points[cell], player + 1, self.width + 1, self._zobrist, taken):
                raise InputError(
                    f"a stone on {self.action_name(cell)} leaves a chain without liberty", expected="a position that can stand"
                )
        for array, changed in zip(states, work, strict=True):
            array[row] = changed
        self._begin(states, row, int(work[6][rules.TURN]) - 1)

    def set_to_move(self, states: States, row: int, player: int) -> None:
        """The history goes on, no simple ko stands, and a pass before this counts no longer."""
        states[6][row, [rules.TURN, rules.KO, rules.PASSES]] = player + 1, 0, 0
        if states[6][row, rules.MOVES] == 0:
            self._begin(states, row, player)

    def _begin(self, states: States, row: int, player: int) -> None:
        """Make the board as it stands the first of the game."""
        stones, past, _, _, _, seen, info = (array[row] for array in states)
        past[0], past[1] = stones == 1, stones == 2
        seen[:] = 0
        info[[rules.TURN, rules.KO, rules.CAPTURES]] = player + 1, 0, 0
        rules.remember(seen, rules.situation(info[rules.KEY], player + 1, self._rules, self._zobrist))

    def handicap_cells(self, stones: int) -> list[int]:
        """The cells of a fixed handicap (Go Text Protocol 2, section 4.1.1); raises `InputError` where it defines none."""
        size = min(self.width, self.height)
        most = 0 if size < 7 else 9 if self.width % 2 and self.height % 2 and size > 7 else 4
        if not 2 <= stones <= most:
            expected = f"2 to {most} stones" if most else "a board of at least 7 x 7"
            raise InputError(f"fixed handicap on {self.width} x {self.height}", expected=expected, got=f"{stones} stones")
        low_row, high_row = self._handicap_lines(self.height)
        low_column, high_column = self._handicap_lines(self.width)
        middle_row, middle_column = self.height // 2, self.width // 2
        spots = [(high_row, low_column), (low_row, high_column), (low_row, low_column), (high_row, high_column)][:stones]
        if stones >= 6:
            spots += [(middle_row, low_column), (middle_row, high_column)]
        if stones >= 8:
            spots += [(high_row, middle_column), (low_row, middle_column)]
        if stones in {5, 7, 9}:
            spots.append((middle_row, middle_column))
        return [row * self.width + column for row, column in spots]

    @staticmethod
    def _handicap_lines(length: int) -> tuple[int, int]:
        edge = 3 if length >= 13 else 2
        return edge, length - 1 - edge
