"""Outputs of an int8 ONNX file are not rounded to 256 levels, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.converters.engines import compute
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_int8 import OnnxInt8
from toolkit.converters.noise import ratios
from toolkit.converters.onnx_outputs import bends_at_outputs, float_outputs
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Samples, Signature, TensorSpec, sha256_of

SCALE = np.float32(0.5)


def pair(name: str, source: str, target: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("QuantizeLinear", [source, "scale", "zero"], [f"{name}_q"], name=f"{name}_Q"),
        helper.make_node("DequantizeLinear", [f"{name}_q", "scale", "zero"], [target], name=f"{name}_DQ"),
    ]


def model(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    constants = [
        numpy_helper.from_array(SCALE, "scale"),
        numpy_helper.from_array(np.uint8(128), "zero"),
        numpy_helper.from_array(np.eye(4, dtype=np.float32), "w"),
        numpy_helper.from_array(np.array([2, 2], np.int64), "shape"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes),
        "net",
        [value("x", TensorProto.FLOAT, ["batch", 4])],
        [value(name, TensorProto.FLOAT, ["batch", "width"]) for name in outputs],
        constants,
    )
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(found)
    return found


def run(found: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    from onnxruntime import InferenceSession

    onnx.checker.check_model(found)
    return list(InferenceSession(found.SerializeToString()).run(None, {"x": x}))


X = np.array([[0.1, 0.2, 0.6, -0.3]], np.float32)


def kinds(found: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in found.graph.node]


def test_the_output_of_the_last_layer_is_not_rounded() -> None:
    """The input still is."""
    found = model(*pair("in", "x", "a"), helper.make_node("MatMul", ["a", "w"], ["b"], name="layer"), *pair("out", "b", "y"))
    assert float_outputs(found.graph) == 1
    assert kinds(found) == ["QuantizeLinear", "DequantizeLinear", "MatMul"]
    np.testing.assert_array_equal(run(found, X)[0], np.round(X / SCALE) * SCALE)


def test_what_only_rearranges_or_bends_is_passed_through() -> None:
    found = model(
        *pair("in", "x", "a"),
        helper.make_node("MatMul", ["a", "w"], ["b"], name="one"),
        *pair("b", "b", "c"),
        helper.make_node("MatMul", ["c", "w"], ["d"], name="two"),
        *pair("d", "d", "e"),
        helper.make_node("Tanh", ["e"], ["f"], name="bend"),
        *pair("f", "f", "g"),
        helper.make_node("Concat", ["g", "c"], ["h"], axis=1, name="join"),
        *pair("out", "h", "y"),
    )
    assert float_outputs(found.graph) == 4
    # The pair before the second layer stays for that layer; beside it, what goes to the output is not rounded.
    assert kinds(found) == [
        "QuantizeLinear",
        "DequantizeLinear",
        "MatMul",
        "QuantizeLinear",
        "DequantizeLinear",
        "MatMul",
        "Tanh",
        "Concat",
    ]
    once = np.round(X / SCALE) * SCALE
    np.testing.assert_allclose(run(found, X)[0], np.concatenate([np.tanh(once), once], axis=1), rtol=1e-6)


def test_an_output_that_others_read_keeps_its_name() -> None:
    found = model(
        helper.make_node("MatMul", ["x", "w"], ["b"], name="one"),
        *pair("b", "b", "y"),
        helper.make_node("MatMul", ["y", "w"], ["z"], name="two"),
        outputs=("y", "z"),
    )
    float_outputs(found.graph)
    first, second = run(found, X)
    np.testing.assert_array_equal(first, X)
    np.testing.assert_array_equal(second, np.round(X / SCALE) * SCALE, "the second layer computes in integers as before")


def test_what_cuts_values_off_before_an_output_is_found() -> None:
    found = model(
        helper.make_node("MatMul", ["x", "w"], ["a"], name="one"),
        helper.make_node("Relu", ["a"], ["b"], name="inner"),
        helper.make_node("MatMul", ["b", "w"], ["c"], name="two"),
        helper.make_node("Relu", ["c"], ["d"], name="last"),
        helper.make_node("Reshape", ["d", "shape"], ["y"], name="turn"),
    )
    assert bends_at_outputs(found.graph) == ["last"]


@pytest.mark.parametrize("effort", [0, 1])
def test_a_relu_that_gives_an_output_is_not_lost(effort: int, tmp_path: Path) -> None:
    """The quantizer removes it, for the levels in front of it hold no negative values; those were then taken away."""
    random = np.random.default_rng(0)
    weights = [numpy_helper.from_array(random.standard_normal((8, n, 3)).astype(np.float32), name) for n, name in ((4, "w"), (8, "v"))]
    nodes = [("Conv", ["x", "w"], ["a"]), ("Relu", ["a"], ["feature"]), ("Conv", ["feature", "v"], ["y"])]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, outputs) for kind, inputs, outputs in nodes],
        "net",
        [value("x", TensorProto.FLOAT, ["batch", 4, 9])],
        [value("feature", TensorProto.FLOAT, ["batch", 8, 7]), value("y", TensorProto.FLOAT, ["batch", 8, 5])],
        weights,
    )
    folder = tmp_path / "source"
    folder.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), file := folder / "model.onnx")
    shapes = {"feature": ("batch", 8, 7), "y": ("batch", 8, 5)}
    outputs = tuple(TensorSpec(name, "float32", shape) for name, shape in shapes.items())
    signature = Signature((TensorSpec("x", "float32", ("batch", 4, 9)),), outputs)
    manifest = Manifest("net", Format.ONNX, Precision.FP32, signature, {file.name: sha256_of(file)}, "import")
    (folder / MANIFEST).write_bytes(manifest.to_json())
    source = Artifact.load(folder)
    x = random.standard_normal((64, 4, 9)).astype(np.float32)
    made = OnnxInt8().convert(source, tmp_path / "int8", Recipe(Samples({"x": x}), effort=effort))
    exact, rounded = compute(source, {"x": x}), compute(made, {"x": x})
    assert rounded["feature"].min() >= 0
    assert min(ratios([(exact, rounded)]).values()) > 30
    found = onnx.load(made.model_file).graph
    last = next(node for node in found.node if node.output[0] == "y")
    read = {name: node.op_type for node in found.node for name in node.output}
    assert read[last.input[0]] == "DequantizeLinear", "an output that the next layer reads is still rounded for it"


@pytest.mark.parametrize("nodes", [[helper.make_node("MatMul", ["x", "w"], ["y"], name="layer")], pair("only", "x", "y")])
def test_where_there_is_nothing_to_do_nothing_is_done(nodes: list[onnx.NodeProto]) -> None:
    found = model(*nodes)
    before = kinds(found)
    assert float_outputs(found.graph) == 0
    assert kinds(found) == before
    run(found, X)
