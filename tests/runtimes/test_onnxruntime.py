from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolkit.core import Artifact, EngineError, Format, Manifest, Precision, Signature, TensorSpec, sha256_of
from toolkit.runtimes import SessionOptions, open_session

onnx = pytest.importorskip("onnx", reason="the extra [convert] is not installed")


def _model(
    folder: Path, nodes: list[object], outputs: dict[str, list[object]], *, inputs: dict[str, list[object]], **weights: np.ndarray
) -> Path:
    helper, to_array = onnx.helper, onnx.numpy_helper.from_array
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [value(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [value(name, onnx.TensorProto.INT64 if name == "where" else onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [to_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_outputs_whose_shape_depends_on_the_values(tmp_path: Path, engine: str) -> None:
    nodes = [onnx.helper.make_node("NonZero", ["x"], ["where"])]
    file = _model(tmp_path, nodes, {"where": [1, "found"]}, inputs={"x": ["n"]})
    with open_session(file, engine=engine) as session:
        for x in ([0, 1, 0, 2], [1, 1, 1, 1], [0, 0, 3, 0], [0, 1, 0, 2]):
            np.testing.assert_array_equal(session.run(np.array(x, "float32"))[0], [np.flatnonzero(x)])


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_scalars_and_unnamed_dimensions(tmp_path: Path, engine: str) -> None:
    nodes = [onnx.helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0), onnx.helper.make_node("Mul", ["x", "factor"], ["product"])]
    file = _model(tmp_path, nodes, {"sum": [], "product": [None, 3, None]}, inputs={"x": [None, 3, None], "factor": []})
    with open_session(file, engine=engine) as session:
        assert session.signature.inputs[0].shape == ("batch", 3, "dim_2")
        assert session.signature.inputs[1].shape == session.signature.outputs[0].shape == ()
        x = np.arange(12, dtype="float32").reshape(2, 3, 2)
        outputs = session.run({"x": x, "factor": np.asarray(2, "float32")})
        assert outputs["sum"].shape == ()
        assert outputs["sum"] == 66
        np.testing.assert_array_equal(outputs["product"], x * 2)


def test_many_shapes_and_large_tensors_stay_right(tmp_path: Path) -> None:
    """More shapes than buffers are kept for, and tensors that are too large for buffers at all."""
    nodes = [onnx.helper.make_node("Mul", ["x", "two"], ["y"])]
    file = _model(tmp_path, nodes, {"y": ["n", "m"]}, inputs={"x": ["n", "m"]}, two=np.full((1,), 2, "float32"))
    with open_session(file, engine="onnxruntime") as session:
        for size in (*range(1, 30), 400, 3):
            x = np.random.default_rng(size).standard_normal((size, size)).astype("float32")
            np.testing.assert_array_equal(session.run(x)[0], x * 2)


@pytest.mark.parametrize("precision", ["int8-weights", "int4-weights"])
def test_weights_in_int8_are_unpacked_once(precision: str, tmp_path: Path) -> None:
    """The optimized graph has no DequantizeLinear left, so that int8 weights cost no time in a call."""
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["packed", "scale", "zero"], ["w"], axis=0),
        onnx.helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    rng = np.random.default_rng(0)
    packed, scale = rng.integers(-127, 127, (8, 4)).astype("int8"), rng.random(8).astype("float32")
    file = _model(tmp_path, nodes, {"y": ["batch", 4]}, inputs={"x": ["batch", 8]}, packed=packed, scale=scale, zero=np.zeros(8, "int8"))
    signature = Signature((TensorSpec("x", "float32", ("batch", 8)),), (TensorSpec("y", "float32", ("batch", 4)),))
    manifest = Manifest("test", Format.ONNX, Precision.parse(precision), signature, {file.name: ""}, "test")
    x = rng.standard_normal((2, 8)).astype("float32")
    with open_session(Artifact(tmp_path, manifest), options=SessionOptions(threads=1)) as session:
        np.testing.assert_allclose(session.run(x)[0], x @ (packed * scale[:, None]), rtol=1e-4)
        assert session._session.get_session_options().get_session_config_entry("session.disable_quant_qdq") == "1"  # type: ignore[attr-defined]


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT8_DYNAMIC])
def test_sums_of_integers_are_exact_on_every_processor(tmp_path: Path, precision: Precision) -> None:
    """The largest uint8 times the largest int8: two of their products are more than the 16 bits that AVX2 has for them."""
    node = onnx.helper.make_node
    unit, zero = np.ones((), np.float32), np.zeros((), np.uint8)
    weights: dict[str, np.ndarray] = {"w": np.full((64, 10), 127, np.int8), "unit": unit, "zero": zero}
    if precision is Precision.INT8_DYNAMIC:
        nodes = [
            node("DynamicQuantizeLinear", ["x"], ["q", "scale", "middle"]),
            node("MatMulInteger", ["q", "w", "middle"], ["sum"]),
            node("Cast", ["sum"], ["y"], to=onnx.TensorProto.FLOAT),
        ]
        expected = 64 * 255 * 127
    else:
        weights |= {"none": np.zeros((), np.int8), "step": np.asarray(2**15, np.float32)}
        nodes = [
            node("QuantizeLinear", ["x", "unit", "zero"], ["q"]),
            node("DequantizeLinear", ["q", "unit", "zero"], ["xd"]),
            node("DequantizeLinear", ["w", "unit", "none"], ["wd"]),
            node("MatMul", ["xd", "wd"], ["product"]),
            node("QuantizeLinear", ["product", "step", "zero"], ["p"]),
            node("DequantizeLinear", ["p", "step", "zero"], ["y"]),
        ]
        expected = round(64 * 255 * 127 / 2**15) * 2**15
    file = _model(tmp_path, nodes, {"y": ["batch", 10]}, inputs={"x": ["batch", 64]}, **weights)
    signature = Signature((TensorSpec("x", "float32", ("batch", 64)),), (TensorSpec("y", "float32", ("batch", 10)),))
    manifest = Manifest("sums", Format.ONNX, precision, signature, {file.name: sha256_of(file)}, "by hand")
    with open_session(Artifact(tmp_path, manifest), engine="onnxruntime") as session:
        np.testing.assert_array_equal(session.run(np.full((3, 64), 255, np.float32))[0], np.full((3, 10), expected))


def test_values_that_are_no_tensors_are_refused(tmp_path: Path) -> None:
    helper = onnx.helper
    strings = helper.make_tensor_value_info("text", onnx.TensorProto.STRING, [1])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["text"], ["same"])],
        "test",
        [strings],
        [helper.make_tensor_value_info("same", onnx.TensorProto.STRING, [1])],
    )
    file = tmp_path / "model.onnx"
    file.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString())
    with pytest.raises(EngineError, match="string"):
        open_session(file, engine="onnxruntime")
