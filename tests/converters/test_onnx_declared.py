"""What an ONNX file declares, mended in a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from toolkit.converters.onnx import read_model
from toolkit.converters.onnx_declared import with_constants, with_shapes
from toolkit.core import ArtifactError, Signature, TensorSpec


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """``x * scale`` whose scale is an input of one number, and whose output and what is between have no shape."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "scale"], ["m"]), helper.make_node("Relu", ["m"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [None, 3]), value("scale", TensorProto.FLOAT, [])],
        [value("y", TensorProto.FLOAT, None)],
        value_info=[value("m", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "model.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_an_input_of_one_number_becomes_a_constant(file: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    made, names = with_constants(file, {"scale": 2.5, "x": 1.0}, tmp_path / "work")
    assert names == ("scale",)
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.ones((2, 3), np.float32)})
    np.testing.assert_array_equal(found, np.full((2, 3), 2.5, np.float32))


def test_a_file_without_such_an_input_is_taken_as_it_is(file: Path, tmp_path: Path) -> None:
    assert with_constants(file, {"x": 1.0}, tmp_path / "work") == (file, ())


def test_shapes_are_declared_as_they_are(file: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    inputs = (TensorSpec("x", "float32", ("batch", 3)), TensorSpec("scale", "float32", ()))
    signature = Signature(inputs, (TensorSpec("y", "float32", ("batch", 3)),))
    assert with_shapes(file, signature, tmp_path / "work")
    declared = onnx.load(tmp_path / "work" / "model.onnx").graph.output[0].type.tensor_type.shape.dim
    assert [size.dim_param or size.dim_value for size in declared] == ["batch", 3]
    assert not with_shapes(tmp_path / "work" / "model.onnx", signature, tmp_path)


def test_a_file_that_runs_goes_in_though_the_checker_complains(file: Path) -> None:
    model = onnx.load(file)
    model.graph.input[0].type.tensor_type.ClearField("shape")
    onnx.save_model(model, file)
    with pytest.raises(onnx.checker.ValidationError, match="Field 'shape' of 'type' is required"):
        onnx.checker.check_model(onnx.load(file))
    assert [node.op_type for node in read_model(file).graph.node] == ["Mul", "Relu"]


def test_a_file_that_does_not_run_either_is_refused(file: Path) -> None:
    model = onnx.load(file)
    model.graph.node[0].op_type = "Mull"
    onnx.save_model(model, file)
    with pytest.raises(ArtifactError, match="no valid ONNX model"):
        read_model(file)
