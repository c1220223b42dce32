"""The texts of a firmware folder: templates, and tables made of a model and an example."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

import numpy as np

from toolkit.core import printable
from toolkit.runtimes.tflite_micro import Port

_TYPES = {
    "float32": "float",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "bool": "bool",
}

_WORDS = {"Batch_Matmul": "Batch_MatMul", "Cumsum": "CumSum", "Padv2": "PadV2", "Lstm": "LSTM"}
"""Where the interpreter's authors write an operator's name otherwise than in title case."""

_WIDTH = 16
"""Numbers in a row."""


@dataclass(frozen=True)
class Facts:
    """What is told of a model besides its tensors; ``content`` is the file that becomes the array."""

    title: str
    source_sha256: str
    engine: str
    content: bytes
    arena_bytes: int
    operators: tuple[str, ...]


@dataclass(frozen=True)
class Example:
    """The file's tensors and one call: ``real`` are the inputs as an app has them, in the file's layout, ``encoded`` as the file takes
    them, ``expected`` what it gave here.
    """

    inputs: Sequence[Port]
    outputs: Sequence[Port]
    real: Sequence[np.ndarray]
    encoded: Sequence[np.ndarray]
    expected: Sequence[np.ndarray]


class _Template(string.Template):
    """C and make have other uses for a dollar."""

    delimiter = "@"


def files_of(facts: Facts, example: Example) -> dict[str, str]:
    """Every text by the name of its file."""
    values = {
        "title": _comment(facts.title),
        "source_sha256": facts.source_sha256,
        "sha256": sha256(facts.content).hexdigest(),
        "engine": facts.engine,
        "size": str(len(facts.content)),
        "arena": str(facts.arena_bytes),
        "signature": "\n".join(f" *   {line}" for line in _signature(example)),
        "tensors": "\n".join(f"- `{line}`" for line in _signature(example)),
        "inputs": str(len(example.inputs)),
        "outputs": str(len(example.outputs)),
        "bytes": _rows(str(byte) for byte in facts.content),
        "input_table": _table(example.inputs),
        "output_table": _table(example.outputs),
        "count": str(len(facts.operators)),
        "operators": "\n".join(f"  TF_LITE_ENSURE_STATUS(operators.{method(name)}());" for name in facts.operators),
        "operator_names": ", ".join(f"`{name}`" for name in facts.operators),
        "example": _arrays(example),
    }
    folder = files(__package__) / "templates"
    return {item.name: _Template(item.read_text()).substitute(values) for item in folder.iterdir() if item.is_file()}


def method(operator: str) -> str:
    """The call of ``MicroMutableOpResolver`` that adds an operator: ``AddConv2D`` for ``CONV_2D``.

    As in ``micro_mutable_op_resolver.h`` of the interpreter's sources.
    """
    name = operator.title()
    for word, written in _WORDS.items():
        name = name.replace(word, written)
    return f"Add{name.replace('_', '')}"


def _signature(example: Example) -> list[str]:
    def line(kind: str, port: Port) -> str:
        affine = f", real = {port.affine.scale:.9g} * (integer - {port.affine.zero_point})" if port.affine else ""
        return _comment(f"{kind} {port.spec}{affine}")

    return [line("in ", port) for port in example.inputs] + [line("out", port) for port in example.outputs]


def _comment(text: str) -> str:
    """Text from a file, safe in a comment and in a list."""
    return printable(text).replace("*/", "* /").replace("\\", "/").replace("`", "'")


def _table(ports: Sequence[Port]) -> str:
    def row(port: Port) -> str:
        scale = _literal(np.float32(port.affine.scale)) if port.affine else "0.0f"
        zero = port.affine.zero_point if port.affine else 0
        elements = int(np.prod([int(size) for size in port.spec.shape], dtype=int))
        size = elements * np.dtype(port.spec.dtype).itemsize
        kind = f"MODEL_{port.spec.dtype.upper()}"
        return f"    {{{_quoted(port.name)}, {kind}, {port.index}, {elements}u, {size}u, {scale}, {zero}}},"

    return "\n".join(row(port) for port in ports)


def _quoted(text: str) -> str:
    """A string of C."""
    plain = printable(text).encode("ascii", "replace").decode()
    return '"' + plain.replace("\\", "/").replace('"', "'").replace("?", "_") + '"'


def _arrays(example: Example) -> str:
    parts = []
    for name, arrays in (("example_real", example.real), ("example_encoded", example.encoded), ("example_expected", example.expected)):
        for index, array in enumerate(arrays):
            kind = _TYPES[array.dtype.name]
            parts.append(f"static const {kind} {name}_{index}[{array.size}] = {{\n{_rows(map(_literal, array.ravel()))}\n}};")
        parts.append(f"const void *const {name}[] = {{{', '.join(f'{name}_{index}' for index in range(len(arrays)))}}};")
    return "\n\n".join(parts)


def _literal(value: Any) -> str:
    if not isinstance(value, np.floating):
        # The smallest integer of 64 bits is no literal of C; no network reads it.
        return str(int(value))
    text = f"{float(value):.9g}"
    return (text if any(mark in text for mark in ".en") else f"{text}.0") + "f"


def _rows(items: Iterable[str]) -> str:
    words = list(items)
    return "\n".join(f"    {', '.join(words[start : start + _WIDTH])}," for start in range(0, len(words), _WIDTH))
