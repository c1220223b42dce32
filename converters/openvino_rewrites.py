"""What OpenVINO's reader of ONNX does not take as it stands, in operators that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.formats.parts.onnx_graphs import inner_graphs

from .onnx_fourier import stft_as_convolution
from .onnx_scan import scan_as_loop

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto


def rewrite(model: ModelProto) -> bool:
    """Change, in place, what OpenVINO would refuse; returns whether anything was: `STFT` of sizes that are free, `Scan`, and loops that
    hand on a value as it came.
    """
    return sum([stft_as_convolution(model), scan_as_loop(model), _own_states(model.graph)]) > 0


def _own_states(graph: GraphProto) -> int:
    """Let no loop give out an input of its round as it is, as tf2onnx writes the weights of a recurrence: the reader counts it twice."""
    from onnx import helper

    count = 0
    for node in graph.node:
        for inner in inner_graphs(node):
            count += _own_states(inner)
            given = {each.name for each in inner.input} if node.op_type == "Loop" else set()
            for place, output in enumerate(inner.output):
                if output.name in given:
                    name = f"{output.name}/given_{place}"
                    inner.node.append(helper.make_node("Identity", [output.name], [name]))
                    output.name = name
                    count += 1
    return count
