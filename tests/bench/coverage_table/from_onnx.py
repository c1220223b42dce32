"""ONNX's own backend test models, as its package brings them: the networks of ``light``, whose weights are constants that the graph
makes, and exports of small modules.
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from toolkit.core import Samples

from .architectures import Architecture, Size, draw

_FEW = Size(8, 24)


def architectures() -> list[Architecture]:
    """The whole networks; a machine without the package has none."""
    return [Architecture(file.stem, "onnx", "onnx backend tests, light", functools.partial(make, file), _FEW) for file in _light()]


def _light() -> list[Path]:
    import onnx.backend.test

    return sorted((Path(onnx.backend.test.__file__).parent / "data" / "light").glob("*.onnx"))


def make(file: Path, folder: Path, size: Size) -> tuple[Path, Samples]:
    """A copy of the file; its inputs are drawn by type and shape."""
    import onnx

    copy = folder / file.name
    shutil.copyfile(file, copy)
    graph = onnx.load(file).graph
    weights = {tensor.name for tensor in graph.initializer}
    columns = {}
    for value in graph.input:
        if value.name not in weights:
            kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
            shape = tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)
            columns[value.name] = draw(size.calibration + size.evaluation, shape[1:], kind, seed=len(columns))
    return copy, Samples(columns, None, "random")
