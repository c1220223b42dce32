"""Go written for plainness: dictionaries, flood fill, whole boards kept. The compiled rules are compared with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLACK, WHITE = 1, 2
Cell = tuple[int, int]
Board = tuple[tuple[int, ...], ...]


class NaiveGo:
    """One game; players are 1 (Black) and 2 (White), moves are cells or None for a pass."""

    def __init__(self, width: int, height: int, *, ko: str, suicide: bool) -> None:
        self.width, self.height, self.ko, self.suicide = width, height, ko, suicide
        self.turn = BLACK
        self.boards: list[Board] = [((0,) * width,) * height]
        self.situations = {(self.boards[0], BLACK)}
        self.forbidden: Cell | None = None

    @property
    def board(self) -> Board:
        return self.boards[-1]

    def neighbours(self, cell: Cell) -> Iterator[Cell]:
        for row, column in ((cell[0] + 1, cell[1]), (cell[0] - 1, cell[1]), (cell[0], cell[1] + 1), (cell[0], cell[1] - 1)):
            if 0 <= row < self.height and 0 <= column < self.width:
                yield row, column

    def chain(self, board: Board, start: Cell) -> tuple[set[Cell], set[int]]:
        """The connected cells of the same content, and what lies around them."""
        found, around, todo = {start}, set(), [start]
        while todo:
            for row, column in self.neighbours(todo.pop()):
                if board[row][column] != board[start[0]][start[1]]:
                    around.add(board[row][column])
                elif (row, column) not in found:
                    found.add((row, column))
                    todo.append((row, column))
        return found, around

    def after(self, cell: Cell) -> tuple[Board, set[Cell], bool]:
        """The board after a stone on an empty cell, which stones of the other were taken, and whether its own chain was."""

        def without(board: Board, gone: set[Cell]) -> Board:
            return tuple(tuple(0 if (r, c) in gone else stone for c, stone in enumerate(row)) for r, row in enumerate(board))

        board = tuple(tuple(self.turn if (r, c) == cell else stone for c, stone in enumerate(row)) for r, row in enumerate(self.board))
        taken: set[Cell] = set()
        for near in self.neighbours(cell):
            if board[near[0]][near[1]] == 3 - self.turn:
                stones, around = self.chain(board, near)
                taken |= stones if 0 not in around else set()
        board = without(board, taken)
        own, around = self.chain(board, cell)
        return (board, taken, False) if 0 in around else (without(board, own), taken, True)

    def is_legal(self, cell: Cell) -> bool:
        if self.board[cell[0]][cell[1]]:
            return False
        board, _, killed_itself = self.after(cell)
        if killed_itself and not self.suicide:
            return False
        if self.ko == "positional":
            return board not in self.boards
        if self.ko == "situational":
            return (board, 3 - self.turn) not in self.situations
        return cell != self.forbidden

    def play(self, cell: Cell | None) -> None:
        board, self_forbidden = self.board, None
        if cell is not None:
            board, taken, _ = self.after(cell)
            stones, _ = self.chain(board, cell)
            liberties = [near for stone in stones for near in self.neighbours(stone) if board[near[0]][near[1]] == 0]
            if len(taken) == len(stones) == len(liberties) == 1:
                (self_forbidden,) = taken
        self.forbidden = self_forbidden
        self.turn = 3 - self.turn
        self.boards.append(board)
        self.situations.add((board, self.turn))

    def owners(self) -> list[int]:
        """1, -1 or 0 for every cell, row by row."""
        result = []
        for row in range(self.height):
            for column in range(self.width):
                stone = self.board[row][column]
                reached = {stone} if stone else self.chain(self.board, (row, column))[1]
                result.append({frozenset({BLACK}): 1, frozenset({WHITE}): -1}.get(frozenset(reached), 0))
        return result

    def planes(self) -> np.ndarray:
        """``[17, H, W]``: eight boards of the player to move, eight of the other, Black to move."""
        boards = [*reversed(self.boards), *[((0,) * self.width,) * self.height] * 8][:8]
        stones = [np.array(board) == player for player in (self.turn, 3 - self.turn) for board in boards]
        return np.stack([*stones, np.full((self.height, self.width), self.turn == BLACK)]).astype(np.float32)
