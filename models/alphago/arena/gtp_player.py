"""GTP engines as players: one process for each game that goes on at once."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from toolkit.core import EngineError, InputError, ToolkitError

from ..games import FIRST, Game, Go, States
from ..gtp.client import GtpClient
from ..gtp.protocol import NAMES
from .players import CRASHED, RESIGN


class GtpPlayer:
    """A GTP engine such as GNU Go.

    An engine that dies, is silent, or refuses what our rules allow, crashes only its own game; the next one gets a new process.

    Args:
        command: the program and its arguments.
        name: what to call it; the engine's own name and version if empty.
        timeout_s: seconds within which it must answer.
    """

    def __init__(self, command: Sequence[str], *, name: str = "", timeout_s: float = 120.0) -> None:
        self._command, self._timeout_s, self.name = tuple(command), timeout_s, name
        self._engines: list[GtpClient | None] = []
        self._pool: ThreadPoolExecutor | None = None

    def start(self, game: Game, games: int, seed: int) -> None:
        """Start the processes; raises `EngineError` if the program does not work at all."""
        if not isinstance(game, Go) or game.width != game.height:
            raise InputError("a GTP engine plays Go on square boards only", got=game.name)
        self._game, self._seeds = game, np.random.default_rng(seed)
        # Engines wait for one another in lockstep, so a thread for each costs nothing and all think at once.
        self._pool = ThreadPoolExecutor(games, thread_name_prefix="gtp")
        self._engines, self._notes = [None] * games, [""] * games
        self._turn, self._own = np.full(games, FIRST), np.full(games, CRASHED)
        self._engines[0] = engine = self._launch()
        self.name = self.name or f"{engine.name} {engine.version}"
        self._check_size(engine)

    def begin(self, rows: np.ndarray) -> None:
        """A cleared board; a new process where the last one is gone."""
        seeds = self._seeds.integers(1, 2**31 - 1, len(rows))
        self._turn[rows] = 1 - FIRST if self._game.handicap else FIRST
        self._own[rows] = CRASHED
        self._each(self._begin, rows, seeds)

    def choose(self, states: States, rows: np.ndarray) -> np.ndarray:  # noqa: ARG002 - the engines have boards of their own
        """Ask all engines at once."""
        actions = np.array(self._each(self._choose, rows, rows), np.int64)
        self._own[rows] = actions
        return actions

    def played(self, rows: np.ndarray, actions: np.ndarray) -> None:
        """Tell the engines, except what they have just chosen themselves."""
        self._each(self._played, rows, actions)
        self._turn[rows] = 1 - self._turn[rows]
        self._own[rows] = CRASHED

    def note(self, row: int) -> str:
        """Why it crashed."""
        return self._notes[row]

    def close(self) -> None:
        """End the processes."""
        for engine in self._engines:
            if engine is not None:
                engine.close()
        if self._pool is not None:
            self._pool.shutdown()
        self._engines, self._pool = [], None

    def _each(self, work, rows: np.ndarray, values: np.ndarray) -> list[int]:
        assert self._pool is not None
        return list(self._pool.map(work, rows.tolist(), values.tolist()))

    def _launch(self) -> GtpClient:
        return GtpClient(self._command, timeout_s=self._timeout_s)

    def _check_size(self, engine: GtpClient) -> None:
        reply = engine.send(f"boardsize {self._game.width}")
        if not reply.ok:
            raise InputError(f"'{self.name}' cannot play {self._game.name}: {reply.text}")

    def _begin(self, row: int, seed: int) -> None:
        self._notes[row] = ""
        try:
            engine = self._engines[row]
            if engine is None:
                engine = self._engines[row] = self._launch()
            self._check_size(engine)
            engine.ask("clear_board")
            engine.ask(f"komi {self._game.komi:g}")
            if "set_random_seed" in engine.commands:
                engine.ask(f"set_random_seed {seed}")
            if self._game.handicap:
                engine.ask(f"fixed_handicap {self._game.handicap}")
        except ToolkitError as error:
            self._crash(row, error)

    def _choose(self, row: int, _: int) -> int:
        engine = self._engines[row]
        if engine is None:
            return CRASHED
        try:
            answer = engine.ask(f"genmove {NAMES[self._turn[row]]}").lower()
            return RESIGN if answer == "resign" else self._game.action_of(answer)
        except ToolkitError as error:
            return self._crash(row, error)

    def _played(self, row: int, action: int) -> None:
        engine = self._engines[row]
        if engine is None or self._own[row] == action:
            return
        try:
            engine.ask(f"play {NAMES[self._turn[row]]} {self._game.action_name(action)}")
        except ToolkitError as error:
            self._crash(row, error)

    def _crash(self, row: int, error: ToolkitError) -> int:
        engine, self._engines[row], self._notes[row] = self._engines[row], None, str(error)
        if engine is not None:
            with contextlib.suppress(EngineError):
                engine.close()
        return CRASHED
