"""Core ML: a package, a folder with a program as a protocol buffer and its weights beside it. coremltools is not needed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from toolkit.core import ArtifactError, Format, Operators

from .base import FileFormat
from .parts.protobuf import fields, first

LARGEST = 1024
"""The largest size of a free dimension: a Core ML program has an upper bound for each."""
NOT_NEEDED = ("tensorflow", "sklearn", "xgboost", "libsvm", "executorch", "torchao", "torchvision", "torchaudio", "transformers")
"""What coremltools imports where it is there, to convert from it too: 14 of the 16 seconds of processor time that its import takes, and
TensorFlow beside PyTorch, which crashes."""
# Numbers of fields in Core ML's Model.proto and MIL.proto.
_PROGRAM, _FUNCTIONS, _BLOCKS, _OPERATIONS, _TYPE, _INNER_BLOCKS, _VALUE = 502, 2, 3, 3, 1, 4, 2
_WEIGHTS = "weights/weight.bin"
"""Beside the program, where it refers to it."""


class CoreMl(FileFormat):
    """What Apple's systems run."""

    format = Format.COREML
    title = "Core ML"
    suffixes = (".mlmodel",)
    default_engine = "coreml"

    def _check(self, file: Path) -> None:
        _kinds(file)
        if f"@model_path/{_WEIGHTS}".encode() in file.read_bytes() and not (file.parent / _WEIGHTS).is_file():
            raise ArtifactError(f"'{file}' has no weights", expected=f"'{_WEIGHTS}' beside it", hint="copy the whole package")

    def _operators(self, file: Path) -> Operators:
        """Every operation but constants, in inner blocks too; none is quantized, no converter makes such a file."""
        found = _kinds(file)
        return Operators(found.total(), 0, dict(sorted(found.items())))


def coreml_name(name: str) -> str:
    """A tensor's name as a Core ML program can have it: letters, digits and underscores, no digit first."""
    return re.sub(r"^(?=\d)", "_", re.sub(r"\W", "_", name, flags=re.ASCII))


def _kinds(file: Path) -> Counter[str]:
    content = file.read_bytes()
    try:
        functions = [first(entry, _VALUE) for entry in fields(first(content, _PROGRAM), _FUNCTIONS)]
        blocks = [first(entry, _VALUE) for function in functions for entry in fields(function, _BLOCKS)]
        found = Counter(kind for block in blocks for kind in _types(block) if kind != "const")
    except (IndexError, ValueError) as error:
        problem = f"'{file}' is no complete Core ML model"
        raise ArtifactError(problem, expected="a protocol buffer", got=f"{len(content)} bytes", hint="convert it again") from error
    if not found:
        raise ArtifactError(f"'{file}' holds no Core ML program", expected="operations", got=f"{len(content)} bytes")
    return found


def _types(block: bytes) -> Iterator[str]:
    for operation in fields(block, _OPERATIONS):
        yield first(operation, _TYPE).decode()
        for inner in fields(operation, _INNER_BLOCKS):
            yield from _types(inner)
