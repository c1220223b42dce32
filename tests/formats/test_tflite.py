"""TF Lite files read by the toolkit's own schema, compared with the one that LiteRT's package brings."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest

from tests.formats.test_contract import DATA
from toolkit.core import ArtifactError
from toolkit.formats.parts.tflite_names import OPERATORS, TYPES
from toolkit.formats.tflite import check_tflite, output_tensors, read_graph, read_graphs

NAMES = ["fp32", "fp16", "int8"]


@pytest.mark.parametrize("precision", NAMES)
def test_what_is_read_is_what_litert_reads(precision: str) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the extra [tflite] is not installed")
    file = DATA / "0.1.0" / "perceptron" / f"tflite-{precision}" / "model.tflite"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(file.read_bytes()))
    graphs = read_graphs(file)
    assert len(graphs) == len(model.subgraphs) == 2
    assert read_graph(file) == graphs[model.signatureDefs[0].subgraphIndex]
    assert output_tensors(file) == {entry.name.decode(): entry.tensorIndex for entry in model.signatureDefs[0].outputs}
    types = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
    kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    for graph, theirs in zip(graphs, model.subgraphs, strict=True):
        assert list(graph.inputs) == list(theirs.inputs)
        assert list(graph.outputs) == list(theirs.outputs)
        for tensor, own in zip(graph.tensors, theirs.tensors, strict=True):
            assert tensor.name == own.name.decode()
            assert tensor.type == types[own.type]
            assert list(tensor.shape) == ([] if own.shape is None else list(own.shape))
            scale = own.quantization.scale if own.quantization else None
            assert tensor.has_scale == (scale is not None and len(scale) > 0)
            assert tensor.zero_point == (int(own.quantization.zeroPoint[0]) if tensor.has_scale else 0)
            buffer = model.buffers[own.buffer]
            assert tensor.is_constant == (buffer.data is not None or bool(buffer.offset))
        for node, operator in zip(graph.nodes, theirs.operators, strict=True):
            assert node.type == kinds[model.operatorCodes[operator.opcodeIndex].builtinCode]
            assert (list(node.inputs), list(node.outputs)) == (list(operator.inputs), list(operator.outputs))


def test_the_names_are_those_of_the_schema() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the extra [tflite] is not installed")
    for ours, theirs in ((OPERATORS, schema.BuiltinOperator), (TYPES, schema.TensorType)):
        numbers = {name: value for name, value in vars(theirs).items() if not name.startswith("_")}
        known = {name: numbers[name] for name in ours if name in numbers}
        assert known == {name: place for place, name in enumerate(ours) if name in numbers}
        assert len(known) > 0.9 * len(ours)


def test_a_list_in_which_every_entry_is_the_same_table_costs_no_more_than_its_bytes(tmp_path: Path) -> None:
    """Each of 20,000 graphs is one and the same, which has 20,000 times the same tensor: 400 million tables where each is walked again."""
    count = 20_000

    def listing(target: int) -> bytes:
        return struct.pack("<I", count) + b"".join(struct.pack("<I", (target - 4 - 4 * entry) % 2**32) for entry in range(count))

    # Each a directory and the table behind it: the model has graphs in its place 2, the graph tensors in its place 0, the tensor nothing.
    model = struct.pack("<5H2x", 10, 8, 0, 0, 4) + struct.pack("<iI", 12, 4)
    graph = struct.pack("<3H2x", 6, 8, 4) + struct.pack("<iI", 8, 4)
    tensor = struct.pack("<2H", 4, 4) + struct.pack("<i", 4)
    size = 4 + 4 * count
    graphs = listing(size + 8)
    tensors = listing(size + 4)
    content = struct.pack("<I4s", 8 + 12, b"TFL3") + model + graphs + graph + tensors + tensor
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    start = time.perf_counter()
    check_tflite(file)
    assert time.perf_counter() - start < 5
    file.write_bytes(content[:-2])
    with pytest.raises(ArtifactError, match="not whole"):
        check_tflite(file)
