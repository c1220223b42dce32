"""Operators of a Core ML program; coremltools is not needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from toolkit.core import ArtifactError, Operators
from toolkit.core.protobuf import fields, first

# Numbers of fields in Core ML's Model.proto and MIL.proto.
_PROGRAM, _FUNCTIONS, _BLOCKS, _OPERATIONS, _TYPE, _INNER_BLOCKS, _VALUE = 502, 2, 3, 3, 1, 4, 2


def operators(file: Path) -> Operators:
    """Every operation but constants, in inner blocks too; none is quantized, no converter makes such a file."""
    content = file.read_bytes()
    try:
        functions = [first(entry, _VALUE) for entry in fields(first(content, _PROGRAM), _FUNCTIONS)]
        blocks = [first(entry, _VALUE) for function in functions for entry in fields(function, _BLOCKS)]
        found = Counter(kind for block in blocks for kind in _types(block) if kind != "const")
    except (IndexError, ValueError) as error:
        raise ArtifactError(f"'{file}' is no complete Core ML model", got=f"{len(content)} bytes", hint="convert it again") from error
    if not found:
        raise ArtifactError(f"'{file}' holds no Core ML program", expected="operations", got=f"{len(content)} bytes")
    return Operators(found.total(), 0, dict(sorted(found.items())))


def _types(block: bytes) -> Iterator[str]:
    for operation in fields(block, _OPERATIONS):
        yield first(operation, _TYPE).decode()
        for inner in fields(operation, _INNER_BLOCKS):
            yield from _types(inner)
