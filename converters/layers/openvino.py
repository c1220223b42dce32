"""Layers of an OpenVINO model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import Execution, Layer, size_of

_ELEMENTWISE = frozenset(
    ["Add", "Subtract", "Multiply", "SoftMax", "Softmax", "Sigmoid", "Tanh", "MVN", "AvgPool", "ReduceMean", "Interpolate"]
)
_INTEGERS = frozenset(["i8", "u8", "i4", "u4"])
_RECURRENT = ("LSTMSequence", "GRUSequence", "RNNSequence")
_TOLD = frozenset(["layerType", "runtimePrecision", "originalLayersNames"])
FLOAT_KINDS = {
    **dict.fromkeys(_RECURRENT, "recurrent layers stay float: in integers they cost several points"),
    "MatMul": "NNCF leaves products of two activations in float",
}
UNFUSED = "OpenVINO's CPU chose a float kernel"


def layers(model: Any) -> tuple[Layer, ...]:
    """The operations of an `openvino.Model` that NNCF can quantize, in order of computation, and recurrent ones."""
    one = model.clone()
    one.reshape({port: [1 if size.is_dynamic else size.get_length() for size in port.get_partial_shape()] for port in one.inputs})
    return tuple(
        Layer(node.get_friendly_name(), kind, _COUNTS[kind](node) if kind in _COUNTS else 0)
        for node in one.get_ordered_ops()
        if (kind := node.get_type_name()) in _COUNTS or (kind in _ELEMENTWISE and not _constant(node))
    )


def _constant(node: Any) -> bool:
    """Whether an operation only prepares weights: NNCF knows no such node."""
    return all(source.get_node().get_type_name() == "Constant" for source in node.input_values())


def _shape(port: Any) -> list[int]:
    return list(port.get_shape())


def _convolution(node: Any) -> int:
    return size_of(_shape(node.output(0))) * size_of(_shape(node.input(1))[1:])


def _grouped(node: Any) -> int:
    return size_of(_shape(node.output(0))) * size_of(_shape(node.input(1))[2:])


def _transposed(node: Any) -> int:
    return size_of(_shape(node.input(0))) * size_of(_shape(node.input(1))[1:])


def _product(node: Any) -> int:
    inner = _shape(node.input(0))[-2 if node.get_attributes().get("transpose_a") else -1]
    return size_of(_shape(node.output(0))) * max(inner, 1)


def _recurrent(node: Any) -> int:
    # Data, states, lengths; then the weights of the inputs and of the states, [directions, gates * hidden, size] each, and the biases.
    first = node.get_input_size() - 3
    return _shape(node.input(0))[1] * sum(size_of(_shape(node.input(port))) for port in (first, first + 1))


_COUNTS: dict[str, Callable[[Any], int]] = {
    "Convolution": _convolution,
    "GroupConvolution": _grouped,
    "ConvolutionBackpropData": _transposed,
    "MatMul": _product,
    **dict.fromkeys(_RECURRENT, _recurrent),
}


def execution(file: Path) -> Execution:
    """As OpenVINO's CPU compiles the model for this machine."""
    import openvino

    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found: set[str] = set()
    conversions = 0
    for node in compiled.get_runtime_model().get_ordered_ops():
        told = {key: value.astype(str) for key, value in node.get_rt_info().items() if key in _TOLD}
        conversions += told.get("layerType") in {"FakeQuantize", "Convert", "Reorder"}
        if told.get("runtimePrecision") in _INTEGERS:
            # A product of matrices is known by the scaling behind it alone.
            found.update(name.partition("/Dequantization")[0] for name in told.get("originalLayersNames", "").split(","))
    return Execution(frozenset(found), conversions)
