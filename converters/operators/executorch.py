"""Operators of an ExecuTorch program, read by the schemas that come with the package; nothing of it is imported."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from toolkit.core import ArtifactError, Operators, needs

from ._flatbuffer import Schema, Table

_CONVERSION = "XNNConvert"
_INTEGER = range(3, 12)
"""XNNPACK's types of integers with a scale: qint8 to qpint8."""


def operators(file: Path) -> Operators:
    """The calls of the first method by their operator, and in place of each call of XNNPACK the operators of its graph.

    Quantized is an operator of XNNPACK that reads or writes integers with a scale.
    """
    content = file.read_bytes()
    if content[4:8] != b"ET12":
        got = "0 bytes" if not content else "another kind of file"
        raise ArtifactError(f"'{file}' is no ExecuTorch program", expected="a flatbuffer marked ET12", got=got)
    program = Table.root(_schema("schema/program.fbs"), "Program", content)
    plan = program.all("execution_plan")[0]
    names, delegates = plan.all("operators"), plan.all("delegates")
    xnnpack = _schema("backends/xnnpack/serialization/schema.fbs")
    types: Counter[str] = Counter()
    quantized = 0
    for chain in plan.all("chains"):
        for instruction in chain.all("instructions"):
            kind, call = instruction.member("instr_args")
            if kind == "KernelCall":
                types[names[call.number("op_index")].text("name")] += 1
            elif kind == "DelegateCall":
                delegate = delegates[call.number("delegate_index")]
                if delegate.text("id") == "XnnpackBackend":
                    found, integers = _graph(xnnpack, _blob(program, delegate, content))
                    types += found
                    quantized += integers
                else:
                    types[delegate.text("id")] += 1
    return Operators(types.total(), quantized, dict(sorted(types.items())))


def _schema(name: str) -> Schema:
    with needs("executorch"):
        spec = find_spec("executorch")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the package executorch holds the schema of its files", name="executorch")
    return Schema((Path(next(iter(spec.submodule_search_locations))) / name).read_text())


def _blob(program: Table, delegate: Table, content: bytes) -> bytes:
    """A delegate's data: in a segment behind the program."""
    place = delegate.table("processed")
    segment = program.all("segments")[place.number("index")]
    # The extended header: its mark, its length, the program's size, where the segments begin.
    start = int.from_bytes(content[24:32], "little") + segment.number("offset", "Q")
    return content[start : start + segment.number("size", "Q")]


def _graph(schema: Schema, blob: bytes) -> tuple[Counter[str], int]:
    """The operators of a graph of XNNPACK by their names, and how many are quantized."""
    # Its header: where the flatbuffer begins.
    graph = Table.root(schema, "XNNGraph", blob[int.from_bytes(blob[10:14], "little") :])
    integers = set()
    for value in graph.all("xvalues"):
        kind, tensor = value.member("xvalue_union")
        if kind == "XNNQuantizedTensorValue":
            tensor = tensor.table("tensor_value")
        if tensor.number("datatype", "h") in _INTEGER:
            integers.add(tensor.number("id_out"))
    types: Counter[str] = Counter()
    quantized = 0
    for node in graph.all("xnodes"):
        kind, operator = node.member("xnode_union")
        types[kind] += 1
        tensors = {operator.number(field) for field in operator.fields if field.endswith("_id")}
        quantized += kind != _CONVERSION and not integers.isdisjoint(tensors)
    return types, quantized
