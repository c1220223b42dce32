"""Files that ONNX Runtime runs and `onnx.checker` refuses go through the edges that start at ONNX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="the extra [convert] is not installed")

from onnx import helper  # noqa: E402

from toolkit.converters.base import Recipe  # noqa: E402
from toolkit.converters.onnx import read_model  # noqa: E402
from toolkit.converters.onnx_complete import complete  # noqa: E402
from toolkit.converters.planner import all_converters  # noqa: E402
from toolkit.converters.task import convert_isolated  # noqa: E402
from toolkit.core import ArtifactError, Samples  # noqa: E402
from toolkit.pipeline.source.resolve import resolve_source  # noqa: E402
from toolkit.runtimes import open_session  # noqa: E402

FLOAT = onnx.TensorProto.FLOAT
ROWS = np.random.default_rng(0).standard_normal((256, 6)).astype(np.float32)
X = ROWS[:8]


def network() -> Any:
    """Two products; the output and the tensor between have a type and no shape, as in files that were cut out of a larger graph."""
    draw = np.random.default_rng(1)
    weights = [
        onnx.numpy_helper.from_array(draw.standard_normal(shape).astype(np.float32), name) for name, shape in (("a", (6, 8)), ("b", (8, 4)))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", FLOAT, ["batch", 6])],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        weights,
        value_info=[helper.make_tensor_value_info("h", FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def without_shape(model: Any) -> None:
    """As `network` makes it."""


def without_type(model: Any) -> None:
    model.graph.output[0].type.Clear()


def without_name(model: Any) -> None:
    model.graph.name = ""


def out_of_order(model: Any) -> None:
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(model.graph.node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def with_a_fixed_size(model: Any) -> None:
    """By ONNX Runtime's own tool, which leaves outputs that had no shape without one."""
    from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

    make_dim_param_fixed(model.graph, "batch", 8)


@pytest.mark.parametrize("spoil", [without_shape, without_type, without_name, out_of_order, with_a_fixed_size])
def test_what_runs_is_read(tmp_path: Path, spoil: Callable[[Any], None]) -> None:
    model, file = network(), tmp_path / "net.onnx"
    spoil(model)
    onnx.save(model, file)
    with pytest.raises(onnx.checker.ValidationError):
        onnx.checker.check_model(model)
    with open_session(file) as session:
        expected = session.run({"x": X})["y"]
    read = read_model(file)
    assert [node.op_type for node in read.graph.node] == ["MatMul", "Relu", "MatMul"]
    sizes = [size.dim_value or size.dim_param for size in read.graph.output[0].type.tensor_type.shape.dim]
    assert sizes == [8 if spoil is with_a_fixed_size else "batch", 4]
    onnx.save(read, tmp_path / "read.onnx")
    with open_session(tmp_path / "read.onnx") as session:
        np.testing.assert_array_equal(session.run({"x": X})["y"], expected)


@pytest.mark.parametrize("name", ["onnx_fp16", "onnx_int8", "onnx_int8_weights", "openvino_from_onnx"])
def test_such_a_file_is_converted(tmp_path: Path, name: str) -> None:
    model = network()
    out_of_order(model)
    onnx.save(model, tmp_path / "net.onnx")
    source = resolve_source(str(tmp_path / "net.onnx"), out=tmp_path / "out").place()
    converter = next(each for each in all_converters() if each.name == name)
    made = convert_isolated(converter, source, tmp_path / "made", Recipe(calibration=Samples({"x": ROWS}, origin="drawn")))
    with open_session(source.model_file) as reference, open_session(made.model_file) as session:
        expected = reference.run({"x": X})["y"]
        error = np.linalg.norm(session.run({"x": X})["y"] - expected)
    assert error < 0.25 * np.linalg.norm(expected)


def test_a_graph_that_is_complete_stays_as_it_is() -> None:
    model = onnx.shape_inference.infer_shapes(network())
    before = model.SerializeToString()
    complete(model)
    assert model.SerializeToString() == before


def test_a_branch_is_computed_after_what_it_reads_from_outside() -> None:
    inner = helper.make_graph([helper.make_node("Relu", ["h"], ["i"])], "inner", [], [helper.make_tensor_value_info("i", FLOAT, None)])
    nodes = [
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
        helper.make_node("Neg", ["x"], ["h"]),
    ]
    y = helper.make_tensor_value_info("y", FLOAT, [2])
    model = helper.make_model(helper.make_graph(nodes, "net", [], [y]))
    complete(model)
    assert [node.op_type for node in model.graph.node] == ["Neg", "If"]


def test_a_circle_is_refused(tmp_path: Path) -> None:
    model = network()
    model.graph.node[0].input[0] = "y"
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(ArtifactError, match="is no valid ONNX model"):
        read_model(tmp_path / "net.onnx")
