"""Is a ``.tflite`` file whole? For an interpreter that believes every offset in it: TensorFlow's ends the process on a truncated file.

The walk follows the tables of TF Lite's schema (``schema.fbs``) that hold offsets and checks that each lies inside the file. It is
no defence against a file made to do harm: LiteRT verifies the whole format.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from toolkit.core import ArtifactError

# Field numbers of each table, with what they point to: a table, a list of tables ("*"), or a vector with elements of so many bytes.
_SCHEMA: dict[str, dict[int, str | int]] = {
    "Model": {1: "OperatorCode*", 2: "SubGraph*", 3: 1, 4: "Buffer*", 5: 4, 6: "Metadata*", 7: "SignatureDef*"},
    "OperatorCode": {1: 1},
    "SubGraph": {0: "Tensor*", 1: 4, 2: 4, 3: "Operator*", 4: 1},
    "Tensor": {0: 4, 3: 1, 4: "Quantization", 7: 4},
    "Quantization": {0: 4, 1: 4, 2: 4, 3: 8},
    "Operator": {1: 4, 2: 4, 4: "Options", 5: 1},
    "Options": {},
    "Buffer": {0: 1},
    "Metadata": {0: 1},
    "SignatureDef": {0: "TensorMap*", 1: "TensorMap*", 2: 1},
    "TensorMap": {0: 1},
}

IDENTIFIER = b"TFL3"
"""What a TF Lite file has at byte 4."""


def check_identifier(file: Path) -> None:
    """Raise `ArtifactError` unless the file begins as a TF Lite model does."""
    with file.open("rb") as stream:
        start = stream.read(8)
    if start[4:] != IDENTIFIER:
        got = "0 bytes" if not start else "no such identifier"
        raise ArtifactError(f"'{file}' is no TF Lite model", expected="a file with TFL3 at byte 4", got=got)


def check_tflite(file: Path) -> None:
    """Raise `ArtifactError` when an offset points outside the file."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            _check_table(data, _number(data, 0, "I"), "Model")
        except (struct.error, IndexError) as error:
            raise ArtifactError(
                f"'{file}' is not whole", expected="offsets inside the file", got=f"{len(data)} bytes", hint="convert it again"
            ) from error


def _number(data: mmap.mmap, position: int, kind: str) -> int:
    if position < 0:
        raise IndexError(position)
    return int(struct.unpack_from(f"<{kind}", data, position)[0])


def _check_table(data: mmap.mmap, position: int, name: str) -> None:
    fields = position - _number(data, position, "i")
    size = _number(data, fields, "H")
    if fields + size > len(data) or position + _number(data, fields + 2, "H") > len(data):
        raise IndexError(position)
    for index, target in _SCHEMA[name].items():
        entry = 4 + 2 * index
        offset = _number(data, fields + entry, "H") if entry < size else 0
        if not offset:
            continue
        field = position + offset
        there = field + _number(data, field, "I")
        if isinstance(target, int):
            if there + 4 + _number(data, there, "I") * target > len(data):
                raise IndexError(there)
        elif target.endswith("*"):
            for item in range(there + 4, there + 4 + 4 * _number(data, there, "I"), 4):
                _check_table(data, item + _number(data, item, "I"), target[:-1])
        else:
            _check_table(data, there, target)
