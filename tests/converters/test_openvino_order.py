"""A session finds inputs and outputs by position, a reader leaves them in the order of its file."""

from __future__ import annotations

import pytest

from toolkit.converters.openvino import import_openvino, in_order
from toolkit.core import ConversionError, Signature, TensorSpec


def _signature(*outputs: str) -> Signature:
    return Signature(
        (TensorSpec("x", "float32", (2,)), TensorSpec("y", "float32", (3,))), tuple(TensorSpec(n, "float32", (2,)) for n in outputs)
    )


def test_inputs_and_outputs_come_in_the_signatures_order() -> None:
    openvino = import_openvino()
    from openvino import opset13 as opset

    y, x = (opset.parameter([size], openvino.Type.f32, name=name) for size, name in ((3, "y"), (2, "x")))
    results = []
    for node, name in ((opset.relu(y), "b"), (opset.relu(x), "a")):
        node.output(0).get_tensor().set_names({name})
        results.append(opset.result(node))
    for parameter, name in ((y, "y"), (x, "x")):
        parameter.output(0).get_tensor().set_names({name})
    model = openvino.Model(results, [y, x], "net")
    assert [port.get_any_name() for port in (*model.inputs, *model.outputs)] == ["y", "x", "b", "a"]
    turned = in_order(model, _signature("a", "b"))
    assert [port.get_any_name() for port in (*turned.inputs, *turned.outputs)] == ["x", "y", "a", "b"]
    with pytest.raises(ConversionError, match="OpenVINO has other names"):
        in_order(turned, _signature("a", "c"))
