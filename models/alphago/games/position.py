"""One game being played, move by move, for people and for protocols: checked, undone, drawn."""

from __future__ import annotations

import numpy as np

from toolkit.core import InputError

from .base import Game, States, grid_name

_ROW = np.zeros(1, np.int64)
_STONES = ".XO"


class Position:
    """A game from its start to where it stands.

    Args:
        game: the rules.
        states: one position to start from, such as one with stones set up; a new game unless given. It is not changed.
    """

    def __init__(self, game: Game, states: States | None = None) -> None:
        self.game = game
        self._states = [game.new(1) if states is None else self._copy(game, states)]
        self._moves: list[tuple[int, int]] = []

    @property
    def states(self) -> States:
        """Where the game stands, as row 0; not to be changed."""
        return self._states[-1]

    @property
    def history(self) -> list[int]:
        """The actions played so far."""
        return [action for _, action in self._moves]

    @property
    def moves(self) -> list[tuple[int, int]]:
        """The players and their actions so far."""
        return list(self._moves)

    @property
    def to_move(self) -> int:
        """Whose turn it is: `FIRST` or `SECOND`."""
        return int(self.game.to_move(self.states, _ROW)[0])

    @property
    def ended(self) -> bool:
        """Whether the game is over."""
        return bool(self.game.outcome(self.states, _ROW)[0][0])

    @property
    def value(self) -> float:
        """For the FIRST player: 1 won, 0 drawn or going on, -1 lost."""
        return float(self.game.outcome(self.states, _ROW)[1][0])

    def legal(self) -> np.ndarray:
        """Which actions are legal: ``[A]`` bool."""
        return self.game.legal(self.states, _ROW)[0]

    def board(self) -> np.ndarray:
        """The board: ``[H, W]`` int8, 0 empty, 1 a stone of `FIRST`, 2 of `SECOND`."""
        return self.game.board(self.states, 0)

    def play(self, action: int, player: int | None = None) -> None:
        """Play an action, of the player to move unless told; raises `InputError` with the reason if it is not legal."""
        states = self._copy(self.game, self.states)
        if player is not None and player != self.to_move:
            self.game.set_to_move(states, 0, player)
        reason = self.game.why_illegal(states, 0, action)
        if reason:
            name = self.game.action_name(action) if 0 <= action < self.game.actions else f"action {action}"
            raise InputError(f"{name} is not legal: {reason}")
        self._moves.append((int(self.game.to_move(states, _ROW)[0]), action))
        self.game.play(states, _ROW, np.array([action], np.int32))
        self._states.append(states)

    def undo(self) -> int:
        """Take the last move back and return it; raises `InputError` at the start."""
        if not self._moves:
            raise InputError("nothing to undo", expected="a game with a move")
        self._states.pop()
        return self._moves.pop()[1]

    def text(self) -> str:
        """The board in plain ASCII: X the first player's stones, O the other's, parentheses around the stone played last."""
        board, last = self.board(), self.last_cell
        letters = " ".join(grid_name(0, column, self.game.height)[0] for column in range(self.game.width))
        lines = [f"    {letters}"]
        for row, stones in enumerate(board):
            line = " " + " ".join(_STONES[stone] for stone in stones) + " "
            if last is not None and last[0] == row:
                line = f"{line[: 2 * last[1]]}({line[2 * last[1] + 1]}){line[2 * last[1] + 3 :]}"
            label = self.game.height - row
            lines.append(f"{label:>2} {line} {label}")
        return "\n".join([*lines, lines[0]])

    @property
    def last_cell(self) -> tuple[int, int] | None:
        """Row and column of the stone that the last move placed; None after a pass or at the start."""
        if not self._moves:
            return None
        stone = self._moves[-1][0] + 1
        placed = np.argwhere((self.board() == stone) & (self.game.board(self._states[-2], 0) != stone))
        return None if len(placed) == 0 else (int(placed[0, 0]), int(placed[0, 1]))

    @staticmethod
    def _copy(game: Game, states: States) -> States:
        copy = game.new(1)
        game.follow(states, _ROW, np.zeros((1, 0), np.int32), np.zeros(1, np.int32), copy, _ROW)
        return copy
