"""Two small nets as .pt2 artifacts, and the first one in every format and precision: converted once for all tests of a worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.converters.nets import START, convert_all, export, from_keras
from toolkit.converters.base import Node, Recipe
from toolkit.converters.planner import reachable
from toolkit.core import Artifact, Format, Precision, Samples, Signature, TensorSpec

if TYPE_CHECKING:
    from torch import nn

# The engines are called directly here; onnxruntime would report each import to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def digits() -> tuple[Samples, Samples]:
    """Calibration and evaluation samples ``[N, 1, 8, 8]`` float32 in [0, 1]; the first 1000 rows train the net."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images[:, None] / 16).astype(np.float32)
    return Samples({"image": images[:200]}, data.target[:200], "digits"), Samples({"image": images[1200:1600]}, data.target[1200:1600])


@pytest.fixture(scope="session")
def trained(digits: tuple[Samples, Samples]) -> nn.Module:
    import torch
    from sklearn.datasets import load_digits
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10),
    )  # fmt: skip
    data = load_digits()
    images, labels = torch.tensor(data.images[:1000, None] / 16, dtype=torch.float32), torch.tensor(data.target[:1000])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(8):
        for rows in torch.randperm(1000).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
    return net.eval()


@pytest.fixture(scope="session")
def source(trained: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    import torch

    signature = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), (TensorSpec("logits", "float32", ("batch", 10)),))
    return export(tmp_path_factory.mktemp("digits") / "pt2-fp32", trained, (torch.zeros(2, 1, 8, 8),), signature, "digits")


@pytest.fixture(scope="session")
def recipe(digits: tuple[Samples, Samples]) -> Recipe:
    return Recipe(calibration=digits[0], batch_sizes=(1, 32))


@pytest.fixture(scope="session")
def made(source: Artifact, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> dict[Node, Artifact]:
    """The trained net as every kind of artifact; those of other frameworks are another net of the same signature."""
    others = from_keras(tmp_path_factory.mktemp("keras"), source.manifest.signature)
    return convert_all(source, reachable(START), recipe) | others


@pytest.fixture(scope="session")
def embedding() -> nn.Module:
    import torch
    from torch import nn

    class Embedding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 16)
            self.first = nn.Linear(16 + 4, 8)
            self.last = nn.Linear(8, 3)

        def forward(self, tokens: torch.Tensor, extra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = torch.relu(self.first(torch.cat([self.table(tokens).mean(1), extra], 1)))
            return self.last(hidden), hidden

    torch.manual_seed(1)
    return Embedding().eval()


@pytest.fixture(scope="session")
def two_inputs(embedding: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> dict[Node, Artifact]:
    """A net of two inputs, one of them int64, and two outputs whose order is not alphabetical, in each format in fp32."""
    import torch

    signature = Signature(
        (TensorSpec("tokens", "int64", ("batch", 12)), TensorSpec("extra", "float32", ("batch", 4))),
        (TensorSpec("logits", "float32", ("batch", 3)), TensorSpec("hidden", "float32", ("batch", 8))),
    )
    example = (torch.zeros(2, 12, dtype=torch.int64), torch.zeros(2, 4))
    source = export(tmp_path_factory.mktemp("embedding") / "pt2-fp32", embedding, example, signature, "embedding")
    return convert_all(
        source,
        {Node(format, Precision.FP32) for format in (Format.ONNX, Format.OPENVINO, Format.TFLITE, Format.EXECUTORCH, Format.NCNN)},
        Recipe(),
    )
