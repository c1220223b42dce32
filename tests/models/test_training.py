"""The trainer on 200 digits: a fifth of a second an epoch."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from toolkit.core import Artifact, ArtifactError, DataError, EngineError, InputError, StorageError
from toolkit.formats.parts.pt2_archive import check_pt2
from toolkit.models import TrainingRecipe, find_model
from toolkit.models.data import DataSet
from toolkit.models.training import EpochMetrics, EpochProgress, TrainingResult, train
from toolkit.models.training.checkpoint import Checkpoint
from toolkit.models.training.run import TrainingRun, chosen

RECIPE = TrainingRecipe(
    epochs=3, batch_size=32, learning_rate=3e-3, weight_decay=1e-2, label_smoothing=0.05, shift=1, flip=True, bf16=True, seed=5
)


def run(
    data: DataSet, out: Path, *, model: str = "cnn", resume: bool = False, on: Callable[[EpochProgress], None] | None = None
) -> TrainingResult:
    return train(find_model(model), data, recipe=RECIPE, out=out, resume=resume, on_progress=on)


def interrupt_at(epoch: int, step: int) -> Callable[[EpochProgress], None]:
    def on_progress(progress: EpochProgress) -> None:
        if (progress.epoch, progress.step) == (epoch, step):
            raise KeyboardInterrupt

    return on_progress


class TestResult:
    def test_artifact_and_files(self, few: DataSet, tmp_path: Path) -> None:
        seen: list[EpochProgress] = []
        result = run(few, tmp_path / "cnn", on=seen.append)
        manifest = result.artifact.manifest
        assert result.artifact.path == tmp_path / "cnn" / "pt2-fp32"
        assert str(manifest.signature) == "(image:float32[batch,1,8,8]) -> (logits:float32[batch,10])"
        assert (manifest.model, manifest.data, manifest.edge) == ("cnn", "few-digits", "torch_export")
        assert manifest.labels == tuple("0123456789")
        assert manifest.preprocessing == few.preparation()
        assert manifest.recipe["learning_rate"] == 3e-3
        assert "torch" in manifest.versions
        check_pt2(result.artifact.model_file)
        lines = (tmp_path / "cnn" / "training" / "metrics.jsonl").read_bytes().splitlines()
        assert tuple(msgspec.json.decode(line, type=EpochMetrics) for line in lines) == result.metrics
        assert [each.epoch for each in result.metrics] == [1, 2, 3]
        assert result.best in result.metrics
        assert [(p.epoch, p.step) for p in seen] == [(epoch, step) for epoch in (1, 2, 3) for step in range(1, 6)]
        assert {p.steps for p in seen} == {5}
        assert [p.quality for p in seen[::5]] == [None, *(each.validation_accuracy for each in result.metrics[:2])]
        assert all(before.seconds <= after.seconds for before, after in itertools.pairwise(seen))

    def test_it_learns(self, few: DataSet, tmp_path: Path) -> None:
        recipe = TrainingRecipe(epochs=15, batch_size=16, learning_rate=5e-3)
        result = train(find_model("cnn"), few, recipe=recipe, out=tmp_path)
        assert result.test.accuracy is not None
        assert result.test.accuracy > 0.85
        assert find_model("cnn").quality(result.test.loss, result.test.accuracy) == result.test.accuracy
        rates = [each.learning_rate for each in result.metrics]
        assert max(rates) == pytest.approx(5e-3, rel=0.05)
        assert rates[0] < max(rates) > rates[-1] * 100

    @pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
    def test_compiled_steps_learn_the_same(self, few: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        recipe = replace(RECIPE, epochs=1, bf16=False)
        plain = train(find_model("mlp"), few, recipe=recipe, out=tmp_path / "plain")
        compiled = train(find_model("mlp"), few, recipe=replace(recipe, compile=True), out=tmp_path / "compiled")
        assert not plain.compiled
        assert compiled.compiled == (shutil.which(os.environ.get("CXX", "g++")) is not None)
        assert compiled.best.validation_loss == pytest.approx(plain.best.validation_loss, rel=0.05)  # it drops other units
        monkeypatch.setenv("CXX", "no-such-compiler")
        assert not train(find_model("mlp"), few, recipe=replace(recipe, compile=True), out=tmp_path / "without").compiled

    def test_the_file_answers_like_the_score(self, few: DataSet, tmp_path: Path) -> None:
        import torch

        result = run(few, tmp_path)
        test = few.load("test")
        program = torch.export.load(result.artifact.model_file).module()
        with torch.inference_mode():
            answers = program(torch.from_numpy(test.inputs["image"])).argmax(1).numpy()
        assert np.mean(answers == test.targets) == result.test.accuracy


class TestResume:
    @pytest.mark.parametrize("model", ["cnn", "resnet", "rbm", "wgan-gp"])
    def test_bit_for_bit(self, few: DataSet, tmp_path: Path, model: str) -> None:
        whole = run(few, tmp_path / "whole", model=model)
        out = tmp_path / "interrupted"
        for epoch, step in ((1, 2), (2, 4), (3, 1)):
            with pytest.raises(KeyboardInterrupt):
                run(few, out, model=model, resume=True, on=interrupt_at(epoch, step))
            assert not (out / "pt2-fp32").exists()
            assert not list(out.rglob(".*")), "nothing half-written"
        resumed = run(few, out, model=model, resume=True)
        assert resumed.resumed_epochs == 2
        assert resumed.artifact.manifest.content_sha256 == whole.artifact.manifest.content_sha256
        assert [replace(each, seconds=0) for each in resumed.metrics] == [replace(each, seconds=0) for each in whole.metrics]
        last, other = (Checkpoint.load(place / "training" / "checkpoint.safetensors").tensors for place in (out, tmp_path / "whole"))
        assert last.keys() == other.keys()
        assert all(last[name].equal(other[name]) for name in last)

    def test_a_finished_training_only_exports(self, few: DataSet, tmp_path: Path) -> None:
        first = run(few, tmp_path)
        again = run(few, tmp_path, resume=True, on=interrupt_at(1, 1))
        assert again.resumed_epochs == 3
        assert again.metrics == first.metrics
        assert again.artifact == first.artifact

    def test_with_overwrite_it_starts_anew(self, few: DataSet, tmp_path: Path) -> None:
        first = train(find_model("cnn"), few, recipe=replace(RECIPE, epochs=1, qat_epochs=1), out=tmp_path)
        assert (tmp_path / "training" / "qat" / "checkpoint.safetensors").exists()
        for epoch in (1, 2):
            with pytest.raises(KeyboardInterrupt):
                train(find_model("cnn"), few, recipe=RECIPE, out=tmp_path, overwrite=True, on_progress=interrupt_at(epoch, 1))
            checkpoints = [*tmp_path.rglob("checkpoint.safetensors")]
            assert [len(Checkpoint.load(file).standing.metrics) for file in checkpoints] == [1] * (epoch - 1)
        assert Artifact.load(tmp_path / "pt2-fp32") == first.artifact, "the network stays until the new one is there"
        assert run(few, tmp_path, resume=True).resumed_epochs == 1

    def test_nothing_is_lost_unless_asked(self, few: DataSet, tmp_path: Path) -> None:
        def refused(message: str, *, resume: bool = False, overwrite: bool = False) -> None:
            before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
            with pytest.raises(InputError, match=message):
                train(find_model("mlp"), few, recipe=replace(RECIPE, epochs=1), out=tmp_path, resume=resume, overwrite=overwrite)
            assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before

        run(few, tmp_path, model="mlp")
        refused("holds a training; go on with it: --resume; replace it: --overwrite; keep it: another --out")
        refused("expected one of the two", resume=True, overwrite=True)
        shutil.rmtree(tmp_path / "training")
        refused("holds a trained network; replace it: --overwrite; keep it: another --out")
        refused("holds a trained network and no checkpoint that --resume could go on from; replace it: --overwrite", resume=True)

    def test_another_recipe_model_or_data(self, few: DataSet, tmp_path: Path) -> None:
        run(few, tmp_path)
        with pytest.raises(InputError, match=r"trained with another model: expected resnet, got cnn; give the same options"):
            run(few, tmp_path, model="resnet", resume=True)
        with pytest.raises(InputError, match=r"trained with another learning rate: expected 0.1, got 0.003"):
            train(find_model("cnn"), few, recipe=replace(RECIPE, learning_rate=0.1), out=tmp_path, resume=True)

    @pytest.mark.parametrize("damage", [lambda content: content[:-100], lambda content: b"", lambda content: b"\x80\x02}." + content])
    def test_a_damaged_checkpoint(self, few: DataSet, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        run(few, tmp_path)
        file = tmp_path / "training" / "checkpoint.safetensors"
        file.write_bytes(damage(file.read_bytes()))
        with pytest.raises(ArtifactError, match=r"is no checkpoint of this trainer: .*train again with --overwrite") as caught:
            run(few, tmp_path, resume=True)
        assert "\n" not in str(caught.value)

    def test_a_strangers_safetensors(self, tmp_path: Path) -> None:
        import torch
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors")
        with pytest.raises(ArtifactError, match="is no checkpoint of this trainer"):
            Checkpoint.load(tmp_path / "x.safetensors")
        with pytest.raises(ArtifactError, match="no checkpoint"):
            Checkpoint.load(tmp_path / "y.safetensors")


class TestQuantizationAware:
    """cnn and resnet: with dropout, and with batch normalisation and mixed precision. wgan-gp takes gradients of gradients."""

    TUNED = replace(RECIPE, epochs=2, qat_epochs=2)

    @pytest.mark.parametrize("model", ["cnn", "resnet", "wgan-gp"])
    def test_bit_for_bit(self, few: DataSet, tmp_path: Path, model: str) -> None:
        def tuned(out: Path, on: Callable[[EpochProgress], None] | None = None) -> TrainingResult:
            return train(find_model(model), few, recipe=self.TUNED, out=out, resume=True, on_progress=on)

        whole = tuned(tmp_path / "whole")
        seen: list[EpochProgress] = []

        def interrupt(progress: EpochProgress) -> None:
            seen.append(progress)
            if (progress.qat, progress.epoch, progress.step) == (True, 2, 1):
                raise KeyboardInterrupt

        out = tmp_path / "interrupted"
        with pytest.raises(KeyboardInterrupt):
            tuned(out, interrupt)
        assert [(p.qat, p.epoch) for p in seen if p.step == 1] == [(False, 1), (False, 2), (True, 1), (True, 2)]
        resumed = tuned(out)
        assert resumed.resumed_epochs == 3
        assert resumed.artifact.manifest.content_sha256 == whole.artifact.manifest.content_sha256
        assert [replace(each, seconds=0) for each in resumed.qat_metrics] == [replace(each, seconds=0) for each in whole.qat_metrics]
        assert resumed.best in resumed.qat_metrics

    def test_it_is_added_to_a_training_that_is_done(self, few: DataSet, tmp_path: Path) -> None:
        whole = train(find_model("cnn"), few, recipe=self.TUNED, out=tmp_path / "whole")
        first = train(find_model("cnn"), few, recipe=replace(self.TUNED, qat_epochs=0), out=tmp_path / "cnn")
        assert "qat_epochs" not in first.artifact.manifest.details
        added = train(find_model("cnn"), few, recipe=self.TUNED, out=tmp_path / "cnn", resume=True)
        assert added.resumed_epochs == 2
        assert added.artifact.manifest.content_sha256 == whole.artifact.manifest.content_sha256 != first.artifact.manifest.content_sha256
        assert added.artifact.manifest.details["qat_epochs"] == added.artifact.manifest.recipe["qat_epochs"] == 2
        assert (len(added.metrics), len(added.qat_metrics)) == (2, 2)
        assert max(each.learning_rate for each in added.qat_metrics) < 0.11 * RECIPE.learning_rate

    def test_it_does_not_go_on_from_other_weights(self, few: DataSet, tmp_path: Path) -> None:
        model = find_model("mlp")
        weights = model.module(few).state_dict()

        def tuning(weights: dict[str, Any]) -> TrainingRun:
            return TrainingRun(model, few, few.load("train"), None, recipe=RECIPE, folder=tmp_path, weights=weights, qat=True)

        tuning(weights).epoch()
        again = tuning(weights)
        again.resume()
        assert len(again.metrics) == 1
        with pytest.raises(InputError, match="was trained with another weights"):
            tuning({name: value + 1 for name, value in weights.items()}).resume()

    def test_the_file_is_plain_and_answers_like_the_score(self, few: DataSet, tmp_path: Path) -> None:
        import torch

        result = train(find_model("resnet"), few, recipe=self.TUNED, out=tmp_path)
        exported = torch.export.load(result.artifact.model_file)
        assert exported.state_dict.keys() == find_model("resnet").module(few).state_dict().keys()
        program = exported.module()
        test = few.load("test")
        with torch.inference_mode():
            answers = program(torch.from_numpy(test.inputs["image"])).argmax(1).numpy()
        assert np.mean(answers == test.targets) == result.test.accuracy

    def test_pretraining_is_not_repeated(self, few: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A deep belief net is learned layer by layer first, which would forget all that came after."""
        model = find_model("dbn")
        calls: list[int] = []
        pretrain = model.pretrain

        def counted(*given: Any) -> None:
            calls.append(1)
            pretrain(*given)

        monkeypatch.setattr(model, "pretrain", counted)
        train(model, few, recipe=replace(self.TUNED, epochs=1, qat_epochs=1), out=tmp_path)
        assert calls == [1]

    def test_a_network_that_cannot_be_rounded_leaves_nothing(self, few: DataSet, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"cannot round all weights .* got 'layer.weight_ih_l0'; train it without --qat") as caught:
            train(find_model("lstm"), few, recipe=self.TUNED, out=tmp_path / "lstm")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "lstm").exists()


