"""PRelu as simpler operators: the same to the last bit, and left in float by the quantizer as PRelu is."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from toolkit.converters.onnx_prelu import of_prelu, spell_out_prelu


def _model() -> Any:
    from onnx import TensorProto, helper, numpy_helper

    slopes = {"one": np.array([0.25], np.float32), "each": np.linspace(-0.5, 2, 3, dtype=np.float32).reshape(3, 1, 1)}
    graph = helper.make_graph(
        [helper.make_node("PRelu", ["x", "one"], ["h"], name="first"), helper.make_node("PRelu", ["h", "each"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [numpy_helper.from_array(array, name) for name, array in slopes.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_the_same_to_the_last_bit() -> None:
    spelled = _model()
    spell_out_prelu(spelled.graph)
    assert {node.op_type for node in spelled.graph.node} == {"Relu", "Min", "Mul", "Add"}
    x = np.random.default_rng(0).standard_normal((5, 3, 4, 4)).astype(np.float32) * 100
    x[0, 0, 0] = [0.0, -0.0, np.inf, -np.inf]
    own, other = (
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        for model in (_model(), spelled)
    )
    np.testing.assert_array_equal(own, other)
    assert of_prelu(spelled.graph) == [node.name for node in spelled.graph.node]
    assert of_prelu(_model().graph) == []


def test_a_graph_without_one_stays_as_it_is() -> None:
    model = _model()
    del model.graph.node[:]
    before = model.SerializeToString()
    spell_out_prelu(model.graph)
    assert model.SerializeToString() == before
