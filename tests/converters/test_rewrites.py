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
from toolkit.converters.edges.openvino_from_pt2 import OpenvinoFromPt2
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


@pytest.mark.parametrize("align", [False, True])
def test_a_grid_that_the_network_moves(align: bool, tmp_path: Path) -> None:
    import torch
    from torch.nn import functional

    def forward(net: Any, x: Any, _mask: Any) -> Any:
        theta = torch.eye(2, 3)[None] + net.layer(x)[:, :2, None] * 0.1
        return functional.affine_grid(theta, [x.shape[0], 1, 3, 5], align_corners=align)

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    made = TfliteFromPt2().convert(source, tmp_path / "tflite", Recipe(batch_sizes=(1, 32)))
    arrays = inputs(source, 33)
    for name, array in compute(made, arrays).items():
        np.testing.assert_allclose(array, expected(source, arrays)[name], rtol=1e-4, atol=1e-5)


def test_what_openvinos_reader_of_programs_changes_is_restored(tmp_path: Path) -> None:
    """It takes a mask of booleans for bytes and loses the names of the outputs."""
    import torch
    from torch.nn import functional

    def forward(net: Any, x: Any, mask: Any) -> Any:
        image = (x + net.layer(x).repeat(1, 2)).view(-1, 1, 2, 4)
        theta = torch.eye(2, 3)[None] + net.layer(x)[:, :2, None] * 0.1
        moved = functional.grid_sample(image, functional.affine_grid(theta, [x.shape[0], 1, 3, 5], align_corners=True), align_corners=True)
        return {"moved": moved.where(mask[:, 1][:, None, None, None], 0), "all": mask.all(1)}

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8), "mask": torch.ones(2, 2, dtype=torch.bool)})
    made = OpenvinoFromPt2().convert(source, tmp_path / "openvino", Recipe())
    arrays = inputs(source, 33)
    for name, array in compute(made, arrays).items():
        np.testing.assert_allclose(array, expected(source, arrays)[name], rtol=1e-4, atol=1e-5)


def test_what_is_sliced_before_it_is_gathered_in_openvino(tmp_path: Path) -> None:
    """The four numbers of a box and then the boxes of the best scores, as detectors decode: OpenVINO drops the slice."""
    import torch

    def forward(net: Any, x: Any, mask: Any) -> Any:
        rows = torch.cat([x, net.layer(x)], 1).view(-1, 4, 3)
        best = rows[..., 2].topk(2, dim=1)
        return {"boxes": rows[..., :2].gather(1, best.indices[..., None].expand(-1, -1, 2)), "scores": best.values}

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    arrays = inputs(source, 33)
    wanted = expected(source, arrays)
    for made in (through_onnx(source, tmp_path)[1], OpenvinoFromPt2().convert(source, tmp_path / "openvino-pt2", Recipe())):
        for name, array in compute(made, arrays).items():
            np.testing.assert_allclose(array, wanted[name], rtol=1e-4, atol=1e-5, err_msg=f"{made.manifest.edge} {name}")
