"""ONNX's own backend test models, as its package brings them: the networks of ``light``, whose weights a graph makes out of one number."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage_table.architectures import Architecture, Size, draw
from toolkit.core import Samples

_FEW = Size(8, 24)
# Their weights would be files of 240 to 570 MB; they stay constant.
_CONSTANT = {"light_bvlc_alexnet", "light_vgg19", "light_zfnet512"}


def architectures() -> list[Architecture]:
    """The whole networks; a machine without the package has none."""
    return [Architecture(file.stem, "onnx", "onnx backend tests, light", functools.partial(make, file), _FEW) for file in _light()]


def _light() -> list[Path]:
    import onnx.backend.test

    return sorted((Path(onnx.backend.test.__file__).parent / "data" / "light").glob("*.onnx"))


def make(file: Path, folder: Path, size: Size) -> tuple[Path, Samples]:
    """A copy of the file whose weights are drawn; its inputs are drawn by type and shape, floats from 0 to 1."""
    import onnx

    model = onnx.load(file)
    if file.stem not in _CONSTANT:
        draw_weights(model.graph)
    copy = folder / file.name
    onnx.save(model, copy)
    weights = {tensor.name for tensor in model.graph.initializer}
    columns: dict[str, np.ndarray] = {}
    for value in model.graph.input:
        if value.name not in weights:
            kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
            shape = tuple(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim)
            drawn = draw(size.calibration + size.evaluation, shape[1:], kind, seed=len(columns))
            columns[value.name] = np.abs(drawn) % 1 if kind == "float32" else drawn
    return copy, Samples(columns, None, "random")


def draw_weights(graph: Any) -> None:
    """Put seeded random weights in the place of each ``ConstantOfShape``: with equal ones all of a softmax's outputs are equal."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    positive = {name for node in graph.node if node.op_type == "BatchNormalization" for name in (node.input[1], node.input[4])}
    for node in [node for node in graph.node if node.op_type == "ConstantOfShape" and node.input[0] in shapes]:
        shape = tuple(int(size) for size in shapes[node.input[0]])
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 100
        drawn = random.standard_normal(shape) * (2 / fan_in) ** 0.5
        drawn = 1 + np.abs(drawn) if node.output[0] in positive else drawn
        graph.initializer.append(numpy_helper.from_array(drawn.astype(np.float32), node.output[0]))
        # These files are of the time when every weight was an input too.
        graph.input.append(helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, shape))
        graph.node.remove(node)
