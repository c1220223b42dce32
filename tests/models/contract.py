"""The test that every model must pass; third parties call `check_model` on their own.

from tests.models.contract import check_model
check_model(MyModel(), tmp_path)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from toolkit.core import InputError, Preprocessing, Samples, noise
from toolkit.formats.parts.pt2_archive import check_pt2
from toolkit.models import (
    Autoencoder,
    Classifier,
    Generator,
    ImageClassifier,
    Model,
    Predictor,
    TextClassifier,
    TrainingRecipe,
    find_model,
)
from toolkit.models.data import DataSet, ImageSet, TextSet, all_data
from toolkit.models.training import export_pt2, score_of
from toolkit.models.training.learner import Learner

if TYPE_CHECKING:
    from torch import Tensor, nn

STEPS = 60
SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 17, 40))
TOKENS, LENGTH = 50, 9
BATCHES = (1, 2, 3, 7, 32)


def image_model(name: str) -> ImageClassifier:
    """The reference model of this name, which takes images."""
    model = find_model(name)
    assert isinstance(model, ImageClassifier)
    return model


class Images(ImageSet):
    """Noise around a picture for each of four classes."""

    name = "tiny"
    summary = "noise around four pictures"
    labels = ("a", "b", "c", "d")
    preprocessing = Preprocessing(scale=1 / 255, mean=(0.4,), std=(0.3,))

    def __init__(self, shape: tuple[int, int, int] = (1, 12, 12)) -> None:
        self.input_shape = shape  # type: ignore[misc]

    def is_here(self, folder: Path | None = None) -> bool:
        return True

    def _load(self, split: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
        channels, height, width = self.input_shape
        random = np.random.default_rng(0 if split == "train" else 1)
        pictures = np.random.default_rng(2).random((4, height, width, channels))
        targets = np.arange(200) % 4
        images = pictures[targets] * 255 + random.normal(0, 20, (200, height, width, channels))
        return images.clip(0, 255).astype(np.uint8), targets.astype(np.uint8)


class Texts(TextSet):
    """Words that tell and words that do not."""

    name = "tiny-texts"
    summary = "words of four classes"
    labels = ("a", "b", "c", "d")
    length = LENGTH
    most_words = TOKENS

    def is_here(self, folder: Path | None = None) -> bool:
        return True

    def texts(self, split: str, folder: Path | None = None) -> tuple[list[str], np.ndarray]:
        random = np.random.default_rng(0 if split == "train" else 1)
        targets = np.arange(200) % 4
        fillers = [" ".join(f"word{chr(97 + number)}" for number in random.integers(0, 20, random.integers(0, 7))) for _ in targets]
        return [f"{filler} kind{'abcd'[target]}" for filler, target in zip(fillers, targets, strict=True)], targets


def check_model(model: Model, folder: Path) -> None:
    """Hold a model to the contract of `Model` and of its kind; `folder` is an empty one to write in."""
    check_description(model)
    data: DataSet = Images()
    if isinstance(model, ImageClassifier):
        for shape in SHAPES:
            check_logits(partial(model.build, shape), partial(normal, shape))
        check_bad_sizes(model)
        check_seed(partial(model.build, (1, 12, 12)))
    elif isinstance(model, TextClassifier):
        data = Texts()
        for length in (LENGTH, 30):
            check_logits(partial(model.build, TOKENS), partial(texts, length))
        check_bad_vocabulary(model)
        check_seed(partial(model.build, TOKENS))
    elif isinstance(model, Autoencoder | Generator):
        for shape in SHAPES:
            check_images(model, Images(shape))
        with pytest.raises(InputError, match="at least"):
            model.module(Images((0, 8, 8)))
    else:
        raise AssertionError(f"'{model.name}' is of no kind that this contract knows")
    check_export(model, data, folder)
    check_learns(model, data)


def normal(shape: tuple[int, ...], batch: int) -> Tensor:
    """Images of noise."""
    import torch

    return torch.randn(batch, *shape)


def texts(length: int, batch: int) -> Tensor:
    """Texts of different lengths, the first one full, filled up with zeros."""
    import torch

    tokens = torch.randint(2, TOKENS, (batch, length))
    for row in range(1, batch):
        tokens[row, 1 + (row * 7) % length :] = 0
    return tokens


Build = Callable[[int], "nn.Module"]
Inputs = Callable[[int], "Tensor"]


def check_description(model: Model) -> None:
    assert model.name == model.name.lower()
    assert model.summary
    assert model.paper
    sets = all_data()
    assert model.data in {data.name for data in sets}
    for name in [*(data.name for data in sets), "a set that nobody knows"]:
        recipe = model.recipe(name)
        assert isinstance(recipe, TrainingRecipe)
        assert not (recipe.flip and "fashion" not in name), "a mirrored digit is another one"
    for data in sets:
        if isinstance(data, TextSet) != isinstance(model, TextClassifier):
            with pytest.raises(InputError, match=f"'{model.name}' takes"):
                model.module(data)


def check_logits(build: Build, inputs: Inputs) -> None:
    import torch

    for classes in (2, 10):
        module = build(classes).eval()
        assert sum(each.numel() for each in module.parameters()) > 0
        for batch in (1, 3):
            with torch.inference_mode():
                logits = module(inputs(batch))
            assert logits.shape == (batch, classes)
            assert logits.dtype == torch.float32
            assert torch.isfinite(logits).all()


def check_bad_sizes(model: ImageClassifier) -> None:
    for shape, classes in (((1, 1, 8), 10), ((0, 8, 8), 10), ((1, 8, 8), 1)):
        with pytest.raises(InputError, match="at least"):
            model.build(shape, classes)


def check_bad_vocabulary(model: TextClassifier) -> None:
    for tokens, classes in ((2, 2), (50, 1)):
        with pytest.raises(InputError, match="at least"):
            model.build(tokens, classes)


def check_seed(build: Build) -> None:
    import torch

    def weights(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        found: dict[str, Tensor] = build(10).state_dict()
        return found

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def check_images(model: Autoencoder | Generator, data: ImageSet) -> None:
    """Every shape that goes in comes back, whatever the images' size, and can be learned from."""
    import torch

    module = model.module(data)
    samples = data.load("train", rows=slice(0, 8))
    images, targets = torch.from_numpy(samples.inputs["image"]), torch.from_numpy(targets_of(samples))
    for export in model.exports(module, data):
        given = [torch.from_numpy(array) for array in noise(export.signature, 3, classes=4, seed=0).inputs.values()]
        answers = answers_of(export.module.eval(), given)
        for answer, spec in zip(answers, export.signature.outputs, strict=True):
            assert answer.shape == spec.concrete(3)
            assert torch.isfinite(answer).all()
    learner = Learner(model, module, model.recipe(data.name), steps=5, device="cpu")
    assert np.isfinite([learner.step(images, targets) for _ in range(5)]).all()


