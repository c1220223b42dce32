"""Games that a network plays against itself, many in lockstep, and what they teach.

Playout-cap randomization is Wu 2019, "Accelerating Self-Play Learning in Go" (arXiv 1902.10565), section 3.1; resignation with games
that never resign is Silver et al. 2017, "Mastering the game of Go without human knowledge", Methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from toolkit.core import InputError

from .games import FIRST, Game
from .record import NOBODY, GameRecord
from .search import Evaluator, Search, SearchOptions, choose


@dataclass(frozen=True)
class SelfPlayOptions:
    """How games are played.

    A share ``full_share`` of the moves gets ``playouts`` with root noise, and becomes a sample for the policy; the others get
    ``fast_playouts`` without noise. The first ``temperature_moves`` moves are drawn from the visits, the others with
    temperature ``late_temperature``. A player resigns after ``resign_moves`` moves of his own in a row with a root value below
    ``-resign_value``, but in a share ``never_resign`` of the games nobody does, which measures how often that was wrong.
    """

    playouts: int = 200
    fast_playouts: int = 50
    full_share: float = 0.25
    temperature_moves: int = 12
    late_temperature: float = 0.2
    resign_value: float = 0.95
    resign_moves: int = 3
    never_resign: float = 0.15
    search: SearchOptions = field(default_factory=SearchOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.fast_playouts <= self.playouts:
            raise InputError("playouts", expected="1 <= fast playouts <= playouts", got=f"{self.fast_playouts} and {self.playouts}")
        for name in ("full_share", "never_resign"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(name, expected="a share from 0 to 1", got=str(getattr(self, name)))


class SelfPlay:
    """`games` games in lockstep; a finished one makes room for a new one. Deterministic under the seed.

    Args:
        game: the rules.
        evaluator: the network.
        options: how games are played.
        games: how many go on at once.
        seed: of everything random.
    """

    def __init__(self, game: Game, evaluator: Evaluator, options: SelfPlayOptions, *, games: int, seed: int) -> None:
        self._game, self._options, self._games = game, options, games
        self.search = Search(game, evaluator, games, options.search, max_playouts=options.playouts, seed=seed)
        self._random = np.random.default_rng([seed, 1])
        self._rows = np.arange(games)
        self._states, self._start = game.new(games), game.new(1)
        self._planes = np.empty((games, game.planes, game.height, game.width), np.float32)
        self._slots = [_Slot(may_resign=self._may_resign()) for _ in range(games)]
        self._moves = np.zeros(games, np.int64)

    def records(self) -> Iterator[GameRecord]:
        """Finished games, without end."""
        while True:
            yield from self.step()

    def step(self) -> list[GameRecord]:
        """One move in each game; the games that it ended."""
        game, options, rows = self._game, self._options, self._rows
        full = self._random.random(self._games) < options.full_share
        playouts = np.where(full, options.playouts, options.fast_playouts).astype(np.int32)
        movers = game.to_move(self._states, rows)
        game.encode(self._states, rows, self._planes)
        bits = np.packbits(self._planes.reshape(self._games, -1) != 0, axis=1)
        result = self.search.run(self._states, rows, playouts, noise=full)
        temperature = np.where(self._moves < options.temperature_moves, 1.0, options.late_temperature)
        actions = choose(result.visits, temperature, self._random)
        resigning = np.zeros(self._games, bool)
        for row, slot in enumerate(self._slots):
            slot.add(actions[row], bits[row], result.policy[row], full[row], result.value[row], movers[row])
            resigning[row] = slot.resigns(options)
        game.play(self._states, rows, actions)
        self.search.advance(rows, actions)
        self._moves += 1
        ended, outcome = game.outcome(self._states, rows)
        done = np.flatnonzero(ended | resigning)
        finished = [self._finish(int(row), ended=bool(ended[row]), outcome=float(outcome[row])) for row in done]
        if len(done):
            nothing = np.zeros((len(done), 0), np.int32)
            game.follow(self._start, np.zeros(len(done), np.int64), nothing, np.zeros(len(done), np.int32), self._states, done)
            self.search.reset(done)
            self._moves[done] = 0
        return finished

    def _finish(self, row: int, *, ended: bool, outcome: float) -> GameRecord:
        slot = self._slots[row]
        self._slots[row] = _Slot(may_resign=self._may_resign())
        if not ended:
            return slot.record(outcome=-1.0 if slot.movers[-1] == FIRST else 1.0, resigned=int(slot.movers[-1]))
        one = np.array([row])
        territory = self._game.territory(self._states, one)
        ownership, score = (None, None) if territory is None else (territory[0][0], float(territory[1][0]))
        return slot.record(outcome=outcome, ownership=ownership, score=score)

    def _may_resign(self) -> bool:
        return bool(self._random.random() >= self._options.never_resign)


class _Slot:
    """A game that goes on."""

    def __init__(self, *, may_resign: bool) -> None:
        self.may_resign = may_resign
        self.would_resign = NOBODY
        self.rows: list[tuple[int, np.ndarray, np.ndarray, bool, float]] = []
        self.movers: list[int] = []

    def add(self, action: int, planes: np.ndarray, policy: np.ndarray, full: bool, value: float, mover: int) -> None:
        self.rows.append((action, planes, policy.astype(np.float16), full, value))
        self.movers.append(int(mover))

    def resigns(self, options: SelfPlayOptions) -> bool:
        """Whether the last mover gives up now; notes it where nobody may."""
        own = [row[4] for row, mover in zip(self.rows, self.movers, strict=True) if mover == self.movers[-1]][-options.resign_moves :]
        hopeless = len(own) == options.resign_moves and max(own) < -options.resign_value
        if hopeless and self.would_resign == NOBODY and not self.may_resign:
            self.would_resign = self.movers[-1]
        return hopeless and self.may_resign

    def record(
        self, *, outcome: float, resigned: int = NOBODY, ownership: np.ndarray | None = None, score: float | None = None
    ) -> GameRecord:
        actions, planes, policy, full, values = zip(*self.rows, strict=True)
        return GameRecord(
            actions=np.array(actions, np.int16),
            planes=np.stack(planes),
            policy=np.stack(policy),
            full=np.array(full, bool),
            values=np.array(values, np.float32),
            mover=np.array(self.movers, np.int8),
            outcome=outcome,
            ownership=ownership,
            score=score,
            resigned=resigned,
            would_resign=self.would_resign,
            may_resign=self.may_resign,
        )
