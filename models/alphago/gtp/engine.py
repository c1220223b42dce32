"""A GTP engine over text streams (Farnebäck 2002, "GTP Version 2, draft 2"): our rules, and a search that plays."""

from __future__ import annotations

import contextlib
import math
import queue
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from toolkit.core import InputError, ToolkitError

from ..brain import Brain, Thought
from ..games import FIRST, Go, Position, States
from ..sgf import read_sgf
from .analysis import analysis_line, parse_analysis
from .clock import Clock
from .protocol import COLOURS, NAMES, Command, Reply, format_reply, parse_command, read_lines

_ROW = np.zeros(1, np.int64)
_MOST = 10**9  # A larger number is no size, no move and no time.
_HIDDEN_LOSS = 0.02  # Who has less than this chance to win, late in the game, resigns.


class GtpEngine:
    """Answers GTP commands. `handle` answers one; `serve` answers a stream until ``quit`` or its end.

    Args:
        brain: who plays; where it does not fit a board size, the size is unacceptable.
        name: the engine's name.
        version: the engine's version.
        size: of the first board.
        komi: of the first game.
        sizes: board sizes that the brain can play; all from 2 to 19 if None.
    """

    def __init__(self, brain: Brain, *, name: str, version: str, size: int, komi: float = 7.0, sizes: frozenset[int] | None = None) -> None:
        self._brain, self._name, self._version = brain, name, version
        self._sizes = sizes or frozenset(range(2, 20))
        self._clock = Clock()
        self._new(_go(size, komi))
        self._commands: dict[str, Callable[[Command], str]] = {
            method.removeprefix("_do_"): getattr(self, method) for method in dir(self) if method.startswith("_do_")
        }

    def handle(self, line: str) -> str | None:
        """The reply to a line, or None if nothing is on it; never raises for what a controller sends."""
        command = parse_command(line)
        if command is None:
            return None
        method = self._commands.get(command.name)
        if method is None:
            return format_reply(command.number, Reply(False, "unknown command"))
        try:
            return format_reply(command.number, Reply(True, method(command)))
        except Exception as error:
            return format_reply(command.number, _failure(error))

    def serve(self, source: IO[str], sink: IO[str]) -> None:
        """Answer the lines of `source` in `sink`; an analysis goes on until the next line comes."""
        lines = _Lines(source)
        while (line := lines.next()) is not None:
            command = parse_command(line)
            if command is not None and command.name in {"lz-analyze", "kata-analyze", "lz-genmove_analyze"}:
                self._analyse(command, sink, lines)
                continue
            reply = self.handle(line)
            if reply is not None:
                sink.write(reply)
                sink.flush()
            if command is not None and command.name == "quit":
                return

    def _analyse(self, command: Command, sink: IO[str], lines: _Lines) -> None:
        playing = command.name == "lz-genmove_analyze"
        try:
            request = parse_analysis(command)
            if self._position.ended:
                raise _Refused("the game is over")
            colour = self._position.to_move if request.colour is None else request.colour
            position = self._position if colour == self._position.to_move else self._turned(colour)
            thoughts = self._brain.analyse(position)
            last = told = next(thoughts)
        except Exception as error:
            sink.write(format_reply(command.number, _failure(error)))
            sink.flush()
            return
        sink.write(f"={command.number}\n")
        self._tell(command, last, sink)
        end = time.monotonic() + (self._seconds(colour) if playing else math.inf)
        due = time.monotonic() + request.interval_cs / 100
        with self._clock.running(colour) if playing else contextlib.nullcontext(), _reported():
            while time.monotonic() < end and (playing or not lines.waiting()) and (thought := next(thoughts, None)) is not None:
                last = thought
                if time.monotonic() >= due:
                    told, due = last, time.monotonic() + request.interval_cs / 100
                    self._tell(command, last, sink)
        if last is not told:
            self._tell(command, last, sink)
        if playing:
            self._position.play(last.action, colour)
            sink.write(f"play {self._game.action_name(last.action)}\n")
        else:
            lines.wait()  # All playouts may be spent, but an analysis is the controller's to end.
        sink.write("\n")
        sink.flush()

    def _tell(self, command: Command, thought: Thought, sink: IO[str]) -> None:
        sink.write(analysis_line(self._game, thought, shares=command.name.startswith("kata")) + "\n")
        sink.flush()

    def _seconds(self, colour: int) -> float:
        seconds = self._clock.seconds_for_move(colour, cells=self._game.actions - 1, played=len(self._position.history))
        return math.inf if seconds is None else seconds

    def _new(self, game: Go, start: States | None = None) -> None:
        """A new game, from `start` where stones are set up."""
        self._game, self._start = game, start
        self._position = Position(game, start)

    def _turned(self, colour: int) -> Position:
        """The position with another player to move."""
        position = Position(self._game, self._position.states)
        self._game.set_to_move(position.states, 0, colour)
        return position

    # Each method is the command of its name: it returns the reply's text, or raises what the reply says.

    def _do_protocol_version(self, _: Command) -> str:
        return "2"

    def _do_name(self, _: Command) -> str:
        return self._name

    def _do_version(self, _: Command) -> str:
        return self._version

    def _do_known_command(self, command: Command) -> str:
        return str(bool(command.arguments) and command.arguments[0] in self._known()).lower()

    def _do_list_commands(self, _: Command) -> str:
        return "\n".join(self._known())

    def _known(self) -> list[str]:
        return sorted([*self._commands, "lz-analyze", "kata-analyze", "lz-genmove_analyze"])

    def _do_quit(self, _: Command) -> str:
        return ""

    def _do_boardsize(self, command: Command) -> str:
        size = _integer(command, 0)
        if size not in self._sizes:
            raise _Refused("unacceptable size")
        self._new(_go(size, self._game.komi))
        return ""

    def _do_clear_board(self, _: Command) -> str:
        self._new(self._game)
        return ""

    def _do_komi(self, command: Command) -> str:
        try:
            game = _go(self._game.width, float(command.arguments[0]))
        except (IndexError, ValueError, InputError):
            raise _Refused("syntax error") from None
        moves = self._position.moves
        self._new(game, self._start)
        for player, action in moves:
            self._position.play(action, player)
        return ""

    def _do_play(self, command: Command) -> str:
        colour, action = _colour(command), self._action(command, 1)
        try:
            self._position.play(action, colour)
        except InputError:
            raise _Refused("illegal move") from None
        return ""

    def _do_genmove(self, command: Command) -> str:
        move = self._thought_of(_colour(command))
        if move is None:
            return "pass"
        if move.win_rate < _HIDDEN_LOSS and len(self._position.history) > self._game.actions // 3:
            return "resign"
        self._position.play(move.action, _colour(command))
        return self._game.action_name(move.action)

    def _do_reg_genmove(self, command: Command) -> str:
        move = self._thought_of(_colour(command))
        return "pass" if move is None else self._game.action_name(move.action)

    def _thought_of(self, colour: int) -> Thought | None:
        """What to play for a colour; None where the game is over."""
        if self._position.ended:
            return None
        position = self._position if colour == self._position.to_move else self._turned(colour)
        seconds = self._seconds(colour)
        with self._clock.running(colour):
            return self._brain.think(position, seconds=None if seconds == math.inf else seconds)

    def _do_undo(self, _: Command) -> str:
        if not self._position.history:
            raise _Refused("cannot undo")
        self._position.undo()
        return ""

    def _do_time_settings(self, command: Command) -> str:
        self._clock.set(*(_integer(command, index) for index in range(3)))
        return ""

    def _do_time_left(self, command: Command) -> str:
        self._clock.left(_colour(command), _integer(command, 1), _integer(command, 2))
        return ""

    def _do_final_score(self, _: Command) -> str:
        score = float(self._game.score(self._position.states, _ROW)[0])
        return "0" if score == 0 else f"{NAMES[int(score < 0)]}+{abs(score):g}"

    def _do_final_status_list(self, command: Command) -> str:
        """No stone is dead under Tromp and Taylor's rules."""
        if command.arguments[:1] not in (("alive",), ("dead",), ("seki",)):
            raise _Refused("syntax error")
        alive = np.flatnonzero(self._position.board()) if command.arguments[0] == "alive" else np.zeros(0, np.int64)
        return "\n".join(self._game.action_name(int(cell)) for cell in alive)

    def _do_showboard(self, _: Command) -> str:
        turn = "Black" if self._position.to_move == FIRST else "White"
        return f"{turn} to move, komi {self._game.komi:g}\n{self._position.text()}"

    def _do_fixed_handicap(self, command: Command) -> str:
        count = _integer(command, 0)
        self._check_empty()
        try:
            return self._handicap(self._game.handicap_cells(count))
        except InputError:
            raise _Refused("invalid number of stones") from None

    def _do_place_free_handicap(self, command: Command) -> str:
        """As many of the fixed points as there are, which may be fewer than asked for (section 4.1.2 allows it)."""
        count = _integer(command, 0)
        self._check_empty()
        if count < 2:
            raise _Refused("invalid number of stones")
        for fewer in range(min(count, 9), 1, -1):
            try:
                return self._handicap(self._game.handicap_cells(fewer))
            except InputError:
                continue
        raise _Refused("invalid number of stones")

    def _do_set_free_handicap(self, command: Command) -> str:
        self._check_empty()
        cells = [self._action(command, index) for index in range(len(command.arguments))]
        if not 2 <= len(cells) < self._game.actions - 1 or self._game.actions - 1 in cells or len(set(cells)) < len(cells):
            raise _Refused("bad vertex list")
        self._handicap(cells)
        return ""

    def _check_empty(self) -> None:
        if self._position.board().any() or self._position.history:
            raise _Refused("board not empty")

    def _handicap(self, cells: list[int]) -> str:
        start = self._game.new(1)
        self._game.place(start, 0, FIRST, cells)
        self._game.set_to_move(start, 0, 1 - FIRST)
        self._new(self._game, start)
        return " ".join(self._game.action_name(cell) for cell in cells)

    def _do_loadsgf(self, command: Command) -> str:
        if not command.arguments:
            raise _Refused("syntax error")
        try:
            record = read_sgf(Path(command.arguments[0]))
        except ToolkitError:
            raise _Refused("cannot load file") from None
        if record.size not in self._sizes:
            raise _Refused("unacceptable size")
        before = _integer(command, 1) if len(command.arguments) > 1 else len(record.moves) + 1
        game = _go(record.size, record.komi)
        states = game.new(1)
        try:
            game.place(states, 0, FIRST, record.black_stones)
            game.place(states, 0, 1 - FIRST, record.white_stones)
            game.set_to_move(states, 0, record.to_move)
            position = Position(game, states)
            for move in record.moves[: max(0, before - 1)]:
                position.play(move.action, move.colour)
        except InputError:
            raise _Refused("cannot load file") from None
        self._game, self._start, self._position = game, states, position
        return ""

    def _action(self, command: Command, index: int) -> int:
        try:
            return self._game.action_of(command.arguments[index])
        except (IndexError, InputError):
            raise _Refused("syntax error" if index >= len(command.arguments) else "invalid vertex, illegal move") from None


