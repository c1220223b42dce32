"""An OpenVINO model as the engine reads it, and its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base import Layer, elements
from .openvino_core import openvino_core

_ELEMENTWISE = frozenset(
    ["Add", "Subtract", "Multiply", "SoftMax", "Softmax", "Sigmoid", "Tanh", "MVN", "AvgPool", "ReduceMean", "Interpolate"]
)
_FREE_SIZES = (1, 32, 256, 2048, 16384, 131072)
_RECURRENT = ("LSTMSequence", "GRUSequence", "RNNSequence")


def read_model(file: Path, *, fold: bool = True) -> Any:
    """The `openvino.Model` in a file that OpenVINO reads, with its constants folded; not so where those are integers that shall stay.

    Read by OpenVINO's core and not by its ``convert_model``, which reports to its maker how it was called.
    """
    model = openvino_core().read_model(file)
    from openvino.passes import ConstantFolding, Manager

    if not fold:
        return model
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    return model


def openvino_layers(model: Any, shapes: Mapping[str, Sequence[int]] | None = None) -> tuple[Layer, ...]:
    """The operations of an `openvino.Model` that NNCF can quantize, in order of computation, and recurrent ones.

    Their products are counted for inputs of the `shapes`, else for one row and the least numbers that the network takes for its free sizes;
    where it takes none of those, nobody knows how many there are, and they are 0.
    """
    numbered = _numbered(model, shapes or {})
    counts = _COUNTS if numbered else {}
    return tuple(
        Layer(node.get_friendly_name(), kind, counts[kind](node) if kind in counts else 0)
        for node in (numbered or model).get_ordered_ops()
        if (kind := node.get_type_name()) in _COUNTS or (kind in _ELEMENTWISE and not _constant(node))
    )


def _numbered(model: Any, shapes: Mapping[str, Sequence[int]]) -> Any:
    """A copy for those shapes, else for one row with numbers for its free sizes: a window of 512 samples is in none of 256. None where no
    numbers fit.
    """
    own = [(port, port.get_partial_shape()) for port in model.inputs]
    squares = [[[_number(size, free if axis else 1) for axis, size in enumerate(shape)] for _, shape in own] for free in _FREE_SIZES]
    named = [next((name for name in port.get_names() if name in shapes), None) for port, _ in own]
    given = [list(shapes[name]) for name in named if name is not None]
    for sizes in [*([given] if len(given) == len(own) else []), *squares]:
        one = model.clone()
        try:
            one.reshape(dict(zip(one.inputs, sizes, strict=True)))
            return one
        except RuntimeError:
            continue
    return None


def _number(size: Any, free: int) -> int:
    return free if size.is_dynamic else int(size.get_length())


def _constant(node: Any) -> bool:
    """Whether an operation only prepares weights: NNCF knows no such node."""
    return all(source.get_node().get_type_name() == "Constant" for source in node.input_values())


def _shape(port: Any) -> list[int]:
    return list(port.get_shape())


def _convolution(node: Any) -> int:
    return elements(_shape(node.output(0))) * elements(_shape(node.input(1))[1:])


def _grouped(node: Any) -> int:
    return elements(_shape(node.output(0))) * elements(_shape(node.input(1))[2:])


def _transposed(node: Any) -> int:
    return elements(_shape(node.input(0))) * elements(_shape(node.input(1))[1:])


def _product(node: Any) -> int:
    inner = _shape(node.input(0))[-2 if node.get_attributes().get("transpose_a") else -1]
    return elements(_shape(node.output(0))) * max(inner, 1)


def _recurrent(node: Any) -> int:
    # Data, states, lengths; then the weights of the inputs and of the states, [directions, gates * hidden, size] each, and the biases.
    first = node.get_input_size() - 3
    return _shape(node.input(0))[1] * sum(elements(_shape(node.input(port))) for port in (first, first + 1))


_COUNTS: dict[str, Callable[[Any], int]] = {
    "Convolution": _convolution,
    "GroupConvolution": _grouped,
    "ConvolutionBackpropData": _transposed,
    "MatMul": _product,
    **dict.fromkeys(_RECURRENT, _recurrent),
}
