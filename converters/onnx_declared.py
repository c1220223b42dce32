"""What an ONNX file declares of its inputs and outputs, brought to what is known of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import Format, Signature, TensorSpec

from .onnx import OWN_WEIGHTS

if TYPE_CHECKING:
    from onnx import ModelProto


def single_values(model: ModelProto) -> tuple[str, ...]:
    """The inputs that take one number: without axes, or with axes of one."""
    weights = {tensor.name for tensor in model.graph.initializer}
    found = []
    for value in model.graph.input:
        shape = value.type.tensor_type.shape if value.type.tensor_type.HasField("shape") else None
        if shape is not None and value.name not in weights and all(size.dim_value == 1 for size in shape.dim):
            found.append(value.name)
    return tuple(found)


def fold_values(model: ModelProto, values: Mapping[str, float]) -> None:
    """Make constants, in place, of the inputs in `values`, each one number."""
    from onnx import helper, numpy_helper

    inputs = {value.name: value for value in model.graph.input}
    for name, number in values.items():
        about = inputs[name].type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(about.elem_type)
        array = np.full([size.dim_value for size in about.shape.dim], number, dtype)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
        model.graph.input.remove(inputs[name])
    model.ir_version = max(model.ir_version, OWN_WEIGHTS)


def declare(model: ModelProto, signature: Signature) -> None:
    """Write, in place, the shapes of `signature` over those that the file declares, and forget the shapes in between that say others."""
    specs = {spec.name: spec for spec in (*signature.inputs, *signature.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        if value.name in specs:
            _set_shape(value, specs[value.name])
    del model.graph.value_info[:]


def declares(model: ModelProto, signature: Signature) -> bool:
    """Whether the file declares the shapes of `signature` already."""
    specs = {spec.name: spec for spec in (*signature.inputs, *signature.outputs)}
    return all(_shape(value) == list(specs[value.name].shape) for value in (*model.graph.input, *model.graph.output) if value.name in specs)


def _shape(value: Any) -> list[int | str] | None:
    if not value.type.tensor_type.HasField("shape"):
        return None
    return [size.dim_value if size.HasField("dim_value") else size.dim_param for size in value.type.tensor_type.shape.dim]


def _set_shape(value: Any, spec: TensorSpec) -> None:
    from onnx import helper

    about = value.type.tensor_type
    about.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    about.ClearField("shape")
    about.shape.SetInParent()
    for size in spec.shape:
        dim = about.shape.dim.add()
        if isinstance(size, int):
            dim.dim_value = size
        else:
            dim.dim_param = size


def with_constants(file: Path, values: Mapping[str, float], folder: Path) -> tuple[Path, tuple[str, ...]]:
    """A copy of an ONNX file in `folder` in which inputs of one number that are in `values` are constants, and their names; the file itself
    where there are none.
    """
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    model = onnx.load(file, load_external_data=False)
    names = tuple(name for name in single_values(model) if name in values)
    if not names:
        return file, ()
    fold_values(model, {name: values[name] for name in names})
    for tensor in _get_all_tensors(model):
        if uses_external_data(tensor):
            beside = folder / ExternalDataInfo(tensor).location
            beside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.parent / ExternalDataInfo(tensor).location, beside)
    return _written(model, folder), names


def with_shapes(file: Path, signature: Signature, folder: Path) -> bool:
    """Whether a copy of an ONNX file in `folder` was written, because the file declares other shapes than those of `signature`."""
    import onnx

    model = onnx.load(file, load_external_data=False)
    if declares(model, signature):
        return False
    declare(model, signature)
    _written(model, folder)
    return True


def _written(model: ModelProto, folder: Path) -> Path:
    target = folder / Format.ONNX.file_name
    target.write_bytes(model.SerializeToString(deterministic=True))
    return target
