"""Self-play in processes of its own, and learning from it, on tic-tac-toe with real engines."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from toolkit.core import Artifact, ArtifactError, DeviceError, InputError, ProcessError, SignatureError, Verdict
from toolkit.models.alphago.checkpoint import CHECKPOINT, WEIGHTS, Generation
from toolkit.models.alphago.games import ConnectFour, Game, Go, TicTacToe
from toolkit.models.alphago.learner import LearnerOptions
from toolkit.models.alphago.net import NetOptions, build_net, export_net
from toolkit.models.alphago.record import NOBODY, GameRecord
from toolkit.models.alphago.search import SearchOptions, UniformEvaluator
from toolkit.models.alphago.selfplay import SelfPlay, SelfPlayOptions
from toolkit.pipeline.go.joined import JoinedNet, SeatEvaluator
from toolkit.pipeline.go.rating import RatingOptions
from toolkit.pipeline.go.train import METRICS, TORCH, GenerationProgress, GoTraining, TrainOptions
from toolkit.pipeline.go.train import OPTIONS as OPTIONS_FILE
from toolkit.pipeline.go.workers import WorkerOptions, Workers
from toolkit.runtimes import find_runtime

QUICK = SelfPlayOptions(playouts=12, fast_playouts=4, full_share=0.5, temperature_moves=3)
OPTIONS = TrainOptions(
    net=NetOptions(1, 8),
    selfplay=QUICK,
    learner=LearnerOptions(batch_size=32, bf16=False),
    play="onnx-fp32",
    games=200,
    rating=RatingOptions(every=1, games=16, playouts=4),
    processes=1,
    lockstep=16,
    generations=1,
)


def check_record(game: Game, record: GameRecord) -> None:
    """A record replays by the rules to its outcome, and its planes are what the net saw."""
    states, row = game.new(1), np.array([0])
    planes = np.empty((1, game.planes, game.height, game.width), np.float32)
    for move, action in enumerate(record.actions):
        legal = game.legal(states, row)[0]
        assert legal[action]
        assert record.mover[move] == game.to_move(states, row)[0]
        game.encode(states, row, planes)
        assert (np.packbits(planes.reshape(-1) != 0) == record.planes[move]).all()
        assert record.policy[move].sum() == pytest.approx(1, abs=0.01)
        assert not record.policy[move][~legal].any()
        game.play(states, row, np.array([action]))
    ended, outcome = game.outcome(states, row)
    assert ended[0] or record.resigned != NOBODY
    if ended[0]:
        assert record.outcome == outcome[0]
    assert (np.abs(record.values) <= 1).all()


@pytest.mark.parametrize("game", [TicTacToe(), ConnectFour(4, 4), Go(3)], ids=lambda game: game.name)
def test_records_replay_to_their_outcome(game: Game) -> None:
    play = SelfPlay(game, UniformEvaluator(game.actions), QUICK, games=8, seed=0)
    records = [record for _, record in zip(range(20), play.records(), strict=False)]
    for record in records:
        check_record(game, record)
    shares = np.concatenate([record.full for record in records]).mean()
    assert 0.3 < shares < 0.7


def test_the_same_seed_plays_the_same_games() -> None:
    def games(seed: int) -> list[list[int]]:
        play = SelfPlay(TicTacToe(), UniformEvaluator(9), QUICK, games=4, seed=seed)
        return [record.actions.tolist() for _, record in zip(range(8), play.records(), strict=False)]

    assert games(1) == games(1) != games(2)


def test_hopeless_games_are_resigned_and_some_are_played_on() -> None:
    """An evaluator that finds every position lost for the mover makes both give up, but not in the games that measure it."""

    class Gloomy(UniformEvaluator):
        def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            logits, _ = super().__call__(planes)
            first = planes[:, 2, 0, 0] == 1
            return logits, np.where(first, -1, 1).astype(np.float32)

    options = replace(QUICK, resign_value=0.8, resign_moves=2, never_resign=0.3)
    play = SelfPlay(TicTacToe(), Gloomy(9), options, games=16, seed=0)
    records = [record for _, record in zip(range(200), play.records(), strict=False)]
    resigned = [record for record in records if record.resigned != NOBODY]
    assert resigned
    assert all(record.may_resign and record.outcome == -1 and len(record) == 3 for record in resigned)
    watched = [record for record in records if not record.may_resign]
    assert 30 < len(watched) < 90
    assert all(record.resigned == NOBODY for record in watched)
    assert any(record.would_resign != NOBODY and record.falsely_resigned for record in watched)


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match="fast playouts"):
        SelfPlayOptions(playouts=4, fast_playouts=8)
    with pytest.raises(InputError, match="share"):
        SelfPlayOptions(full_share=1.5)
    with pytest.raises(InputError, match="leaves"):
        SelfPlayOptions(search=SearchOptions(leaves=0))
    with pytest.raises(InputError, match="no end"):
        TrainOptions()


def test_workers_play_with_and_without_a_net(tmp_path: Path) -> None:
    game = TicTacToe()
    net = export_net(build_net(game, NetOptions(1, 8)), game=game, options=NetOptions(1, 8), out=tmp_path / "alphago" / "pt2-fp32")
    with Workers(WorkerOptions(game, QUICK, processes=2, games=8)) as pool:
        for path in (None, net.path):
            pool.use(path)
            parts = list(pool.play(20))
            records = [record for part in parts for record in part.records]
            assert len(records) >= 20
            for record in records:
                check_record(game, record)
            assert sum(part.evaluations for part in parts) > 0
            assert all(0 <= part.seconds_net <= part.seconds for part in parts)
        wrong = export_net(build_net(Go(3), NetOptions(1, 8)), game=Go(3), options=NetOptions(1, 8), out=tmp_path / "other" / "pt2-fp32")
        with pytest.raises(SignatureError, match="no net for"):
            pool.use(wrong.path)
        with pytest.raises(InputError, match="unknown engine 'none-such'"):
            pool.use(net.path, engine="none-such")


def test_a_net_plays_on_the_device_that_is_asked_for(tmp_path: Path) -> None:
    game = TicTacToe()
    net = export_net(build_net(game, NetOptions(1, 8)), game=game, options=NetOptions(1, 8), out=tmp_path / "alphago" / "pt2-fp32")
    if "gpu" in find_runtime("torch").devices():
        pytest.skip("torch has a gpu here")
    with (
        Workers(WorkerOptions(game, QUICK, processes=1, games=8, device="gpu")) as pool,
        pytest.raises(DeviceError, match="engine 'torch' has no device 'gpu' here"),
    ):
        pool.use(net.path, engine="torch")


def test_a_worker_that_dies_is_named() -> None:
    with Workers(WorkerOptions(TicTacToe(), QUICK, processes=1, games=4)) as pool:
        pool.use(None)
        ((process, _),) = pool._workers
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ProcessError, match="SIGKILL"):
            list(pool.play(10))


@pytest.mark.slow
def test_a_run_learns_converts_proves_and_resumes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    seen: list[GenerationProgress] = []
    first = GoTraining(TicTacToe(), OPTIONS, out=out, on_progress=seen.append)()
    assert [generation.generation for generation in first] == [1]
    assert {progress.phase for progress in seen} == {"play", "learn", "convert", "rate", "done"}
    assert first[0].games >= 200
    assert first[0].policy_loss < np.log(9)
    playing = Artifact.load(out / "alphago" / "onnx-fp32")
    assert playing.verdict is Verdict.PASSED
    assert playing.manifest.labels == ()
    with pytest.raises(InputError, match="holds a run; go on with it: --resume; replace it: --overwrite"):
        GoTraining(TicTacToe(), OPTIONS, out=out)
    with pytest.raises(InputError, match="another run"):
        GoTraining(ConnectFour(4, 4), OPTIONS, out=out, resume=True)

    both = GoTraining(TicTacToe(), replace(OPTIONS, generations=2), out=out, resume=True)()
    assert both[0] == first[0]
    assert both[0].rated is None
    assert both[1].rated is not None
    assert both[1].rated.against == 1
    assert both[1].parity.startswith("onnx-fp32")
    lines = (out / METRICS).read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Generation) for line in lines] == list(both)
    assert (out / CHECKPOINT).is_file()
    told = msgspec.json.decode((out / OPTIONS_FILE).read_bytes())
    assert (told["game"], told["net"]["channels"], told["generations"]) == ("tic-tac-toe", 8, 2)


def test_the_weights_play_while_the_learner_trains(tmp_path: Path) -> None:
    options = replace(
        OPTIONS, play=TORCH, rating=RatingOptions(every=0), games=40, processes=2, generations=3, reuse=8.0, anneal=0.5,
        selfplay=replace(QUICK, search=SearchOptions(leaves=2)),
    )  # fmt: skip
    seen: list[GenerationProgress] = []
    run = GoTraining(TicTacToe(), options, out=tmp_path, on_progress=seen.append)
    first, second, third = run()
    assert {progress.phase for progress in seen} == {"play", "learn", "done"}
    assert (first.steps, first.policy_loss) == (0, 0.0), "nothing was played yet"
    for before, after in itertools.pairwise((first, second, third)):
        assert after.steps == pytest.approx(8 * before.positions * min(1, 40 / before.games) / 32, abs=1)
        assert 0 < after.seconds_overlapped <= after.seconds_selfplay
        assert after.games >= 40
        assert after.evaluations > 0 == after.cached
    assert run._rate() == 0.5
    # What plays is the average, and no artifact was made.
    net = build_net(TicTacToe(), options.net)
    net.load_state_dict(load_file(tmp_path / WEIGHTS))
    for ours, theirs in zip(net.state_dict().values(), run._learner.average.state_dict().values(), strict=True):
        assert (ours == theirs.cpu()).all()
    assert not (tmp_path / "alphago").exists()
    assert GoTraining(TicTacToe(), options, out=tmp_path, resume=True)() == (first, second, third)
    again = GoTraining(TicTacToe(), replace(options, generations=4), out=tmp_path, resume=True)()
    assert again[:3] == (first, second, third)
    with pytest.raises(InputError, match="cannot be rated: expected --rate-every 0 with --play torch"):
        replace(options, rating=RatingOptions(every=1))


def test_a_joined_net_answers_as_the_net(tmp_path: Path) -> None:
    game, options = Go(3), NetOptions(2, 8, pooling=True, ownership=True)
    net = build_net(game, options).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / WEIGHTS)
    planes = np.random.default_rng(0).integers(0, 2, (7, game.planes, 3, 3)).astype(np.float32)
    with torch.no_grad():
        policy, value = (tensor.numpy() for tensor in net(torch.from_numpy(planes)))
    with JoinedNet(game, options, processes=2, rows=4, device="cpu") as joined:
        joined.use(tmp_path / WEIGHTS)
        for seat in joined.seats:
            answers = SeatEvaluator(seat)(planes)
            np.testing.assert_allclose(answers[0], policy, atol=1e-5)
            np.testing.assert_allclose(answers[1], value, atol=1e-5)
        joined._process.kill()
        with pytest.raises(ProcessError, match="the process of the net has ended"):
            SeatEvaluator(joined.seats[0])(planes)
    with pytest.raises(DeviceError, match="torch has no device 'npu' here: expected one of"):
        JoinedNet(game, options, processes=1, rows=4, device="npu")


@pytest.mark.slow
def test_a_run_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    first = GoTraining(Go(2), OPTIONS, out=tmp_path / "small")
    first()
    options = replace(OPTIONS, games=20, start=tmp_path / "small", play="onnx-int8", max_drop=100)
    larger = GoTraining(Go(3), options, out=tmp_path / "large")
    for ours, theirs in zip(first._learner.net.parameters(), larger._learner.net.parameters(), strict=True):
        assert (ours == theirs).all()
    (generation,) = larger()
    assert generation.parity.startswith("onnx-int8"), "not played without a net"
    assert generation.evaluations > 0
    with pytest.raises(InputError, match="another network"):
        GoTraining(Go(3), replace(options, net=NetOptions(2, 8)), out=tmp_path / "deeper")
    with pytest.raises(ArtifactError, match="no checkpoint"):
        GoTraining(Go(3), replace(options, start=tmp_path / "none"), out=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
