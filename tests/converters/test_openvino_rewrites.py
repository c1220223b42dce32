"""What OpenVINO's reader refuses: each graph is one kind, against ONNX Runtime at sizes that are free in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from toolkit.converters.openvino_rewrites import rewrite
from toolkit.formats.parts.openvino_model import read_model

RANDOM = np.random.default_rng(0)


def _model(nodes: list[object], outputs: list[str], **constants: np.ndarray) -> ModelProto:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "steps"])]
    described = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, described, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _spectrum(window: bool, length: bool) -> ModelProto:
    given = {"step": np.array(3), **({"window": np.hanning(8).astype(np.float32)} if window else {})}
    given |= {"length": np.array(8)} if length else {}
    names = ["x", "step", "window" if window else "", "length" if length else ""]
    nodes = [helper.make_node("STFT", names, ["y"]), helper.make_node("ReduceSumSquare", ["y"], ["power"], axes=[-1], keepdims=0)]
    return _model(nodes, ["y", "power"], **given)


def _loop() -> ModelProto:
    """``x * 2 ** 3`` by a loop that hands on its factor, as tf2onnx writes the weights of a recurrence."""
    nodes = [helper.make_node("Identity", ["go"], ["going"]), helper.make_node("Mul", ["state", "factor"], ["next"])]
    scalar = [("round", TensorProto.INT64), ("go", TensorProto.BOOL)]
    inputs = [helper.make_tensor_value_info(name, kind, []) for name, kind in scalar]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("state", "factor")]
    outputs = [helper.make_tensor_value_info("going", TensorProto.BOOL, [])]
    outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("next", "factor")]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    loop = helper.make_node("Loop", ["times", "true", "x", "two"], ["y", "same"], body=body)
    return _model([loop], ["y"], times=np.array(3), true=np.array(True), two=np.array(2, np.float32))


@pytest.mark.parametrize(
    "make",
    [lambda: _spectrum(True, False), lambda: _spectrum(False, True), lambda: _spectrum(True, True), _loop],
    ids=["window", "length", "both", "loop"],
)
def test_openvino_takes_it_at_free_sizes(make: Callable[[], ModelProto], tmp_path: Path) -> None:
    import openvino

    model, file = make(), tmp_path / "net.onnx"
    exact = onnxruntime.InferenceSession(model.SerializeToString())
    assert rewrite(model)
    file.write_bytes(model.SerializeToString())
    compiled = openvino.Core().compile_model(read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for rows, steps in ((1, 8), (3, 21)):
        x = RANDOM.standard_normal((rows, steps)).astype(np.float32)
        for found, wanted in zip(compiled([x]).values(), exact.run(None, {"x": x}), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_a_window_that_the_inputs_decide_is_left_alone() -> None:
    nodes = [helper.make_node("STFT", ["x", "step", "window"], ["y"]), helper.make_node("Identity", ["given"], ["window"])]
    assert not rewrite(_model(nodes, ["y"], step=np.array(3), given=np.ones(8, np.float32)))
