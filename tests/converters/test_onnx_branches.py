"""Branches that sizes decide, as torch exports a squeeze: the one that is taken stays, and what values decide is left alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from toolkit.converters.onnx_branches import fold_branches
from toolkit.core import Signature, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 3, "n")),), (TensorSpec("y", "float32", ("batch", 3)),))


def _constant(name: str, value: Any) -> Any:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value)))


def _graph(condition: list[Any], *, inner: bool = False) -> ModelProto:
    """``relu(x).squeeze(2)`` where the condition ``c`` holds, else its sum; with another such choice inside the first."""
    yes = [_constant("axis", [2]), helper.make_node("Squeeze", ["r", "axis"], ["t"])]
    no = [_constant("axis", [2]), helper.make_node("ReduceSum", ["r", "axis"], ["t"], keepdims=0)]

    def branch(nodes: list[Any], name: str) -> Any:
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)])

    choice = helper.make_node("If", ["c"], ["y"], then_branch=branch(yes, "yes"), else_branch=branch(no, "no"))
    if inner:
        again = helper.make_node("If", ["c"], ["t"], then_branch=branch(yes, "yes"), else_branch=branch(no, "no"))
        choice = helper.make_node("If", ["c"], ["y"], then_branch=branch([again], "outer"), else_branch=branch(no, "no"))
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"]), *condition, choice],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, "n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)


def _by_size() -> list[Any]:
    return [
        helper.make_node("Shape", ["r"], ["s"]),
        _constant("two", 2),
        _constant("one", 1),
        helper.make_node("Gather", ["s", "two"], ["size"]),
        helper.make_node("Equal", ["size", "one"], ["c"]),
    ]


def _run(model: ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    return np.asarray(found)


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize(("size", "kind"), [(1, "Squeeze"), (4, "ReduceSum")])
def test_the_branch_of_a_size_stays(size: int, kind: str, *, inner: bool) -> None:
    model = _graph(_by_size(), inner=inner)
    x = np.random.default_rng(0).standard_normal((5, 3, size)).astype(np.float32)
    before = _run(model, x)
    assert fold_branches(model, SIGNATURE, {"n": size}) == 1 + (inner and size == 1)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert "If" not in kinds
    assert kinds[kind] == 1
    np.testing.assert_array_equal(_run(model, x), before)


def test_what_values_decide_is_left_alone() -> None:
    condition = [
        helper.make_node("ReduceSum", ["r"], ["sum"], keepdims=0),
        _constant("zero", np.float32(0)),
        helper.make_node("Greater", ["sum", "zero"], ["c"]),
    ]
    model = _graph(condition)
    assert fold_branches(model, SIGNATURE, {"n": 1}) == 0
    assert any(node.op_type == "If" for node in model.graph.node)


def test_what_the_batch_decides_is_left_alone() -> None:
    condition = _by_size()
    condition[1] = _constant("two", 0)
    condition[2] = _constant("one", 2)
    assert fold_branches(_graph(condition), SIGNATURE, {"n": 1}) == 0
