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

from toolkit.core import InputError, Signature, TensorSpec
from toolkit.core.pt2 import check_pt2
from toolkit.models import ImageClassifier, Model, TextClassifier, TrainingRecipe, find_model
from toolkit.models.data import ImageSet, all_data
from toolkit.models.training import export_pt2
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


def check_model(model: Model, folder: Path) -> None:
    """Hold a model to the contract of `Model` and of its kind; `folder` is an empty one to write in."""
    check_description(model)
    if isinstance(model, ImageClassifier):
        for shape in SHAPES:
            check_logits(partial(model.build, shape), partial(normal, shape))
        check_bad_sizes(model)
        build, inputs = partial(model.build, (1, 12, 12)), partial(normal, (1, 12, 12))
        spec = TensorSpec("image", "float32", ("batch", 1, 12, 12))
    elif isinstance(model, TextClassifier):
        build, inputs = partial(model.build, TOKENS), partial(texts, LENGTH)
        check_logits(build, inputs)
        check_logits(build, partial(texts, 30))
        check_bad_vocabulary(model)
        spec = TensorSpec("tokens", "int64", ("batch", LENGTH))
    else:
        raise AssertionError(f"'{model.name}' is of no kind that this contract knows")
    check_seed(build)
    check_export(model, build, inputs, spec, folder)
    check_learns(model, build, inputs)


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
        if isinstance(data, ImageSet) != isinstance(model, ImageClassifier):
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


def check_export(model: Model, build: Build, inputs: Inputs, spec: TensorSpec, folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    module = build(4)
    signature = Signature((spec,), (TensorSpec("logits", "float32", ("batch", 4)),))
    artifact = export_pt2(module, signature=signature, out=folder / "pt2-fp32", model=model.name)
    again = export_pt2(module, signature=signature, out=folder / "again", model=model.name)
    assert artifact.manifest.content_sha256 == again.manifest.content_sha256
    check_pt2(artifact.model_file)
    program = torch.export.load(artifact.model_file).module()
    for batch in BATCHES:
        given = inputs(batch)
        with torch.inference_mode():
            np.testing.assert_allclose(program(given).numpy(), module(given).numpy(), rtol=1e-5, atol=1e-6)


def check_learns(model: Model, build: Build, inputs: Inputs) -> None:
    """Sixty steps on the same few samples, with random labels, must fit them."""
    import torch

    torch.manual_seed(0)
    given, targets = inputs(32), torch.arange(32) % 4
    recipe = replace(model.recipe(model.data), label_smoothing=0.0)
    recipe = replace(recipe, learning_rate=max(recipe.learning_rate, 3e-3), weight_decay=0.0)
    learner = Learner(build(4), recipe, steps=STEPS, device="cpu")
    losses = [learner.step(given, targets) for _ in range(STEPS)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2
