"""ExecuTorch: a flatbuffer with segments behind it, read by the schemas that come with the package; nothing of it is imported."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from toolkit.core import ArtifactError, Format, Operators

from .base import FileFormat
from .parts.flatbuffer import Schema, Table

_IDENTIFIER = b"ET12"
_EXTENDED = b"eh00"
"""Marks the header behind the flatbuffer's own: its length, the program's size, where the segments begin, and their size."""
_HEADER_WITH_SIZE = 32
_CONVERSION = "XNNConvert"
_INTEGER = range(3, 12)
"""XNNPACK's types of integers with a scale: qint8 to qpint8."""


class ExecuTorch(FileFormat):
    """What PyTorch's engine for phones and boards runs."""

    format = Format.EXECUTORCH
    title = "ExecuTorch"
    suffixes = (".pte",)
    default_engine = "executorch"
    extra = "executorch"

    def _check(self, file: Path) -> None:
        content = _content(file)
        if content[8:12] != _EXTENDED:
            return  # Everything is in the flatbuffer, which its engine verifies.
        length = int.from_bytes(content[12:16], "little")
        program, segments, size = (int.from_bytes(content[start : start + 8], "little") for start in (16, 24, 32))
        # The last number came later than the others: an older header ends before it.
        end = max(program, segments + size if length >= _HEADER_WITH_SIZE and segments else segments)
        if not program or end > len(content):
            raise ArtifactError(f"'{file}' is not whole", expected=f"{end} bytes", got=f"{len(content)} bytes", hint="convert it again")

    def _operators(self, file: Path) -> Operators:
        """The calls of the first method by their operator, and in place of each call of XNNPACK the operators of its graph.

        Quantized is an operator of XNNPACK that reads or writes integers with a scale.
        """
        content = _content(file)
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


def _content(file: Path) -> bytes:
    content = file.read_bytes()
    if content[4:8] != _IDENTIFIER:
        got = "0 bytes" if not content else "another kind of file"
        raise ArtifactError(f"'{file}' is no ExecuTorch program", expected="a flatbuffer marked ET12", got=got)
    return content


def _schema(name: str) -> Schema:
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
