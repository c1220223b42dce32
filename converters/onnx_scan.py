"""ONNX's `Scan` as the `Loop` that computes the same: OpenVINO's reader refuses some of the former, the way by
PyTorch all, and both have rules for the latter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.formats.parts.onnx_graphs import all_graphs, inner_graphs

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_FIRST, _SIGNED = 9, 11
"""The operator set before which a Scan had rows of its own, and the one from which on axes count from the end and slices go backwards."""


def scan_as_loop(model: ModelProto) -> int:
    """Put a Loop in place of each Scan, in place; returns how many went. One that an old operator set cannot express otherwise stays, and
    one whose results go to another axis than the first where nobody says how many axes they have.
    """
    import onnx

    version = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), 0)
    if version < _FIRST or not any(node.op_type == "Scan" for graph in all_graphs(model.graph) for node in graph.node):
        return 0
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # Of a graph that it does not understand it says nothing.
        inferred = model.graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*inferred.value_info, *inferred.output)
        if value.type.tensor_type.HasField("shape")
    }
    return _rewritten(model.graph, ranks, signed=version >= _SIGNED)


def _rewritten(graph: GraphProto, ranks: dict[str, int], *, signed: bool) -> int:
    count, nodes = 0, []
    for node in graph.node:
        count += sum(_rewritten(inner, ranks, signed=signed) for inner in inner_graphs(node))
        scan = _Scan(node, ranks) if node.op_type == "Scan" and not node.domain else None
        made = scan.as_loop() if scan and (signed or scan.counts_forwards) else None
        count += made is not None
        nodes += [node] if made is None else made
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return count


class _Scan:
    """One node, and the nodes that take its place."""

    def __init__(self, node: NodeProto, ranks: dict[str, int]) -> None:
        from onnx import helper

        self._node = node
        found = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        self._body: GraphProto = found["body"]
        scanned = found["num_scan_inputs"]
        self._states, self._inputs = list(node.input[: len(node.input) - scanned]), list(node.input[len(node.input) - scanned :])
        collected = len(node.output) - len(self._states)
        self._axes = list(found.get("scan_input_axes", [0] * scanned))
        self._backwards = list(found.get("scan_input_directions", [0] * scanned))
        self._output_axes = list(found.get("scan_output_axes", [0] * collected))
        self._output_backwards = list(found.get("scan_output_directions", [0] * collected))
        self._ranks = ranks
        self._name = f"Scan/{node.output[0]}"
        self._before: list[NodeProto] = []

    @property
    def counts_forwards(self) -> bool:
        """Whether no axis counts from the end, and no result is turned."""
        return min((*self._axes, *self._output_axes), default=0) >= 0 and not any(self._output_backwards)

    def as_loop(self) -> list[NodeProto] | None:
        """The nodes; None where that cannot be told."""
        from onnx import helper

        after = self._after()
        if after is None:
            return None
        inputs = [self._add("Identity", [name], f"input_{place}") for place, name in enumerate(self._inputs)]
        axis = self._constant(np.array(self._axes[0], np.int64), "axis")
        rounds = self._add("Gather", [self._add("Shape", [inputs[0]], "sizes"), axis], "rounds", axis=0)
        last = self._add("Sub", [rounds, self._constant(np.array(1, np.int64), "one")], "last") if any(self._backwards) else ""
        always = self._constant(np.array(True), "always")
        outputs = [self._own(place) if place >= len(self._states) else name for place, name in enumerate(self._node.output)]
        loop = helper.make_node("Loop", [rounds, always, *self._states], outputs, name=self._name, body=self._round(inputs, last))
        return [*self._before, loop, *after]

    def _round(self, inputs: list[str], last: str) -> GraphProto:
        """The body: what was given to it of each input it takes itself."""
        from onnx import TensorProto, helper

        body = type(self._body).FromString(self._body.SerializeToString())
        count, going = f"{self._name}/round", f"{self._name}/going"
        index = f"{self._name}/index"
        nodes = [helper.make_node("Sub", [last, count], [index])] if last else []
        for own, name, axis, backwards in zip(list(body.input)[len(self._states) :], inputs, self._axes, self._backwards, strict=True):
            nodes.append(helper.make_node("Gather", [name, index if backwards else count], [own.name], axis=axis))
        nodes.append(helper.make_node("Identity", [going], [f"{going}_on"]))
        scalars = [
            helper.make_tensor_value_info(count, TensorProto.INT64, []),
            helper.make_tensor_value_info(going, TensorProto.BOOL, []),
        ]
        states = [type(value).FromString(value.SerializeToString()) for value in list(body.input)[: len(self._states)]]
        given = [type(value).FromString(value.SerializeToString()) for value in body.output]
        own_nodes = [type(node).FromString(node.SerializeToString()) for node in body.node]
        for values, wanted in (
            (body.input, [*scalars, *states]),
            (body.output, [helper.make_tensor_value_info(f"{going}_on", TensorProto.BOOL, []), *given]),
            (body.node, [*nodes, *own_nodes]),
        ):
            del values[:]
            values.extend(wanted)
        return body

    def _after(self) -> list[NodeProto] | None:
        """What puts the results of all rounds, which a Loop collects along the first axis, in their order and place."""
        from onnx import helper

        nodes: list[NodeProto] = []
        for place, (axis, backwards) in enumerate(zip(self._output_axes, self._output_backwards, strict=True), len(self._states)):
            name = self._node.output[place]
            rank = self._ranks.get(name, 0)
            if axis and not rank:
                return None
            if backwards:
                ends = [np.array([each], np.int64) for each in (-1, np.iinfo(np.int64).min, 0, -1)]
                words = ("start", "end", "along", "step")
                values = [self._constant(each, f"{word}_{place}") for word, each in zip(words, ends, strict=True)]
                nodes.append(helper.make_node("Slice", [self._own(place), *values], [f"{self._own(place)}/turned"]))
            found = f"{self._own(place)}/turned" if backwards else self._own(place)
            order = list(range(1, rank))
            order.insert(axis % rank if axis else 0, 0)
            nodes.append(
                helper.make_node("Transpose", [found], [name], perm=order) if axis else helper.make_node("Identity", [found], [name])
            )
        return nodes

    def _own(self, place: int) -> str:
        return f"{self._name}/collected_{place}"

    def _add(self, kind: str, inputs: list[str], word: str, **attributes: Any) -> str:
        from onnx import helper

        self._before.append(helper.make_node(kind, inputs, [f"{self._name}/{word}"], **attributes))
        return f"{self._name}/{word}"

    def _constant(self, value: np.ndarray, word: str) -> str:
        from onnx import numpy_helper

        return self._add("Constant", [], word, value=numpy_helper.from_array(value))