def targets_of(samples: Samples) -> np.ndarray:
    assert samples.targets is not None
    return samples.targets


def answers_of(module: nn.Module, given: list[Tensor]) -> tuple[Tensor, ...]:
    import torch

    with torch.inference_mode():
        answers = module(*given)
    return answers if isinstance(answers, tuple) else (answers,)


def check_export(model: Model, data: DataSet, folder: Path) -> None:
    """Everything that ships gives the same file twice, and answers like the network at every batch size."""
    import torch

    torch.manual_seed(0)
    ships = model.exports(model.module(data), data)
    assert len({export.part for export in ships}) == len(ships)
    assert ships[0].part == ""
    assert str(ships[0].signature) == str(model.signature(data))
    for export in ships:
        out = folder / (export.part or "itself")
        artifact = export_pt2(export.module, signature=export.signature, out=out / "pt2-fp32", model=model.name)
        again = export_pt2(export.module, signature=export.signature, out=out / "again", model=model.name)
        assert artifact.manifest.content_sha256 == again.manifest.content_sha256
        check_pt2(artifact.model_file)
        program = torch.export.load(artifact.model_file).module()
        for batch in BATCHES:
            inputs = data.load("test", rows=slice(0, batch)).inputs
            if set(inputs) != {spec.name for spec in export.signature.inputs}:
                inputs = noise(export.signature, batch, classes=4, seed=0).inputs
            given = [torch.from_numpy(array) for array in inputs.values()]
            for one, other in zip(answers_of(program, given), answers_of(export.module, given), strict=True):
                np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-5)


def check_learns(model: Model, data: DataSet) -> None:
    """Sixty steps on the same few samples must bring it nearer to them: a classifier to random labels."""
    import torch

    torch.manual_seed(0)
    samples = data.load("train", rows=slice(0, 32))
    (inputs,) = (torch.from_numpy(array) for array in samples.inputs.values())
    targets = torch.from_numpy(targets_of(samples))
    recipe = replace(model.recipe(model.data), label_smoothing=0.0)
    recipe = replace(recipe, weight_decay=0.0)
    if not isinstance(model, Generator):
        recipe = replace(recipe, learning_rate=max(recipe.learning_rate, 3e-3))
    module = model.module(data)
    model.pretrain(module, inputs, recipe)
    steps = 3 * STEPS * model.every if isinstance(model, Generator) else STEPS
    learner = Learner(model, module, recipe, steps=steps, device="cpu")
    if isinstance(model, Predictor):
        before = score_of(model, module, samples).loss
        losses = [learner.step(inputs, targets) for _ in range(steps)]
        assert np.isfinite(losses).all()
        assert score_of(model, module, samples).loss < before * (0.5 if isinstance(model, Classifier) else 0.9)
    else:
        assert isinstance(model, Generator)
        before = distance_of(model, module, inputs)
        for _ in range(steps):
            learner.step(inputs, targets)
        assert distance_of(model, module, inputs) < 0.95 * before


def distance_of(model: Generator, module: nn.Module, images: Tensor) -> float:
    """Between the mean of real images and that of sampled ones."""
    import torch

    torch.manual_seed(0)
    module.eval()
    with torch.inference_mode():
        sampled = model.sample(module, torch.arange(64) % 4)
    return float((sampled.mean(dim=0) - images.mean(dim=0)).norm())
