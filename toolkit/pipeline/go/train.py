"""Learning by self-play: generations of games played by the deployed net, training on them, conversion, and verification.

One generation: the workers play with the artifact of the last one; the learner trains on the replay window; its averaged weights are
exported, converted and verified; what passed plays next. A checkpoint at the end of each generation holds all that decides how it goes on.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from toolkit.converters.base import Node
from toolkit.core import MANIFEST, Format, InputError, Precision, Samples, ToolkitError, artifact_name, make_folder, write_file
from toolkit.core.threads import let_threads_sleep
from toolkit.models.alphago.checkpoint import CHECKPOINT, WEIGHTS, Generation, Rated, Standing, load, save, save_weights
from toolkit.models.alphago.games import Game
from toolkit.models.alphago.learner import Learner, LearnerOptions, Losses
from toolkit.models.alphago.net import NetOptions, export_net
from toolkit.models.alphago.record import NOBODY, GameRecord
from toolkit.models.alphago.replay import Batch, Replay
from toolkit.models.alphago.selfplay import SelfPlayOptions
from toolkit.models.kept import check_free
from toolkit.tasks import Limits

from ..convert import Request, Row, convert, nodes
from ..source.samples import Split
from .joined import JoinedNet
from .rating import Rating, RatingOptions
from .start import begin
from .stream import Stream
from .workers import Played, WorkerOptions, Workers

TORCH = "torch"
_CALIBRATION, _EVALUATION, _SHIP_EVALUATION = 512, 1024, 32_768
METRICS, OPTIONS = "metrics.jsonl", "options.json"


@dataclass(frozen=True)
class TrainOptions:
    """``play`` is the artifact that plays, such as openvino-int8, on ``device``; where it fails parity by more than ``max_drop`` points of
    the policy's agreement with fp32, the fp32 artifact of the same format plays that generation. ``games`` finished games make a
    generation, and each of their positions is used ``reuse`` times in training, on average. The run ends after ``minutes`` or
    ``generations``. ``start`` is what this run begins with: see `begin`.

    With `TORCH` as ``play`` the weights themselves play, in one process on ``device`` that joins the batches of all (see `JoinedNet`), and
    games go on while the learner trains on those before: no artifact is made and none is verified before the end. The learning rate
    falls evenly to the share ``anneal`` of it at the end of the run.
    """

    net: NetOptions = field(default_factory=NetOptions)
    selfplay: SelfPlayOptions = field(default_factory=SelfPlayOptions)
    learner: LearnerOptions = field(default_factory=LearnerOptions)
    rating: RatingOptions = field(default_factory=RatingOptions)
    play: str = "openvino-int8"
    device: str = "cpu"
    max_drop: float = 10.0
    games: int = 256
    reuse: float = 4.0
    anneal: float = 1.0
    window: int = 20_000
    processes: int = 2
    lockstep: int = 64
    minutes: float | None = None
    generations: int | None = None
    start: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.minutes is None and self.generations is None:
            raise InputError("no end", expected="minutes or generations")
        if self.play == TORCH and self.rating.every:
            raise InputError("a net that is no artifact cannot be rated", expected="--rate-every 0 with --play torch")


@dataclass(frozen=True)
class GenerationProgress:
    """Where a run is: ``phase`` is one of play, learn, convert, rate; ``done`` of ``total`` games or steps in it."""

    generation: int
    phase: str
    done: int
    total: int
    evaluations_per_s: float = 0.0
    last: Generation | None = None


OnProgress = Callable[[GenerationProgress], None]


class GoTraining:
    """One learning run in the folder `out`: ``out/alphago`` is the bundle that plays, ``out/checkpoint.safetensors`` what resumes it,
    ``out/metrics.jsonl`` its log, ``out/options.json`` how it was called.

    Raises:
        InputError: a checkpoint or a net is there and neither `resume` nor `overwrite` is asked for, or the checkpoint is of another run.
        ArtifactError: the checkpoint is damaged.
    """

    def __init__(
        self,
        game: Game,
        options: TrainOptions,
        *,
        out: Path,
        resume: bool = False,
        overwrite: bool = False,
        on_progress: OnProgress | None = None,
    ) -> None:
        _check_free(out, resume=resume, overwrite=overwrite)
        self._game, self._options, self._out = game, options, out
        self._report = on_progress or (lambda _: None)
        let_threads_sleep()
        self._learner = Learner(game, options.net, options.learner, seed=options.seed)
        self._rating = Rating(game, options.rating, folder=out / "rated", seed=options.seed)
        self._replay = Replay(game, least=options.window)
        self._random = np.random.default_rng([options.seed, 2])
        self.generations: tuple[Generation, ...] = ()
        self._before = 0.0
        self._identity = {"game": game.name, "net": str(msgspec.json.encode(options.net).decode())}
        file = out / CHECKPOINT
        if resume and file.exists():
            standing = load(file, identity=self._identity, learner=self._learner, replay=self._replay)
            self.generations, self._before = standing.generations, standing.seconds
            self._random.bit_generator.state = standing.random
        elif options.start is not None:
            begin(self._learner, game, options.start, seed=options.seed)
        make_folder(out)
        if overwrite:
            _forget(out)
        told: dict[str, object] = {"game": game.name, **{name: vars(game)[name] for name in ("komi", "score_weight") if name in vars(game)}}
        write_file(out / OPTIONS, msgspec.json.format(msgspec.json.encode(told | asdict(options), enc_hook=str)))
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of the run, those before a resume included."""
        return self._before + time.monotonic() - self._started

    def __call__(self) -> tuple[Generation, ...]:
        """Run to the end; returns every generation."""
        options = self._options
        if self._done():
            return self.generations  # Resumed for what `ship` does alone.
        # Another seed after a resume: the games in flight are lost, and should not be played again.
        seed = options.seed + 7919 * len(self.generations)
        workers = WorkerOptions(self._game, options.selfplay, options.processes, options.lockstep, seed=seed, device=options.device)
        if options.play == TORCH:
            self._run_without_pauses(workers)
            return self.generations
        with Workers(workers) as pool:
            playing, parity = self._playing(pool)
            while not self._done():
                pool.use(playing)
                generation, playing, parity = self._generation(pool, parity)
                self._keep(generation)
        return self.generations

    def _run_without_pauses(self, workers: WorkerOptions) -> None:
        options, net, weights = self._options, self._options.net, self._out / WEIGHTS
        rows = options.lockstep * options.selfplay.search.leaves
        save_weights(weights, self._learner)
        joined = JoinedNet(self._game, net, processes=options.processes, rows=rows, device=options.device)
        with joined, Workers(workers, joined.seats) as pool:
            joined.use(weights)
            pool.use(weights)
            fresh = 0
            with Stream(pool) as stream:
                while not self._done():
                    generation, fresh = self._generation_beside(stream, fresh)
                    save_weights(weights, self._learner)
                    joined.use(weights)
                    self._keep(generation)

    def _generation_beside(self, stream: Stream, fresh: int) -> tuple[Generation, int]:
        """Learn from the last generation's `fresh` positions until games have come for the next; the generation, and how many it has.

        One that waited for its learner has more than its games, of which no more are learned from: else the next would wait longer.
        """
        options, number, start, learning = self._options, len(self.generations) + 1, time.monotonic(), 0.0
        records: list[GameRecord] = []
        total, parts = Played((), 0, 0, 0, 0.0, 0.0), []
        left = steps = round(options.reuse * fresh / options.learner.batch_size)
        while left or len(records) < options.games:
            for played in stream.arrived(wait=not left):
                records += played.records
                total = _sum(total, played)
            speed = total.evaluations / max(time.monotonic() - start, 1e-9)
            if not left:
                self._report(GenerationProgress(number, "play", len(records), options.games, speed))
                continue
            self._report(GenerationProgress(number, "learn", steps - left, steps, speed))
            before = time.monotonic()
            parts.append(self._learner.learn(self._replay, min(20, left), self._random, rate=self._rate()))
            left -= parts[-1].steps
            learning += time.monotonic() - before
        self._replay.add(records)
        positions = sum(map(len, records))
        parity = f"{TORCH}: no artifact before the end"
        seconds = (time.monotonic() - start, 0.0, 0.0, 0.0)
        generation = self._generation_of(records, total, _mean(parts), parity=parity, seconds=seconds, overlapped=learning)
        return generation, round(positions * min(1.0, options.games / len(records)))

    def _keep(self, generation: Generation) -> None:
        self.generations = (*self.generations, generation)
        self._save()
        self._report(GenerationProgress(generation.generation, "done", 0, 0, last=generation))

    def _rate(self) -> float:
        """The share of the learning rate by now."""
        options = self._options
        done = self.seconds / (60 * options.minutes) if options.minutes is not None else len(self.generations) / (options.generations or 1)
        return 1 - (1 - options.anneal) * min(1.0, done)

    def _done(self) -> bool:
        options = self._options
        late = options.minutes is not None and self.seconds >= 60 * options.minutes
        return late or (options.generations is not None and len(self.generations) >= options.generations)

    def _generation(self, pool: Workers, parity: str) -> tuple[Generation, Path | None, str]:
        number = len(self.generations) + 1
        start = time.monotonic()
        records, played = self._play(pool, number, self._options.games)
        self._replay.add(records)
        learning = time.monotonic()
        losses = self._learn(records, number)
        converting = time.monotonic()
        self._report(GenerationProgress(number, "convert", 0, 1))
        path, evidence = self._convert(number)
        rating = time.monotonic()
        rated = None
        if self._rating.due(number):
            self._report(GenerationProgress(number, "rate", 0, 1))
            rated = self._rating.rate(path, number, self.generations)
        seconds = (learning - start, converting - learning, rating - converting, time.monotonic() - rating)
        return self._generation_of(records, played, losses, parity=parity, seconds=seconds, rated=rated), path, evidence

    def _generation_of(
        self,
        records: list[GameRecord],
        played: Played,
        losses: Losses,
        *,
        parity: str,
        seconds: tuple[float, float, float, float],
        overlapped: float = 0.0,
        rated: Rated | None = None,
    ) -> Generation:
        """One line of the log; `seconds` are those of self-play, training, conversion and rating."""
        wins = sum(record.outcome > 0 for record in records) + 0.5 * sum(record.outcome == 0 for record in records)
        return Generation(
            generation=len(self.generations) + 1,
            games=len(records),
            positions=sum(map(len, records)),
            moves_a_game=float(np.mean([len(record) for record in records])),
            first_wins=wins / len(records),
            resigned=sum(record.resigned != NOBODY for record in records) / len(records),
            false_resignations=sum(record.falsely_resigned for record in records),
            never_resigned=sum(record.would_resign != NOBODY for record in records),
            evaluations=played.evaluations,
            cached=played.cached,
            policy_loss=losses.policy,
            value_loss=losses.value,
            target_entropy=losses.entropy,
            steps=losses.steps,
            parity=parity,
            seconds_selfplay=seconds[0],
            seconds_tree=played.seconds - played.seconds_net,
            seconds_net=played.seconds_net,
            seconds_training=seconds[1],
            seconds_conversion=seconds[2],
            seconds_rating=seconds[3],
            seconds_overlapped=overlapped,
            rated=rated,
        )

    def _play(self, pool: Workers, number: int, games: int) -> tuple[list[GameRecord], Played]:
        records: list[GameRecord] = []
        total = Played((), 0, 0, 0, 0.0, 0.0)
        start = time.monotonic()
        for played in pool.play(games):
            records += played.records
            total = _sum(total, played)
            speed = total.evaluations / max(time.monotonic() - start, 1e-9)
            self._report(GenerationProgress(number, "play", len(records), games, speed))
        return records, total

    def _learn(self, records: list[GameRecord], number: int) -> Losses:
        options = self._options
        steps = max(1, round(options.reuse * sum(map(len, records)) / options.learner.batch_size))
        parts = []
        for done in range(0, steps, 20):
            self._report(GenerationProgress(number, "learn", done, steps))
            parts.append(self._learner.learn(self._replay, min(20, steps - done), self._random, rate=self._rate()))
        return _mean(parts)

    def _convert(self, number: int, positions: Replay | None = None) -> tuple[Path, str]:
        """The artifact that plays next, and how its parity ended; calibrated on the newest of `positions`, by default the window's."""
        played = Node.parse(self._options.play)
        targets = tuple(dict.fromkeys([played, Node(played.format, Precision.FP32)]))
        limits = Limits(max_drop=self._options.max_drop)
        rows = convert(self._request(number, targets, _EVALUATION, limits, positions or self._replay))
        for row in rows:
            if row.passed and row.artifact is not None:
                detail = row.artifact.manifest.evidence[0].reason
                return row.artifact.path, f"{row.target}: {detail}"
        raise ToolkitError("no artifact of the net passed parity", got="; ".join(f"{row.target}: {row.reason}" for row in rows))

    def ship(self, formats: Sequence[str]) -> list[Row]:
        """The last net in these formats, each in fp32, fp16 and int8, held to the limits of any other conversion."""
        targets = nodes(formats, ("fp32", "fp16", "int8"))
        return convert(self._request(len(self.generations), targets, _SHIP_EVALUATION, Limits(), self._replay))

    def _request(self, number: int, targets: tuple[Node, ...], evaluation: int, limits: Limits, positions: Replay) -> Request:
        home = self._out / "alphago"
        net, options = self._learner.average, self._options
        source = export_net(net, game=self._game, options=options.net, out=home / "pt2-fp32", recipe={"generation": number})
        newest = positions.newest(_CALIBRATION + evaluation)
        # A run that has played few games yet keeps two thirds for verification.
        calibration = min(_CALIBRATION, len(newest.value) // 3)
        split = Split(_samples(newest, slice(0, calibration)), _samples(newest, slice(calibration, None)))
        return Request(source, targets, home, split, limits)

    def _playing(self, pool: Workers) -> tuple[Path | None, str]:
        """What plays first: after a resume the last generation's artifact, with a start the net of another run, else no net."""
        if not self.generations and self._options.start is None:
            return None, "no net: every move as likely"
        if self.generations:
            return self._convert(len(self.generations))
        # Nothing was played on this board yet: a search without a net finds positions to calibrate on, which teach nothing.
        positions = Replay(self._game)
        pool.use(None)
        while positions.arrays["full"].sum() < _CALIBRATION + _EVALUATION:
            positions.add(self._play(pool, 0, games=1)[0])
        return self._convert(0, positions)

    def _save(self) -> None:
        standing = Standing(
            identity=self._identity,
            generations=self.generations,
            random=dict(self._random.bit_generator.state),
            replay_total=self._replay.total,
            learner_steps=self._learner.steps,
            seconds=self.seconds,
        )
        save(self._out / CHECKPOINT, standing=standing, learner=self._learner, replay=self._replay)
        write_file(self._out / METRICS, b"".join(msgspec.json.encode(generation) + b"\n" for generation in self.generations))


def _check_free(out: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise `InputError` where a run or a net would be lost that nobody said may be."""
    net = out / "alphago" / artifact_name(Format.PT2, Precision.FP32) / MANIFEST
    # What was interrupted in its first generation has left options and maybe a net, but no metrics: that is no loss.
    begun = (out / OPTIONS).exists() and not (out / METRICS).exists()
    check_free(out, training=(out / CHECKPOINT, "a run"), network=None if begun else (net, "a net"), resume=resume, overwrite=overwrite)


def _forget(out: Path) -> None:
    """Remove what an earlier run would be resumed from, and the nets that it rated; its last net stays until this run has one."""
    for name in (CHECKPOINT, METRICS):
        (out / name).unlink(missing_ok=True)
    shutil.rmtree(out / "rated", ignore_errors=True)


def _sum(one: Played, other: Played) -> Played:
    """Two reports in one, without their games."""
    names = ("evaluations", "cached", "moves", "seconds", "seconds_net")
    return Played((), *(getattr(one, name) + getattr(other, name) for name in names))


def _mean(parts: list[Losses]) -> Losses:
    """The losses of several parts of training; zeros where there was none."""
    steps = [part.steps for part in parts]
    if not sum(steps):
        return Losses(0, 0.0, 0.0, 0.0)
    means = (float(np.average([getattr(part, name) for part in parts], weights=steps)) for name in ("policy", "value", "entropy"))
    return Losses(sum(steps), *means)


def _samples(batch: Batch, rows: slice) -> Samples:
    return Samples({"planes": batch.planes[rows]}, batch.policy[rows].argmax(axis=1), "positions of self-play")
