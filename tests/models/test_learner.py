"""One step, and the changes of a batch."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.contract import image_model
from toolkit.core import DataError, EngineError, Samples
from toolkit.models import TrainingRecipe
from toolkit.models.data import DataSet
from toolkit.models.training import EpochProgress, outputs_of, score_of, train
from toolkit.models.training.augment import augment
from toolkit.models.training.learner import Learner, can_compile

RECIPE = TrainingRecipe(learning_rate=1e-2, weight_decay=0.1)


def learner(model: str = "cnn", **changes: Any) -> Learner:
    import torch

    torch.manual_seed(0)
    net = image_model(model)
    return Learner(net, net.build((1, 8, 8), 10), replace(RECIPE, **changes), steps=10, device="cpu")


def gradient_norm(each: Learner) -> float:
    import torch

    images, targets = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 10
    each.step(images, targets)
    return float(torch.cat([p.grad.flatten() for p in each.module.parameters()]).norm())


def test_gradients_are_clipped() -> None:
    free = gradient_norm(learner(gradient_norm=1e9))
    assert free > 0.5
    assert gradient_norm(learner(gradient_norm=0.25)) == pytest.approx(0.25, rel=1e-4)


def test_biases_and_normalisation_do_not_decay() -> None:
    import torch

    each = learner("resnet")
    (step,) = each.optimizers
    decay, none = step.optimizer.param_groups
    assert (decay["weight_decay"], none["weight_decay"]) == (0.1, 0.0)
    norms = [p for layer in each.module.modules() if isinstance(layer, torch.nn.BatchNorm2d) for p in (layer.weight, layer.bias)]
    free = {id(p) for p in none["params"]}
    assert {id(p) for p in norms} < free
    assert len(decay["params"]) + len(none["params"]) == len(list(each.module.parameters()))
    assert all(p.ndim > 1 for p in decay["params"])


def test_l1_adds_the_sizes_of_weights_but_not_of_biases() -> None:
    import torch

    plain, more = learner(), learner(l1=0.01)
    images, targets = torch.ones(4, 1, 8, 8), torch.arange(4)
    torch.manual_seed(1)
    weights = sum(float(p.detach().abs().sum()) for p in more.module.parameters() if p.ndim > 1)
    torch.manual_seed(2)
    loss = plain.step(images, targets)
    torch.manual_seed(2)
    assert more.step(images, targets) == pytest.approx(loss + 0.01 * weights, rel=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
def test_one_cycle(steps: int) -> None:
    import torch

    net = image_model("cnn")
    each = Learner(net, net.build((1, 8, 8), 10), RECIPE, steps=steps, device="cpu")
    rates = []
    for _ in range(steps):
        rates.append(each.learning_rate)
        each.step(torch.zeros(4, 1, 8, 8), torch.zeros(4, dtype=torch.long))
    assert all(0 < rate <= 1e-2 * 1.0001 for rate in rates)
    if steps == 50:
        peak = int(np.argmax(rates))
        assert rates[peak] == pytest.approx(1e-2)
        assert np.all(np.diff(rates[: peak + 1]) > 0)
        assert np.all(np.diff(rates[peak:]) < 0)
        assert rates[-1] < 1e-5


def test_a_loss_that_is_not_finite() -> None:
    import torch

    with pytest.raises(EngineError, match=r"training diverged: expected a finite loss and gradient, got loss nan"):
        learner().step(torch.full((2, 1, 8, 8), torch.nan), torch.zeros(2, dtype=torch.long))


def test_a_gpu_without_memory_is_one_line(few: DataSet, tmp_path: Path) -> None:
    import torch

    def fill(progress: EpochProgress) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has 1.00 GiB.")

    with pytest.raises(EngineError, match=r"^the GPU's memory is used up: got .*Tried to allocate 2.00 GiB.; take a smaller batch"):
        train(image_model("cnn"), few, recipe=RECIPE, out=tmp_path, on_progress=fill)


def test_steps_on_cuda_are_compiled_where_triton_and_its_compiler_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "triton.py").touch()
    compiler = tmp_path / "gcc"
    compiler.write_text("")
    compiler.chmod(0o755)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert can_compile("cuda") == (importlib.util.find_spec("triton") is not None)
    monkeypatch.syspath_prepend(tmp_path)
    assert can_compile("cuda")
    monkeypatch.setenv("CC", "no-such-compiler")
    assert not can_compile("cuda")


class TestAugment:
    def test_shift_moves_and_fills(self) -> None:
        import torch

        torch.manual_seed(0)
        image = torch.arange(1.0, 26).view(1, 1, 5, 5)
        changed = augment(image.expand(200, -1, -1, -1), shift=1, flip=False, fill=torch.tensor([-7.0]))
        padded = torch.nn.functional.pad(image, (1, 1, 1, 1), value=-7.0)[0, 0]
        possible = {tuple(padded[y : y + 5, x : x + 5].flatten().tolist()) for y in range(3) for x in range(3)}
        assert {tuple(each.flatten().tolist()) for each in changed} == possible

    def test_flip_mirrors_half(self) -> None:
        import torch

        torch.manual_seed(0)
        image = torch.rand(2, 3, 4)
        changed = augment(image.expand(400, -1, -1, -1), shift=0, flip=True, fill=torch.zeros(2))
        mirrored = sum(bool(torch.equal(each, image.flip(2))) for each in changed)
        assert mirrored + sum(bool(torch.equal(each, image)) for each in changed) == 400
        assert 150 < mirrored < 250

    def test_each_channel_has_its_own_fill(self) -> None:
        import torch

        torch.manual_seed(0)
        changed = augment(torch.zeros(50, 2, 4, 4), shift=4, flip=True, fill=torch.tensor([1.0, 2.0]))
        assert set(changed[:, 0].unique().tolist()) == {0, 1}
        assert set(changed[:, 1].unique().tolist()) == {0, 2}

    def test_nothing_asked_for(self) -> None:
        import torch

        images = torch.rand(3, 1, 4, 4)
        assert augment(images, shift=0, flip=False, fill=torch.zeros(1)) is images


class TestScore:
    def test_known_answer(self) -> None:
        import torch

        logits = np.array([[0, 0], [2, 0], [0, 3]], dtype=np.float32)
        module = torch.nn.Sequential(torch.nn.Dropout(0.9), torch.nn.Linear(2, 2, bias=False))
        torch.nn.init.eye_(module[1].weight)
        samples = Samples({"x": logits}, np.array([0, 0, 0]), "known")
        score = score_of(image_model("cnn"), module, samples, batch_size=2)
        losses = np.array([np.log(2), np.log1p(np.exp(-2)), 3 + np.log1p(np.exp(-3))])
        assert score.accuracy == pytest.approx(2 / 3)
        assert score.loss == pytest.approx(losses.mean())
        assert score.loss_error == pytest.approx(losses.std() / np.sqrt(3))
        assert module.training, "its own mode is given back"
        np.testing.assert_array_equal(outputs_of(module, samples), logits)

    def test_bad_samples(self) -> None:
        import torch

        module = torch.nn.Linear(2, 2)
        with pytest.raises(DataError, match="samples 'x' have no targets"):
            score_of(image_model("cnn"), module, Samples({"a": np.zeros((1, 2), np.float32)}, origin="x"))
        with pytest.raises(DataError, match="expected one input with at least 1 row"):
            outputs_of(module, Samples({"a": np.zeros((0, 2), np.float32)}))
