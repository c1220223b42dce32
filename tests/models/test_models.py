from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.models.contract import check_model, image_model
from toolkit.core import UnknownNameError
from toolkit.models import Model, all_models, find_model


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.name)
def test_contract(model: Model, tmp_path: Path) -> None:
    check_model(model, tmp_path)


def test_registry() -> None:
    assert {"cnn", "resnet"} <= {model.name for model in all_models()}
    assert find_model("cnn").name == "cnn"
    with pytest.raises(UnknownNameError, match=r"unknown model 'resnt': expected one of .*cnn.*; did you mean 'resnet'\?"):
        find_model("resnt")


def test_sizes_of_cnn() -> None:
    parameters = {name: tuple(each.shape) for name, each in image_model("cnn").build((1, 28, 28), 10).named_parameters()}
    assert list(parameters.values()) == [(16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), (128, 32 * 7 * 7), (128,), (10, 128), (10,)]


@pytest.mark.parametrize("name", ["cnn", "resnet"])
def test_initialisation_is_he_and_xavier(name: str) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = image_model(name).build((3, 32, 32), 100)
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers[:-1]:
        inputs = layer.weight[0].numel()
        spread = 5 / np.sqrt(2 * layer.weight.numel())
        assert layer.weight.std().item() == pytest.approx(np.sqrt(2 / inputs), rel=spread)
    last = layers[-1]
    bound = np.sqrt(6 / (last.in_features + last.out_features))
    assert last.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
    assert last.weight.abs().max().item() <= bound
    assert all(not layer.bias.any() for layer in layers if layer.bias is not None)


def test_shortcut_of_resnet_is_projected_only_where_the_shape_changes() -> None:
    from torch import nn

    shortcuts = [module for name, module in image_model("resnet").build((1, 28, 28), 10).named_modules() if name.endswith("shortcut")]
    assert [isinstance(each, nn.Identity) for each in shortcuts] == [True, False, False]
