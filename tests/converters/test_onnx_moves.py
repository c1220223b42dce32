"""What only moves values stays in float between operations in float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_int8 import OnnxInt8
from toolkit.converters.edges.openvino_from_onnx import OpenvinoFromOnnx
from toolkit.converters.edges.openvino_int8 import OpenvinoInt8
from toolkit.converters.noise import ratios
from toolkit.converters.onnx_moves import moves_in_float
from toolkit.converters.quantizer import StaticQuantizer
from toolkit.core import Artifact, Format, Samples
from toolkit.pipeline.source.resolve import resolve_source


def graph() -> onnx.GraphProto:
    """``x -> pad -> first -> relu -> joined with log(first) -> second -> shift -> y``."""
    make = onnx.helper.make_node
    weights = {"a": np.eye(6, 5), "b": np.ones((10, 4))}
    nodes = [
        make("Pad", ["x", "pads"], ["padded"], name="pad"),
        make("MatMul", ["padded", "a"], ["one"], name="first"),
        make("Relu", ["one"], ["positive"], name="relu"),
        make("Sqrt", ["positive"], ["root"], name="root"),
        make("Concat", ["positive", "root"], ["both"], name="join", axis=1),
        make("MatMul", ["both", "b"], ["two"], name="second"),
        make("Reshape", ["two", "shape"], ["y"], name="shift"),
    ]
    constants = [onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    constants += [
        onnx.numpy_helper.from_array(np.array(values, np.int64), name)
        for name, values in {"pads": [0, 1, 0, 0], "shape": [-1, 2, 2]}.items()
    ]
    value, real = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    return onnx.helper.make_graph(nodes, "net", [value("x", real, ["batch", 5])], [value("y", real, ["batch", 2, 2])], constants)


@pytest.mark.parametrize(
    ("integers", "expected"),
    [
        ({"first", "second"}, {"shift"}),
        ({"second"}, {"pad", "join", "shift"}),
        ({"first"}, {"join", "shift"}),
        (set(), {"pad", "join", "shift"}),
    ],
)
def test_a_move_is_in_integers_between_integers(integers: set[str], expected: set[str]) -> None:
    assert {*moves_in_float(graph(), integers)} == expected


@pytest.fixture
def source(tmp_path: Path) -> Artifact:
    model = onnx.helper.make_model(graph(), opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, file := tmp_path / "net.onnx")
    return resolve_source(str(file), out=tmp_path / "out").place()


@pytest.mark.parametrize("quantizer", [OnnxInt8(), OpenvinoInt8()], ids=lambda each: each.name)
def test_a_file_whose_layers_all_stay_in_float_is_exact(quantizer: StaticQuantizer, source: Artifact, tmp_path: Path) -> None:
    """In ONNX Concat and Pad were rounded all the same, in OpenVINO what a root or a division reads: no layer left in float could help."""
    float_model = source if quantizer.source.format is Format.ONNX else OpenvinoFromOnnx().convert(source, tmp_path / "openvino", Recipe())
    rows = np.random.default_rng(0).uniform(0, 100, (16, 5)).astype(np.float32)
    calibrated = quantizer.calibrate(float_model, Recipe(calibration=Samples({"x": rows}, None)), tmp_path)
    calibrated.write(file := tmp_path / quantizer.target.format.file_name, [layer.name for layer in calibrated.layers])
    assert ratios(zip(calibrated.exact, calibrated.outputs(file), strict=True)) == {"y": 200}
