"""Three small nets in three formats, converted once: one with batch normalization, one with branches, a recurrent one with attention."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.nets import convert_all, export
from toolkit.converters.base import Node, Recipe
from toolkit.core import Artifact, Format, Precision, Signature, TensorSpec

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
FORMATS = (Format.ONNX, Format.OPENVINO, Format.TFLITE)
NETS = ("plain", "branches", "sequence")


def nets() -> dict[str, Any]:
    """The nets by name, their weights random but seeded; the input is ``[B, 1, 8, 8]``."""
    import torch
    from torch import nn

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(1, 6, 3, padding=1)
            self.body = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
            self.shortcut = nn.Conv2d(6, 8, 1)
            self.head = nn.Linear(8, 10)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            image = torch.relu(self.stem(image))
            image = torch.relu(self.body(image) + self.shortcut(image))
            return self.head(image.mean((2, 3)))

    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells = nn.LSTM(8, 12, batch_first=True)
            self.query, self.key, self.value = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12)
            self.out, self.head = nn.Linear(12, 12), nn.Linear(12, 10)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            rows = self.cells(image.flatten(1, 2))[0]
            shares = torch.softmax(4 * self.query(rows) @ self.key(rows).transpose(1, 2), -1)
            rows = rows + self.out(shares @ self.value(rows))
            return self.head(rows.mean(1))

    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 16), nn.ReLU(), nn.Linear(16, 10),
    )  # fmt: skip
    for array in (plain[1].running_mean, plain[1].weight, plain[1].bias):
        torch.nn.init.uniform_(array, 0.5, 1.5)
    return {"plain": plain.eval(), "branches": Branches().eval(), "sequence": Sequence().eval()}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The bundle of each net, with fp32 and fp16 in every format."""
    import torch

    signature = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), (TensorSpec("logits", "float32", ("batch", 10)),))
    bundles = {}
    for name, net in nets().items():
        bundles[name] = tmp_path_factory.mktemp("debug") / name
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The tensor attributes self.cells", UserWarning)  # torch, of its own LSTM
            source = export(bundles[name] / "pt2-fp32", net, (torch.zeros(2, 1, 8, 8),), signature, name)
        convert_all(source, {Node(format, precision) for format in FORMATS for precision in (Precision.FP32, Precision.FP16)}, Recipe())
    return bundles


@pytest.fixture(scope="session")
def owners() -> dict[str, list[tuple[str, np.ndarray]]]:
    """For each net what a constant of a converted file may hold, sorted, with the layer that it belongs to."""
    found: dict[str, list[tuple[str, np.ndarray]]] = {}
    for name, net in nets().items():
        state = {key: value.numpy().astype(np.float64) for key, value in net.state_dict().items() if value.is_floating_point()}
        known = [(key.rpartition(".")[0], value) for key, value in state.items()]
        if name == "plain":  # Converters fold the normalization into the convolution before it.
            scale = state["1.weight"] / np.sqrt(state["1.running_var"] + 1e-5)
            known.append(("0", state["0.weight"] * scale[:, None, None, None]))
            known.append(("0", state["1.bias"] + (state["0.bias"] - state["1.running_mean"]) * scale))
        if name == "sequence":  # And join the two biases of a recurrent layer.
            biases = [state["cells.bias_ih_l0"], state["cells.bias_hh_l0"]]
            known += [("query", 4 * state["query.weight"]), ("query", 4 * state["query.bias"])]  # The factor goes into the weights.
            known += [("cells", biases[0] + biases[1]), ("cells", np.concatenate(biases))]
        found[name] = [(layer, np.sort(values, axis=None)) for layer, values in known]
    return found


@pytest.fixture(scope="session")
def trained(made: dict[str, Path]) -> dict[str, Artifact]:
    return {name: Artifact.load(bundle / "pt2-fp32") for name, bundle in made.items()}
