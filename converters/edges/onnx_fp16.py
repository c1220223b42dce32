"""ONNX in half precision."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, without_telemetry

from ..base import Converter, Made, Node, Recipe
from ..batches import calibration_feeds
from ..half import LARGEST, Halves, few, leaves_range, write_half
from ..noise import Exact
from ..onnx import read_model, write_model
from ..onnx_ranges import reaches


class OnnxFp16(Converter):
    """Weights and computation in float16; inputs and outputs stay float32, with a cast at each border.

    Operators without a float16 kernel keep float32 by onnxruntime's own list, and so do those with weights beyond 65504, float16's largest
    number. On calibration samples, where there are some, also those whose values come near to it, and the runs of operators that lose too
    much otherwise. Weights below 6e-8 are raised to it. A transposition before a weight stays float32.
    """

    name = "onnx_fp16"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP16)
    extra = "convert"
    distributions = ("onnx", "onnxruntime")
    settings = {"keep_io_types": True, "transposed_before_weights": "float32", "beyond": "float32"}  # noqa: RUF012 - read-only
    uses_samples = True

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Made:
        without_telemetry()
        model = read_model(source.model_file)
        turned = _turned_before_a_weight(model.graph)
        names = [node.name for node in model.graph.node]
        always = {*turned, *_large_weights(model.graph)}
        samples = self.samples_of(source, recipe)
        if samples is None:
            _write(model, target, always)
            return Made()
        samples = few(samples)
        signature = source.manifest.signature

        def feeds() -> Iterator[dict[str, np.ndarray]]:
            return calibration_feeds(samples, signature)

        named = target.with_name("named.onnx")
        named.write_bytes(model.SerializeToString())
        large = {name for name, most in reaches(named, feeds()).items() if not math.isfinite(most) or most > LARGEST / 2}
        named.unlink()
        always |= {node.name for node in model.graph.node if large.intersection([*node.input, *node.output])}

        def outputs(file: Path) -> Iterator[Mapping[str, np.ndarray]]:
            return _outputs(file, feeds())

        exact = Exact(lambda: outputs(source.model_file))
        return write_half(target, Halves(names, frozenset(always), lambda file, kept: _write(model, file, kept), outputs, exact))


def _write(model: Any, target: Path, kept: Collection[str]) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    own = onnx.ModelProto()
    own.CopyFrom(model)
    half = convert_float_to_float16(own, keep_io_types=True, node_block_list=sorted(kept))
    _past_float16(half.graph)
    write_model(half, target)


def _past_float16(graph: Any) -> None:
    """Let what is in float32 on both sides pass without a cast to float16 and back, in which it would become infinite.

    The library casts one tensor twice, under one name, where two nodes that stay read it: the second goes.
    """
    seen: set[str] = set()
    nodes = []
    for node in graph.node:
        if node.op_type != "Cast" or node.output[0] not in seen:
            nodes.append(node)
        seen.update(node.output)
    direct = _there_and_back(nodes)
    for node in nodes:
        for place, name in enumerate(node.input):
            node.input[place] = direct.get(name, name)
    for node in nodes:
        if node.op_type == "Cast" and node.output[0] in direct:  # Read by nobody now, unless it is an output.
            node.op_type = "Identity"
            node.input[0] = direct[node.output[0]]
            del node.attribute[:]
    # The library appends casts behind what reads them: an order says nothing here.
    outputs = {value.name for value in graph.output}
    count = 0
    while count != len(nodes):
        count = len(nodes)
        read = outputs.union(*(node.input for node in nodes))
        nodes = [node for node in nodes if node.op_type not in {"Cast", "Identity"} or read.intersection(node.output)]
    for number, node in enumerate(nodes):
        if node.op_type == "Cast":
            node.name = f"Cast/{number}"
    del graph.node[:]
    graph.node.extend(nodes)


def _there_and_back(nodes: list[Any]) -> dict[str, str]:
    """What a tensor was before it was cast to float16 and back to float32, by its name behind."""
    from onnx import TensorProto

    def is_cast(node: Any, to: int) -> bool:
        return node.op_type == "Cast" and any(each.name == "to" and each.i == to for each in node.attribute)

    half = {node.output[0]: node.input[0] for node in nodes if is_cast(node, TensorProto.FLOAT16)}
    return {node.output[0]: half[node.input[0]] for node in nodes if is_cast(node, TensorProto.FLOAT) and node.input[0] in half}


def _outputs(file: Path, feeds: Iterator[dict[str, np.ndarray]]) -> Iterator[Mapping[str, np.ndarray]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for feed in feeds:
        yield dict(zip(names, session.run(names, feed), strict=True))


def _large_weights(graph: Any) -> set[str]:
    """The names of nodes with a weight beyond float16's range."""
    from onnx.numpy_helper import to_array

    large = {tensor.name for tensor in graph.initializer if tensor.data_type == tensor.FLOAT and leaves_range(to_array(tensor))}
    return {node.name for node in graph.node if large.intersection(node.input)}


def _turned_before_a_weight(graph: Any) -> list[str]:
    """The names of transpositions whose result is multiplied by a weight matrix; every node gets a name of its own.

    onnxruntime 1.31 crashes when it fuses such a one with a product whose weight it has just made float32 of. A recurrence over an
    image's rows that was unrolled has one.
    """
    weights = {tensor.name for tensor in graph.initializer}
    products = {node.input[0] for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
    return [node.name for node in graph.node if node.op_type == "Transpose" and node.output[0] in products]
