"""`Squeeze` without axes gets those that are 1 whatever is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from toolkit.converters.onnx_squeeze import with_axes


def _file(folder: Path, opset: int) -> Path:
    """``x[batch, 1, width]`` halved to ``[batch, 1, width/2]`` and squeezed, and another squeeze of what has no axis of 1."""
    nodes = [
        helper.make_node("AveragePool", ["x"], ["pooled"], kernel_shape=[2], strides=[2]),
        helper.make_node("Squeeze", ["pooled"], ["y"]),
        helper.make_node("Squeeze", ["y"], ["z"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, "width"])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "z")]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    file = folder / "net.onnx"
    onnx.save(model, file)
    return file


def _call(rows: int, width: int) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(rows).standard_normal((rows, 1, width)).astype(np.float32)}


@pytest.mark.parametrize("opset", [11, 17])
def test_a_batch_of_one_keeps_its_axis(tmp_path: Path, opset: int) -> None:
    work = tmp_path / "work"
    work.mkdir()
    assert with_axes(_file(tmp_path, opset), [_call(2, 8), _call(3, 16)], work) == ("y", "z")
    session = onnxruntime.InferenceSession(work / "model.onnx")
    for rows, width in ((1, 8), (4, 12), (3, 2)):
        call = _call(rows, width)
        for found in session.run(None, call):
            np.testing.assert_allclose(found, call["x"].reshape(rows, -1, 2).mean(2), atol=1e-6)


def test_what_is_one_in_some_calls_alone_stays(tmp_path: Path) -> None:
    """Of the first squeeze nothing is known; behind it no axis was 1."""
    work = tmp_path / "work"
    work.mkdir()
    assert with_axes(_file(tmp_path, 17), [_call(2, 2), _call(3, 4)], work) == ("z",)
    assert [node.op_type for node in onnx.load(work / "model.onnx").graph.node] == ["AveragePool", "Squeeze", "Identity"]


def test_a_file_without_such_a_squeeze_is_left_alone(tmp_path: Path) -> None:
    file = _file(tmp_path, 17)
    model = onnx.load(file)
    for node in model.graph.node[1:]:
        node.op_type = "Identity"
    onnx.save(model, file)
    assert with_axes(file, [_call(2, 8), _call(3, 16)], tmp_path) == ()
    assert not (tmp_path / "model.onnx").exists()
