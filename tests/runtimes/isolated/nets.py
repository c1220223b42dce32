"""Small ONNX files that end their engine, or keep it busy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

SMALLEST = np.iinfo(np.int64).min


def write(
    file: Path, nodes: Sequence[object], inputs: Sequence[object], outputs: Sequence[object], constants: Mapping[str, np.ndarray]
) -> Path:
    """A graph as a file."""
    import onnx
    from onnx import helper, numpy_helper

    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    return file


def gather(file: Path, *, row: int) -> Path:
    """``x[row]`` of ``x: [4, 4]``. OpenVINO does not compare `row`, which may be any number in a damaged file, with the rows there are."""
    from onnx import TensorProto, helper

    return write(
        file,
        [helper.make_node("GatherND", ["x", "row"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        {"row": np.array([[row]])},
    )


def gather_of_constants(file: Path, *, row: int) -> Path:
    """``x + table[row]``, which OpenVINO computes while it opens the file."""
    from onnx import TensorProto, helper

    return write(
        file,
        [helper.make_node("GatherND", ["table", "row"], ["found"]), helper.make_node("Add", ["x", "found"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        {"row": np.array([[row]]), "table": np.ones((4, 4), np.float32)},
    )


def quotient(file: Path) -> Path:
    """``a // b`` of int64 numbers: onnxruntime refuses to divide by 0, and a processor of Intel's or AMD's ends it at `SMALLEST` // -1."""
    from onnx import TensorProto, helper

    return write(
        file,
        [helper.make_node("Div", ["a", "b"], ["c"])],
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["n"]) for name in "ab"],
        [helper.make_tensor_value_info("c", TensorProto.INT64, ["n"])],
        {},
    )


def countdown(file: Path) -> Path:
    """``x + turns`` of ``turns: [1] int64`` and ``x: [n] float32``, where the turns are counted one by one, a million in about a second."""
    from onnx import TensorProto, helper

    body = helper.make_graph(
        [helper.make_node("Add", ["before", "one"], ["after"]), helper.make_node("Identity", ["going"], ["goes_on"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1]),
        ],
        [helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []), helper.make_tensor_value_info("after", TensorProto.FLOAT, [1])],
    )
    nodes = [
        helper.make_node("Squeeze", ["turns"], ["most"]),
        helper.make_node("Loop", ["most", "", "zero"], ["count"], body=body),
        helper.make_node("Add", ["x", "count"], ["y"]),
    ]
    return write(
        file,
        nodes,
        [helper.make_tensor_value_info("turns", TensorProto.INT64, [1]), helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        {"zero": np.zeros(1, np.float32), "one": np.ones(1, np.float32)},
    )


def places(file: Path) -> Path:
    """Where ``x: [n] float32`` is not 0: how many there are is in no shape of the input."""
    from onnx import TensorProto, helper

    return write(
        file,
        [helper.make_node("NonZero", ["x"], ["places"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("places", TensorProto.INT64, [1, "found"])],
        {},
    )
