"""What a converter refuses or gets wrong comes out right, in the engines themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.engines import compute
from tests.converters.test_foreign import exported, inputs, zeros
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_from_pt2 import OnnxFromPt2
from toolkit.converters.edges.openvino_from_onnx import OpenvinoFromOnnx
from toolkit.converters.edges.tflite_from_pt2 import TfliteFromPt2
from toolkit.core import Artifact
from toolkit.runtimes import open_session


def expected(source: Artifact, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with open_session(source) as session:
        return session.run(arrays).as_dict()


def through_onnx(source: Artifact, folder: Path) -> list[Artifact]:
    onnx = OnnxFromPt2().convert(source, folder / "onnx", Recipe())
    return [onnx, OpenvinoFromOnnx().convert(onnx, folder / "openvino", Recipe())]


def shared_heads(tensor: Any) -> Any:
    return tensor[:, :, None].expand(-1, 1, 3, 2, 4).reshape(-1, 3, 2, 4)


def interleaved_heads(tensor: Any) -> Any:
    return tensor.repeat_interleave(3, 1)


@pytest.mark.parametrize("repeat", [shared_heads, interleaved_heads])
def test_one_head_of_keys_for_several_queries(repeat: Callable[[Any], Any], tmp_path: Path) -> None:
    def forward(net: Any, x: Any, mask: Any) -> Any:
        return (repeat((x + net.layer(x).repeat(1, 2)).view(-1, 1, 2, 4)).mT * 2).relu()

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    made = TfliteFromPt2().convert(source, tmp_path / "out", Recipe(batch_sizes=(1, 32)))
    arrays = inputs(source, 33)
    for name, array in compute(made, arrays).items():
        np.testing.assert_allclose(array, expected(source, arrays)[name], rtol=1e-4, atol=1e-5)


def test_fourier_transforms_of_real_numbers(tmp_path: Path) -> None:
    """Along one axis, the last two, and two of which neither is the last; the real part, the imaginary one, or both."""
    import torch

    def forward(net: Any, x: Any, mask: Any) -> Any:
        grid = (x + net.layer(x).repeat(1, 2)).view(-1, 2, 4)
        both, cube = torch.fft.fft(grid), grid.view(-1, 2, 2, 2)
        return {
            "plane": torch.fft.fftn(grid, dim=(1, 2)).real,
            "real": both.real,
            "imaginary": both.imag,
            "inner": torch.fft.fft2(cube, dim=(1, 2)).imag,
        }

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    arrays = inputs(source, 33)
    wanted = expected(source, arrays)
    tflite = TfliteFromPt2().convert(source, tmp_path / "tflite", Recipe(batch_sizes=(1, 32)))
    for made in (*through_onnx(source, tmp_path), tflite):
        assert made.manifest.signature == source.manifest.signature
        for name, array in compute(made, arrays).items():
            np.testing.assert_allclose(array, wanted[name], rtol=1e-4, atol=1e-5, err_msg=f"{made.manifest.edge} {name}")


def test_a_transform_whose_complex_result_is_used_stays(tmp_path: Path) -> None:
    import torch

    def forward(net: Any, x: Any, mask: Any) -> Any:
        spectrum = torch.fft.fft(x)
        return net.layer(spectrum.real**2 + spectrum.abs())

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    made = OnnxFromPt2().convert(source, tmp_path / "onnx", Recipe())
    assert made.manifest.operators is not None
    assert "DFT" in made.manifest.operators.by_type
    arrays = inputs(source, 5)
    for name, array in compute(made, arrays).items():
        np.testing.assert_allclose(array, expected(source, arrays)[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", [9, (5, 7)])
def test_an_average_over_more_than_the_image(window: int | tuple[int, int], tmp_path: Path) -> None:
    import torch

    def forward(net: Any, x: Any, mask: Any) -> Any:
        image = (x + net.layer(x).repeat(1, 2)).view(-1, 2, 2, 2)
        return torch.nn.functional.avg_pool2d(image, window, ceil_mode=True).flatten(1)

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    arrays = inputs(source, 5)
    for made in through_onnx(source, tmp_path):
        for name, array in compute(made, arrays).items():
            np.testing.assert_allclose(array, expected(source, arrays)[name], rtol=1e-4, atol=1e-5, err_msg=made.manifest.edge)
