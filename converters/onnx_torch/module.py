"""The module, and how constants are kept apart from what depends on the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import ConversionError, Signature
from toolkit.formats.parts.onnx_graphs import all_graphs

from ..onnx_fourier import stft_as_convolution
from ..onnx_scan import scan_as_loop
from . import elementwise, layers, recurrent, resize, shapes, sums
from .base import LONGEST, OPERATORS, Node, Value, tensor

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_MODULES = (elementwise, layers, recurrent, resize, shapes, sums)
"""Imported for what they register."""
_CONTROL = frozenset({"If", "Loop"})
_READS_NUMBERS = frozenset({"Resize", "Upsample"})
"""What looks at the numbers of a constant itself."""
_NEVER = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"})


def OnnxModule(model: ModelProto, signature: Signature) -> Any:  # noqa: N802 - a class, whose base is imported here
    """The graph as a `torch.nn.Module` from tensors in the signature's order to a tuple of them.

    Raises:
        ConversionError: when it is called, for an operator that has no equivalent here, by its name and the node's.
    """
    import onnx.inliner
    import torch

    model = onnx.inliner.inline_local_functions(model)
    stft_as_convolution(model)
    scan_as_loop(model)
    inputs, outputs = [[spec.name for spec in specs] for specs in (signature.inputs, signature.outputs)]

    class Module(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.training = False
            self.values = _Values(model, self)

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            found = self.values.run(model.graph, dict(zip(inputs, tensors, strict=True)))
            return tuple(tensor(found[name]) for name in outputs)

    return Module()


class _Values:
    """Runs graphs. Weights are buffers of `owner`, so that programs traced at other sizes share them."""

    def __init__(self, model: ModelProto, owner: Any) -> None:
        self._opsets, self._ir_version = list(model.opset_import), model.ir_version
        self._owner = owner
        self._weights: dict[int, tuple[GraphProto, dict[str, np.ndarray]]] = {}
        self._buffers: dict[int, str] = {}
        for array in (each for graph in all_graphs(model.graph) for each in self._constants(graph).values()):
            if array.dtype.kind == "f" and array.size > 1:
                self._buffers[id(array)] = f"weight_{len(self._buffers)}"
                owner.register_buffer(self._buffers[id(array)], tensor(array))

    def run(self, graph: GraphProto, values: dict[str, Value]) -> dict[str, Value]:
        """Every value of the graph by name, from those of its inputs and of the graph around it."""
        values |= self._constants(graph)
        for proto in graph.node:
            results = self._node(proto, values)
            values.update({name: result for name, result in zip(proto.output, results, strict=False) if name})
        return values

    def _constants(self, graph: GraphProto) -> dict[str, np.ndarray]:
        import onnx

        if id(graph) not in self._weights:  # The graph is kept, else its number could be given to another one.
            self._weights[id(graph)] = graph, {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
        return self._weights[id(graph)][1]

    def _node(self, proto: NodeProto, values: Mapping[str, Value]) -> Sequence[Value]:
        import onnx

        node = Node(
            type=proto.op_type,
            name=proto.name or (proto.output[0] if proto.output else ""),
            attributes={each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute},
            outputs=max((place + 1 for place, name in enumerate(proto.output) if name), default=0),
        )
        inputs: list[Value] = [values[name] if name else None for name in proto.input]
        if proto.op_type in _CONTROL and not proto.domain:
            return self._branch(node, inputs, values) if proto.op_type == "If" else self._loop(node, inputs, values)
        if node.type == "Shape" and not proto.domain:
            sizes = list(inputs[0].shape)
            return [np.array(sizes[node.get("start", 0) : node.get("end", len(sizes))], np.int64)]
        if node.type == "Size" and not proto.domain:
            return [np.array(int(np.prod(inputs[0].shape)), np.int64)]
        if node.type not in _NEVER and all(value is None or isinstance(value, np.ndarray | np.generic) for value in inputs):
            return self._computed(proto, inputs)
        known = OPERATORS.get(node.type) if proto.domain in {"", "ai.onnx"} else None
        if known is None:
            domain = f"{proto.domain}." if proto.domain else ""
            raise ConversionError(f"{domain}{node.type} ('{node.name}') has no equivalent in torch here")
        try:
            result = known(node, *(inputs if node.type in _READS_NUMBERS else self._shared(inputs)))
        except ConversionError:
            raise
        except Exception as error:
            raise ConversionError(f"{node.type} ('{node.name}') cannot be done in torch: {str(error).splitlines()[0][:200]}") from error
        return result if isinstance(result, tuple) else [result]

    def _shared(self, inputs: Sequence[Value]) -> list[Value]:
        """The inputs, with the buffer in place of a weight."""
        return [getattr(self._owner, self._buffers[id(value)]) if id(value) in self._buffers else value for value in inputs]

    def _computed(self, proto: NodeProto, inputs: Sequence[Value]) -> Sequence[Value]:
        """What a node gives whose inputs are all constants."""
        import onnx
        from onnx.reference import ReferenceEvaluator

        given = {name: np.asarray(value) for name, value in zip(proto.input, inputs, strict=True) if name}
        graph = onnx.helper.make_graph(
            [proto],
            "constant",
            [
                onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(each.dtype), None)
                for name, each in given.items()
            ],
            [onnx.helper.make_empty_tensor_value_info(name) for name in proto.output if name],
        )
        evaluator = ReferenceEvaluator(onnx.helper.make_model(graph, opset_imports=self._opsets, ir_version=self._ir_version))
        found = iter(evaluator.run(None, given))
        return [np.asarray(next(found)) if name else None for name in proto.output]

    def _branch(self, node: Node, inputs: Sequence[Value], values: Mapping[str, Value]) -> Sequence[Value]:
        if not isinstance(inputs[0], np.ndarray | np.generic):
            raise node.cannot("its condition depends on the values of the inputs")
        graph = node.attributes["then_branch" if bool(np.all(inputs[0])) else "else_branch"]
        found = self.run(graph, dict(values))
        return [found[output.name] for output in graph.output]

    def _loop(self, node: Node, inputs: Sequence[Value], values: Mapping[str, Value]) -> Sequence[Value]:
        import torch

        most, going, *state = inputs
        body = node.attributes["body"]
        if not isinstance(most, np.ndarray | np.generic) or int(np.ravel(most)[0]) > LONGEST:
            raise node.cannot(f"expected a number of rounds that is known, at most {LONGEST}")
        scanned: list[list[Any]] = [[] for _ in body.output[1 + len(state) :]]
        for round_ in range(int(np.ravel(most)[0])):
            if going is not None and not isinstance(going, np.ndarray | np.generic):
                raise node.cannot("its condition depends on the values of the inputs")
            if going is not None and not bool(np.all(going)):
                break
            names = [each.name for each in body.input]
            given = dict(zip(names, [np.array(round_, np.int64), np.array(True) if going is None else going, *state], strict=True))
            found = self.run(body, {**values, **given})
            going, *results = [found[output.name] for output in body.output]
            state = results[: len(state)]
            for row, result in zip(scanned, results[len(state) :], strict=True):
                row.append(result)
        if any(not row for row in scanned):
            raise node.cannot("it collects the results of no rounds")
        return [*state, *(torch.stack([tensor(each) for each in row]) for row in scanned)]
