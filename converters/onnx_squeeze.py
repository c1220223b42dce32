"""`Squeeze` without axes in an ONNX file: torch's `x.squeeze()` takes a batch of 1 away too, and nobody knows the rank of what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import Format
from toolkit.formats.parts.onnx_files import onnx_files

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_AXES_ARE_AN_INPUT = 13
"""The operator set from which on."""
_LARGEST = 2**31
"""Bytes of a network that a session opens from memory, as it must where tensors inside it are asked for."""


def with_axes(file: Path, calls: Sequence[Mapping[str, np.ndarray]], folder: Path) -> tuple[str, ...]:
    """The names of what is squeezed in a copy of an ONNX file, in `folder`, whose `Squeeze` operators take what is 1 in all `calls`.

    Args:
        file: an ONNX file; without such a node there is no copy.
        calls: inputs by name, two samples and more in each, and each free size another one in each; none is changed where it refuses one.
        folder: for the copy; weights in other files stay beside the file.
    """
    import onnx

    model = onnx.load(file, load_external_data=False)
    nodes = [node for node in model.graph.node if _squeezes_all(node)]
    whole = sum(each.stat().st_size for each in (file, *onnx_files(file).values()))
    if not nodes or len(calls) < 2 or whole >= _LARGEST:
        return ()
    try:
        shapes = [_shapes(onnx.load(file), [node.input[0] for node in nodes], call) for call in calls]
    except Exception:  # onnxruntime's errors have no common class: sizes that cannot be changed tell nothing.
        return ()
    opset = max(entry.version for entry in model.opset_import if not entry.domain)
    found = []
    for node in nodes:
        first, *others = [[axis for axis, size in enumerate(each[node.input[0]]) if size == 1] for each in shapes]
        # What is 1 in some calls alone is not known to be 1 in others.
        if all(axes == first for axes in others):
            _set_axes(model, node, first, opset)
            found.append(node.output[0])
    if found:
        (folder / Format.ONNX.file_name).write_bytes(model.SerializeToString(deterministic=True))
    return tuple(found)


def _squeezes_all(node: NodeProto) -> bool:
    return node.op_type == "Squeeze" and not node.domain and len([name for name in node.input if name]) == 1 and not node.attribute


def _set_axes(model: ModelProto, node: NodeProto, axes: list[int], opset: int) -> None:
    from onnx import helper, numpy_helper

    if not axes:
        node.op_type = "Identity"
    elif opset < _AXES_ARE_AN_INPUT:
        node.attribute.append(helper.make_attribute("axes", axes))
    else:
        name = f"{node.output[0]}/axes"
        model.graph.initializer.append(numpy_helper.from_array(np.array(axes, np.int64), name))
        del node.input[1:]
        node.input.append(name)


def _shapes(model: ModelProto, names: Sequence[str], call: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors inside the graph."""
    import onnx
    import onnxruntime

    inside = list(dict.fromkeys(names))
    own: set[Any] = {value.name for value in (*model.graph.output, *model.graph.input)}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside if name not in own)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {name: array.shape for name, array in call.items()}
    asked = [name for name in inside if name not in given]
    return given | {name: array.shape for name, array in zip(asked, session.run(asked, dict(call)), strict=True)}
