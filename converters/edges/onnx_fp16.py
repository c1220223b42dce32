"""ONNX in half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Format, Precision, Signature, without_telemetry

from ..base import Converter, Node, Recipe
from ..onnx import read_model, write_model


class OnnxFp16(Converter):
    """Weights and computation in float16; inputs and outputs stay float32, with a cast at each border.

    Operators without a float16 kernel keep float32 by onnxruntime's own list. Weights beyond 65504, float16's largest number,
    are cut to it, and those below 6e-8 are raised to it. A transposition before a weight stays float32.
    """

    name = "onnx_fp16"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP16)
    extra = "convert"
    distributions = ("onnx", "onnxruntime")
    settings = {"keep_io_types": True, "transposed_before_weights": "float32"}  # noqa: RUF012 - declared as a read-only mapping in the base class

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        without_telemetry()
        from onnxruntime.transformers.float16 import convert_float_to_float16

        model = read_model(source.model_file)
        half = convert_float_to_float16(model, keep_io_types=True, node_block_list=_turned_before_a_weight(model.graph))
        write_model(half, target)
        return None


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