class _Refused(Exception):  # noqa: N818 - a reply, not a fault
    """The text of a failure reply."""


class _Lines:
    """The lines of a stream, read ahead by a thread so that a search can see that one is waiting."""

    def __init__(self, source: IO[str]) -> None:
        self._source, self._queue = source, queue.SimpleQueue[str | None]()
        self._ahead: deque[str | None] = deque()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> str | None:
        """The next line, waited for; None at the end."""
        return self._ahead.popleft() if self._ahead else self._queue.get()

    def waiting(self) -> bool:
        """Whether `next` would not wait."""
        return bool(self._ahead) or not self._queue.empty()

    def wait(self) -> None:
        """Until a line, or the end, is there."""
        if not self._ahead:
            self._ahead.append(self._queue.get())

    def _read(self) -> None:
        for line in read_lines(self._source):
            self._queue.put(line)
        self._queue.put(None)


def _go(size: int, komi: float) -> Go:
    """Controllers play on where a match would have ended: what they send must not become illegal by the number of the move."""
    return Go(size, komi=komi, max_moves=max(400, 4 * size * size))


def _failure(error: Exception) -> Reply:
    """What an exception makes of a command. This is the last boundary: a fault of ours costs one reply, not the controller's game."""
    if isinstance(error, (_Refused, ToolkitError)):
        return Reply(False, str(error))
    traceback.print_exception(error, file=sys.stderr)
    return Reply(False, f"internal error: {error}")


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    """A search that fails in the middle of an analysis ends it, and says why beside the protocol."""
    try:
        yield
    except Exception as error:
        print(_failure(error).text, file=sys.stderr)


def _colour(command: Command) -> int:
    colour = COLOURS.get(command.arguments[0].lower()) if command.arguments else None
    if colour is None:
        raise _Refused("syntax error")
    return colour


def _integer(command: Command, index: int) -> int:
    try:
        number = int(command.arguments[index])
    except (IndexError, ValueError):
        raise _Refused("syntax error") from None
    if abs(number) > _MOST:
        raise _Refused("syntax error")
    return number
