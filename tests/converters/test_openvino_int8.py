"""How OpenVINO's int8 is chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.converters.engines import compute
from tests.converters.nets import convert_all, export
from tests.converters.worst import worst_ratio
from toolkit.converters.base import Node, Recipe
from toolkit.converters.edges.openvino_int8 import OpenvinoInt8
from toolkit.core import Format, Precision, Samples, Signature, TensorSpec
from toolkit.formats.parts.openvino_model import openvino_layers

FLOAT = Node(Format.OPENVINO, Precision.FP32)


def test_masked_attention_is_quantized_as_a_transformer(tmp_path: Path) -> None:
    """A mask of -10,000 leaves one step of 256 for all scores that are not masked."""
    import torch

    class Masked(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value = (torch.nn.Linear(16, 16) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores = 8 * self.query(x) @ self.key(x).transpose(1, 2)
            return (scores + torch.where(x[:, :, 0] > 0, 0.0, -1e4)[:, None]).softmax(-1) @ self.value(x)

    torch.manual_seed(0)
    signature = Signature((TensorSpec("x", "float32", ("batch", 8, 16)),), (TensorSpec("y", "float32", ("batch", 8, 16)),))
    source = export(tmp_path / "pt2-fp32", Masked().eval(), (torch.zeros(2, 8, 16),), signature, "masked")
    made = convert_all(source, {FLOAT}, Recipe())[FLOAT]
    x = np.random.default_rng(0).normal(size=(64, 8, 16)).astype(np.float32)
    quantized = OpenvinoInt8().convert(made, tmp_path / "int8", Recipe(Samples({"x": x[:32]})))
    assert worst_ratio([(compute(made, {"x": x[32:]}), compute(quantized, {"x": x[32:]}))]) > 20


def test_a_window_longer_than_one_sample_has_layers() -> None:
    """Free sizes were 1 there, in which no window of 512 lies, and no int8 was made of a spectrogram."""
    import openvino
    from openvino import opset13 as opset

    wave = opset.parameter([-1, 1, -1], np.float32, name="wave")
    window = opset.constant(np.ones((2, 1, 512), np.float32))
    found = opset.convolution(wave, window, [160], [0], [0], [1], name="window")
    (layer,) = openvino_layers(openvino.Model([found], [wave], "spectrogram"))
    assert layer.name == "window"
    assert layer.multiply_adds == 2 * 512 * (1 + (2048 - 512) // 160)
