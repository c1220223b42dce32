"""The test that every model must pass; third parties call `check_model` on their own.

from tests.models.contract import check_model
check_model(MyModel(), tmp_path)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import InputError, Signature, TensorSpec
from toolkit.core.pt2 import check_pt2
from toolkit.models import Model, TrainingRecipe
from toolkit.models.data import all_data
from toolkit.models.training import export_pt2
from toolkit.models.training.learner import Learner

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 17, 40))
BATCHES = (1, 2, 3, 7, 32)


def check_model(model: Model, folder: Path) -> None:
    """Hold a model to the contract of `Model`; `folder` is an empty one to write in."""
    check_description(model)
    for shape in SHAPES:
        check_logits(model, shape)
    check_bad_sizes(model)
    check_seed(model)
    check_export(model, folder)
    check_learns(model)


def check_description(model: Model) -> None:
    assert model.name == model.name.lower()
    assert model.summary
    assert model.paper
    for data in [*(data.name for data in all_data()), "a set that nobody knows"]:
        recipe = model.recipe(data)
        assert isinstance(recipe, TrainingRecipe)
        assert not (recipe.flip and "fashion" not in data), "a mirrored digit is another one"


def check_logits(model: Model, shape: tuple[int, int, int]) -> None:
    import torch

    for classes in (2, 10):
        module = model.build(shape, classes).eval()
        assert sum(each.numel() for each in module.parameters()) > 0
        for batch in (1, 3):
            with torch.inference_mode():
                logits = module(torch.randn(batch, *shape))
            assert logits.shape == (batch, classes)
            assert logits.dtype == torch.float32
            assert torch.isfinite(logits).all()


def check_bad_sizes(model: Model) -> None:
    for shape, classes in (((1, 1, 8), 10), ((0, 8, 8), 10), ((1, 8, 8), 1)):
        with pytest.raises(InputError, match="at least"):
            model.build(shape, classes)


def check_seed(model: Model) -> None:
    import torch

    def weights(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        found: dict[str, torch.Tensor] = model.build((1, 8, 8), 10).state_dict()
        return found

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def check_export(model: Model, folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    module = model.build((1, 12, 12), 4)
    signature = Signature((TensorSpec("image", "float32", ("batch", 1, 12, 12)),), (TensorSpec("logits", "float32", ("batch", 4)),))
    artifact = export_pt2(module, signature=signature, out=folder / "pt2-fp32", model=model.name)
    again = export_pt2(module, signature=signature, out=folder / "again", model=model.name)
    assert artifact.manifest.content_sha256 == again.manifest.content_sha256
    check_pt2(artifact.model_file)
    program = torch.export.load(artifact.model_file).module()
    for batch in BATCHES:
        images = torch.randn(batch, 1, 12, 12)
        with torch.inference_mode():
            np.testing.assert_allclose(program(images).numpy(), module(images).numpy(), rtol=1e-5, atol=1e-6)


def check_learns(model: Model) -> None:
    """Thirty steps on the same few images, with random labels, must fit them."""
    import torch

    torch.manual_seed(0)
    images, targets = torch.randn(32, 1, 8, 8), torch.arange(32) % 4
    recipe = replace(model.recipe("digits"), label_smoothing=0.0)
    learner = Learner(model.build((1, 8, 8), 4), recipe, steps=30, device="cpu")
    losses = [learner.step(images, targets) for _ in range(30)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2
