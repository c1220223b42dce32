"""Training on a GPU of NVIDIA's: mixed precision, the same bits twice, checkpoints that go on elsewhere. Skipped where there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.contract import Texts, image_model
from toolkit.models import TrainingRecipe, find_model
from toolkit.models.alphago.games import ConnectFour, Go
from toolkit.models.alphago.learner import Learner as Player
from toolkit.models.alphago.learner import LearnerOptions
from toolkit.models.alphago.net import NetOptions
from toolkit.models.alphago.replay import Replay
from toolkit.models.alphago.search import UniformEvaluator
from toolkit.models.alphago.selfplay import SelfPlay, SelfPlayOptions
from toolkit.models.data import DataSet
from toolkit.models.training import EpochProgress, TrainingResult, train
from toolkit.models.training import run as training_run

torch: Any = pytest.importorskip("torch", reason="the extra [train] is not installed")
if not torch.cuda.is_available():
    pytest.skip("no GPU that torch can use", allow_module_level=True)

RECIPE = TrainingRecipe(epochs=6, batch_size=16, learning_rate=3e-3, bf16=True)


def _train(few: DataSet, out: Path, *, stop_after: int = 0, resume: bool = False, **changes: Any) -> TrainingResult:
    def stop(progress: EpochProgress) -> None:
        if stop_after and progress.epoch > stop_after:
            raise KeyboardInterrupt

    return train(image_model("cnn"), few, recipe=replace(RECIPE, **changes), out=out, resume=resume, on_progress=stop)


def test_mixed_precision_learns_and_twice_the_same(few: DataSet, tmp_path: Path) -> None:
    one, two = (_train(few, tmp_path / name) for name in ("one", "two"))
    assert (one.device, one.bf16) == ("cuda", True)
    assert one.artifact.manifest.recipe["device"] == "cuda"
    assert one.test.accuracy is not None
    assert one.test.accuracy > 0.7
    assert [each.train_loss for each in one.metrics] == [each.train_loss for each in two.metrics]
    assert one.artifact.manifest.files == two.artifact.manifest.files


@pytest.mark.parametrize("name", ["text-cnn", "attention-lstm"])
def test_texts_are_learned_there_and_twice_the_same(name: str, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=2)
    one, two = (train(find_model(name), Texts(), recipe=recipe, out=tmp_path / number) for number in ("1", "2"))
    assert one.device == "cuda"
    assert [each.train_loss for each in one.metrics] == [each.train_loss for each in two.metrics]


@pytest.mark.parametrize("devices", [("cuda", "cpu"), ("cpu", "cuda")], ids=" to ".join)
def test_a_checkpoint_goes_on_elsewhere(devices: tuple[str, str], few: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "device_here", lambda: devices[0])
    with pytest.raises(KeyboardInterrupt):
        _train(few, tmp_path, stop_after=4)
    monkeypatch.setattr(training_run, "device_here", lambda: devices[1])
    result = _train(few, tmp_path, resume=True)
    assert (result.resumed_epochs, result.device, len(result.metrics)) == (4, devices[1], 6)
    assert result.test.accuracy is not None
    assert result.test.accuracy > 0.7


@pytest.mark.parametrize("game", [ConnectFour(), Go(5)], ids=lambda game: game.name)
def test_a_player_learns_there_and_its_checkpoint_is_the_cpus_too(game: Any) -> None:
    options = NetOptions(1, 8, pooling=True, ownership=isinstance(game, Go), score=isinstance(game, Go))
    play = SelfPlay(game, UniformEvaluator(game.actions), SelfPlayOptions(playouts=4, fast_playouts=4, full_share=1.0), games=16, seed=0)
    replay = Replay(game)
    replay.add([record for _, record in zip(range(16), play.records(), strict=False)])
    player = Player(game, options, LearnerOptions(batch_size=32), seed=0)
    assert {tensor.device.type for tensor in player.net.state_dict().values()} == {"cuda"}
    first, last = (player.learn(replay, 20, np.random.default_rng(0)) for _ in range(2))
    assert last.policy < first.policy
    again = Player(game, options, LearnerOptions(batch_size=32), seed=1)
    again.restore({name: tensor.cpu() for name, tensor in player.state().items()}, steps=player.steps)
    one, two = (each.learn(replay, 3, np.random.default_rng(0)) for each in (player, again))
    assert one.policy == pytest.approx(two.policy, rel=1e-3)