class TestStopping:
    def test_early(self, few: DataSet, tmp_path: Path) -> None:
        """So slow a training changes no weight: the second epoch is no better than the first."""
        recipe = TrainingRecipe(epochs=9, batch_size=64, learning_rate=1e-30, patience=2)
        result = train(find_model("cnn"), few, recipe=recipe, out=tmp_path)
        assert len(result.metrics) == 3
        again = train(find_model("cnn"), few, recipe=recipe, out=tmp_path, resume=True)
        assert again.resumed_epochs == len(again.metrics) == 3

    def test_the_chosen_epoch(self) -> None:
        def epochs(*losses: float, error: float = 0.05) -> list[EpochMetrics]:
            return [EpochMetrics(number, 0.0, loss, error, 0.0, 0.0, 0.0) for number, loss in enumerate(losses, 1)]

        assert chosen(epochs(0.5, 0.3, 0.32)).epoch == 3, "within the noise the later one"
        assert chosen(epochs(0.5, 0.3, 0.4)).epoch == 2, "clearly worse"
        assert chosen(epochs(0.5, 0.3, 0.4, 0.34, 0.9)).epoch == 4
        assert chosen(epochs(0.5)).epoch == 1

    def test_kept_weights_are_those_of_the_chosen_epoch(self, few: DataSet, tmp_path: Path) -> None:
        """A rate so high that the second epoch is worse than the first: the kept weights must be the first one's."""
        import torch

        recipe = TrainingRecipe(epochs=6, batch_size=16, learning_rate=0.1)

        def standing_after(epochs: int) -> Checkpoint:
            out = tmp_path / str(epochs)
            with pytest.raises(KeyboardInterrupt):
                train(find_model("cnn"), few, recipe=recipe, out=out, on_progress=interrupt_at(epochs + 1, 1))
            return Checkpoint.load(out / "training" / "checkpoint.safetensors")

        first, second = standing_after(1), standing_after(2)
        assert chosen(second.standing.metrics).epoch == 1
        kept = second.group("best")
        assert all(kept[name].equal(value) for name, value in first.group("model").items())
        assert not all(kept[name].equal(value) for name, value in second.group("model").items())
        stopped = train(find_model("cnn"), few, recipe=replace(recipe, patience=1), out=tmp_path / "stopped")
        assert (stopped.best.epoch, len(stopped.metrics)) == (1, 2)
        weights = torch.export.load(stopped.artifact.model_file).state_dict
        assert all(weights[name].equal(value) for name, value in kept.items())


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"epochs": 0}, "recipe's epochs: expected at least 1, got 0"),
            ({"qat_epochs": -1}, "recipe's qat epochs: expected at least 0, got -1"),
            ({"batch_size": 1}, "recipe's batch size: expected at least 2, got 1"),
            ({"learning_rate": 0.0}, "recipe's learning rate: expected more than 0"),
            ({"learning_rate": float("nan")}, "recipe's learning rate: expected more than 0, got nan"),
            ({"label_smoothing": 1.0}, "recipe's label smoothing: expected at least 0 and below 1"),
            ({"shift": -1}, "recipe's shift: expected at least 0"),
            ({"shift": 2 * 10**9}, "recipe's shift: expected at most 64"),
            ({"learning_rate": 1e308}, "recipe's learning rate: expected at most 3e\\+38"),
            ({"seed": 2**64}, "recipe's seed: expected at most 9223372036854775807"),
        ],
    )
    def test_recipe(self, few: DataSet, tmp_path: Path, change: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            train(find_model("cnn"), few, recipe=replace(RECIPE, **change), out=tmp_path)
        assert not list(tmp_path.glob("pt2*"))

    def test_divergence(self, few: DataSet, tmp_path: Path) -> None:
        recipe = replace(RECIPE, learning_rate=1e38, bf16=False)
        with pytest.raises(EngineError, match=r"training diverged in epoch \d, step \d: expected a finite loss"):
            train(find_model("cnn"), few, recipe=recipe, out=tmp_path)
        assert not (tmp_path / "pt2-fp32").exists()

    def test_too_few_samples(self, few: DataSet, tmp_path: Path) -> None:
        class Tiny(type(few)):  # type: ignore[misc]
            def _load(self, split: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
                images, labels = super()._load(split, folder)
                return images[:19], labels[:19]

        with pytest.raises(DataError, match="too small to train on: expected at least 20 samples, got 19"):
            run(Tiny(), tmp_path)

    def test_a_file_in_the_way(self, few: DataSet, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        with pytest.raises(StorageError, match="cannot write"):
            run(few, tmp_path / "out")


def test_the_callers_generators_and_threads_are_given_back(few: DataSet, tmp_path: Path) -> None:
    import torch

    def draw() -> tuple[float, float, float]:
        return torch.rand(1).item(), np.random.random(), random.random()  # noqa: NPY002 - the generator that the trainer seeds

    torch.set_num_threads(2)
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    expected = draw()
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])
    run(few, tmp_path)
    assert draw() == expected
    assert torch.get_num_threads() == 2
