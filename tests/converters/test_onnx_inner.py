"""Branches that read weights and values from outside are quantized around, and the files open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.engines import compute
from tests.converters.worst import worst_ratio
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_int8 import OnnxInt8
from toolkit.converters.edges.onnx_int8_dynamic import OnnxInt8Dynamic
from toolkit.converters.onnx_complete import put_in_order
from toolkit.converters.onnx_inner import own_constants
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Samples, Signature, TensorSpec, sha256_of

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 8)),), (TensorSpec("y", "float32", ("batch", 8)),))


def _model() -> Any:
    """Where the samples' sum is positive, another choice scales the hidden values by a constant of the outer graph, two branches deep; the
    choices themselves are made of the input, long before the hidden values.
    """
    from onnx import TensorProto, helper, numpy_helper

    def branch(name: str, *nodes: Any) -> Any:
        return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)])

    def scaled(by: str, made: str) -> Any:
        return branch(f"by_{by}", helper.make_node("Mul", ["hidden", by], [made]))

    inner = helper.make_node("If", ["large"], ["i"], then_branch=scaled("three", "a"), else_branch=scaled("two", "b"))
    outer = helper.make_node("If", ["positive"], ["o"], then_branch=branch("yes", inner), else_branch=scaled("half", "c"))
    random = np.random.default_rng(0)
    weights = {"w": random.uniform(-1, 1, (8, 8)), "v": random.uniform(-1, 1, (8, 8)), "zero": 0.0, "ten": 10.0}
    weights |= {"three": 3.0, "two": 2.0, "half": 0.5}
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"]),
        helper.make_node("Greater", ["sum", "ten"], ["large"]),
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Relu", ["p"], ["hidden"]),
        outer,
        helper.make_node("MatMul", ["o", "v"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "branches",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8])],
        [numpy_helper.from_array(np.array(array, np.float32), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def branches(tmp_path: Path) -> Artifact:
    import onnx

    folder = tmp_path / "source"
    folder.mkdir()
    onnx.save(_model(), folder / "model.onnx")
    files = {"model.onnx": sha256_of(folder / "model.onnx")}
    (folder / MANIFEST).write_bytes(Manifest("branches", Format.ONNX, Precision.FP32, SIGNATURE, files, "import").to_json())
    return Artifact.load(folder)


@pytest.mark.parametrize("quantizer", [OnnxInt8(), OnnxInt8Dynamic()], ids=lambda one: one.name)
def test_branches_that_read_from_outside(quantizer: OnnxInt8 | OnnxInt8Dynamic, branches: Artifact, tmp_path: Path) -> None:
    """The constants of the innermost branch were removed, for no node of the outer graph reads them: silero-vad's int8 did not open."""
    x = np.random.default_rng(1).standard_normal((64, 8)).astype(np.float32)
    recipe = Recipe(
        Samples({"x": np.concatenate([np.abs(x), -np.abs(x), x * 0 + 0.1])}) if quantizer.target.precision.is_calibrated else None
    )
    made = quantizer.convert(branches, tmp_path / "int8", recipe)
    for feed in (np.abs(x[32:]), x[32:33] * 0 + 0.1, -np.abs(x[32:])):
        found = [(compute(branches, {"x": feed}), compute(made, {"x": feed}))]
        assert worst_ratio(found) > 12


def test_each_inner_graph_has_its_own_constants() -> None:
    model = _model()
    own_constants(model.graph)
    yes = next(each.g for each in model.graph.node[5].attribute if each.name == "then_branch")
    deep = [{tensor.name for tensor in each.g.initializer} for each in yes.node[0].attribute]
    assert sorted(name.partition("/")[0] for names in deep for name in names) == ["three", "two"]
    assert not yes.initializer, "it reads none itself"


def test_nodes_come_after_what_their_branches_read() -> None:
    from onnx import checker

    model = _model()
    names = [node.output[0] for node in model.graph.node]
    put_in_order(model.graph)
    assert [node.output[0] for node in model.graph.node] == names, "what is in order stays"
    branch = model.graph.node[5]
    copy = type(branch).FromString(branch.SerializeToString())
    del model.graph.node[5]
    model.graph.node.insert(2, copy)
    with pytest.raises(checker.ValidationError):
        checker.check_model(model, full_check=True)
    put_in_order(model.graph)
    checker.check_model(model, full_check=True)
    found = [node.output[0] for node in model.graph.node]
    assert found.index("o") > max(found.index("hidden"), found.index("large"))
    assert sorted(found) == sorted(names)
