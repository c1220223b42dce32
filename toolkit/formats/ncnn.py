"""ncnn: a graph as text and its weights beside it. ncnn is not needed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from toolkit.core import ArtifactError, Format, Operators

from .base import FileFormat

_NO_OPERATORS = frozenset({"Input", "MemoryData", "Split"})


class Ncnn(FileFormat):
    """What Tencent's engine for phones runs."""

    format = Format.NCNN
    title = "ncnn"
    suffixes = (".param",)
    default_engine = "ncnn"

    def _check(self, file: Path) -> None:
        from .parts.ncnn_param import read_ncnn  # Here: its patterns take longer to compile than all formats to be found.

        read_ncnn(file)
        weights_of(file)

    def _operators(self, file: Path) -> Operators:
        """Every layer but inputs, constants and copies; none is quantized, no converter makes such a file."""
        from .parts.ncnn_param import read_ncnn

        types = Counter(layer.kind for layer in read_ncnn(file).layers if layer.kind not in _NO_OPERATORS)
        return Operators(types.total(), 0, dict(sorted(types.items())))


def weights_of(file: Path) -> Path:
    """The file with the weights of a graph; raises `ArtifactError` where it is not there."""
    weights = file.with_suffix(".bin")
    if not weights.is_file():
        raise ArtifactError(f"'{file}' has no weights", expected=f"'{weights.name}' beside it")
    return weights
