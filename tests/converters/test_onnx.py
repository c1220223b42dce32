"""What is done to an ONNX file before it is quantized."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.converters.engines import compute
from tests.converters.worst import worst_ratio
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_int8 import OnnxInt8
from toolkit.converters.edges.onnx_int8_dynamic import OnnxInt8Dynamic
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Samples, Signature, TensorSpec, sha256_of


@pytest.fixture
def normalizations(tmp_path: Path) -> Artifact:
    """Two products of matrices, each with a normalization behind it; all share their weights as torch's exporter writes equal ones, and
    no node has a name.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = {"scale": np.ones(8), "shift": np.full(8, 0.1), "matrix": np.random.default_rng(0).uniform(-1, 1, (8, 8))}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "matrix"], ["a"]),
            helper.make_node("LayerNormalization", ["a", "scale", "shift"], ["b"]),
            helper.make_node("MatMul", ["b", "matrix"], ["c"]),
            helper.make_node("LayerNormalization", ["c", "scale", "shift"], ["y"]),
        ],
        "normalizations",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    folder = tmp_path / "source"
    folder.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "model.onnx")
    signature = Signature((TensorSpec("x", "float32", ("batch", 8)),), (TensorSpec("y", "float32", ("batch", 8)),))
    files = {"model.onnx": sha256_of(folder / "model.onnx")}
    (folder / MANIFEST).write_bytes(Manifest("small", Format.ONNX, Precision.FP32, signature, files, "import").to_json())
    return Artifact.load(folder)


@pytest.mark.parametrize("quantizer", [OnnxInt8(), OnnxInt8Dynamic()], ids=lambda one: one.name)
def test_weights_of_normalizations_may_be_one(quantizer: OnnxInt8 | OnnxInt8Dynamic, normalizations: Artifact, tmp_path: Path) -> None:
    """onnxruntime rewrote the shared one for each reader under one name, and stopped: no valid graph."""
    x = np.random.default_rng(1).standard_normal((64, 8)).astype(np.float32)
    recipe = Recipe(Samples({"x": x[:32]}) if quantizer.target.precision.is_calibrated else None)
    made = quantizer.convert(normalizations, tmp_path / "int8", recipe)
    feed = {"x": x[32:]}
    assert worst_ratio([(compute(normalizations, feed), compute(made, feed))]) > 20


def test_a_node_without_a_name_can_stay_in_float(normalizations: Artifact, tmp_path: Path) -> None:
    calibrated = OnnxInt8().calibrate(normalizations, Recipe(Samples({"x": np.ones((4, 8), np.float32)})), tmp_path)
    names = [layer.name for layer in calibrated.layers]
    assert [name.partition("_")[0] for name in names] == ["MatMul"] * 2
    assert len(set(names)) == 2


def test_biases_with_two_dimensions_and_weights_with_one(tmp_path: Path) -> None:
    """onnxruntime's quantizer stopped at the first ("truth value of an array is ambiguous"), and wrote no valid graph of the second."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {"matrix": random.normal(size=(8, 8)), "bias": random.normal(size=(1, 8)), "vector": random.normal(size=8)}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "matrix"], ["a"]),
            helper.make_node("Add", ["a", "bias"], ["b"]),
            helper.make_node("MatMul", ["b", "vector"], ["y"]),
        ],
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()],
    )
    folder = tmp_path / "source"
    folder.mkdir()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "model.onnx")
    signature = Signature((TensorSpec("x", "float32", ("batch", 8)),), (TensorSpec("y", "float32", ("batch",)),))
    files = {"model.onnx": sha256_of(folder / "model.onnx")}
    (folder / MANIFEST).write_bytes(Manifest("small", Format.ONNX, Precision.FP32, signature, files, "import").to_json())
    x = random.normal(size=(64, 8)).astype(np.float32)
    source = Artifact.load(folder)
    made = OnnxInt8().convert(source, tmp_path / "int8", Recipe(Samples({"x": x[:32]})))
    assert worst_ratio([(compute(source, {"x": x[32:]}), compute(made, {"x": x[32:]}))]) > 20
