"""Reading and writing OpenVINO models, and importing OpenVINO and NNCF."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, ConversionError, Signature, TensorSpec, without_telemetry

_NUMBERED = re.compile(r"[A-Za-z]\w*_\d+")
_NUMBERED_MODEL = re.compile(r"Model\d+")


def import_openvino() -> Any:
    """The module ``openvino``, which sends nothing."""
    without_telemetry()
    import openvino

    return openvino


def import_nncf() -> Any:
    """The module ``nncf``, which sends nothing and logs errors only."""
    without_telemetry()
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf


def restore(model: Any, signature: Signature) -> None:
    """Give a model's inputs and outputs, which are in the signature's order, its names, sizes and booleans, in place.

    Raises:
        ConversionError: another number of inputs or outputs.
    """
    import_openvino()
    from openvino import PartialShape, Type
    from openvino import opset13 as opset

    for ports, specs, kind in ((model.inputs, signature.inputs, "input"), (model.outputs, signature.outputs, "output")):
        if len(ports) != len(specs):
            raise ConversionError(f"OpenVINO has another number of {kind}s", expected=str(len(specs)), got=str(len(ports)))
    for port, spec in zip(model.inputs, signature.inputs, strict=True):
        if spec.dtype == "bool" and port.get_element_type() != Type.boolean:
            # Its reader of PyTorch stores booleans as bytes.
            parameter, readers = port.get_node(), port.get_target_inputs()
            converted = opset.convert(parameter, port.get_element_type().get_type_name())
            parameter.set_element_type(Type.boolean)
            for reader in readers:
                reader.replace_source_output(converted.output(0))
    model.validate_nodes_and_infer_types()
    sizes = [PartialShape([size if isinstance(size, int) else -1 for size in spec.shape]) for spec in signature.inputs]
    model.reshape(dict(zip(model.inputs, sizes, strict=True)))
    taken = {spec.name for spec in (*signature.inputs, *signature.outputs)}
    for node in model.get_ordered_ops():
        for place in range(node.get_output_size()):
            tensor = node.output(place).get_tensor()
            if taken & tensor.get_names():
                tensor.set_names(tensor.get_names() - taken)
    for port, spec in zip((*model.inputs, *model.outputs), (*signature.inputs, *signature.outputs), strict=True):
        port.get_tensor().set_names({spec.name})


def in_order(model: Any, signature: Signature) -> Any:
    """A model whose inputs and outputs are in the signature's order: a session finds them by position. Raises `ConversionError`."""
    openvino = import_openvino()
    try:
        inputs = [model.input(spec.name).get_node() for spec in signature.inputs]
        outputs = [model.output(spec.name).get_node() for spec in signature.outputs]
    except RuntimeError as error:
        got = ", ".join(name for port in (*model.inputs, *model.outputs) for name in port.get_names())
        raise ConversionError("OpenVINO has other names", expected=str(signature), got=got) from error
    return openvino.Model(outputs, inputs, model.get_friendly_name())


def save_model(model: Any, target: Path, source: Artifact, *, compress_to_fp16: bool = False) -> None:
    """Write `model` and its weights beside it, after comparing its inputs and outputs with the signature.

    Raises:
        ConversionError: a name is missing, or a dimension is fixed that the signature leaves free.
    """
    signature = source.manifest.signature
    symbols = {size for spec in signature.inputs for size in spec.shape if isinstance(size, str)}
    for ports, specs in ((model.inputs, signature.inputs), (model.outputs, signature.outputs)):
        found = {name: port for port in ports for name in port.get_names()}
        for spec in specs:
            port = found.get(spec.name)
            if port is None or not _agrees(port.get_partial_shape(), spec, output=specs is signature.outputs, free=symbols):
                got = "no such tensor" if port is None else str(port.get_partial_shape())
                raise ConversionError(f"OpenVINO changed '{spec.name}'", expected=str(spec), got=got)
    _keep_slices(model)
    _number_names(model)
    import_openvino().save_model(model, target, compress_to_fp16=compress_to_fp16)


def _agrees(shape: Any, spec: TensorSpec, *, output: bool, free: Collection[str]) -> bool:
    """Whether a port is what a spec says. Of an output OpenVINO may not know a number, or know one that is no `free` size of the inputs."""
    if shape.rank.is_dynamic or len(shape) != len(spec.shape):
        return bool(output and shape.rank.is_dynamic)
    pairs = list(zip(shape, spec.shape, strict=True))
    if output:
        static = [(size.get_length(), wanted) for size, wanted in pairs if size.is_static]
        return all(wanted not in free if isinstance(wanted, str) else size == wanted for size, wanted in static)
    return all(size.is_dynamic == isinstance(wanted, str) for size, wanted in pairs)


def _keep_slices(model: Any) -> None:
    """Make a Gather of what is sliced before a GatherElements: OpenVINO 2026 drops such a Slice, and refuses the shapes that are left."""
    import_openvino()
    from openvino import opset13 as opset

    for node in model.get_ordered_ops():
        sliced = node.input_value(0).get_node() if node.get_type_name() == "GatherElements" else None
        if sliced is None or sliced.get_type_name() != "Slice":
            continue
        numbers = [sliced.input_value(place).get_node() for place in range(1, sliced.get_input_size())]
        data = sliced.input_value(0)
        shape = data.get_partial_shape()
        if any(each.get_type_name() != "Constant" for each in numbers) or shape.rank.is_dynamic:
            continue
        starts, ends, steps, *axes = (each.get_data().tolist() for each in numbers)
        places = [axis % len(shape) for axis in (axes[0] if axes else range(len(starts)))]
        if any(shape[axis].is_dynamic for axis in places):
            continue
        for axis, start, end, step in zip(places, starts, ends, steps, strict=True):
            kept = range(*slice(start, end, step).indices(shape[axis].get_length()))
            data = opset.gather(data, list(kept), axis).output(0)
        node.input(0).replace_source_output(data)


def _number_names(model: Any) -> None:
    """Name the nodes that OpenVINO named, after their place in the graph: ``MatMul.14``.

    It numbers them by a counter that runs through the whole process, so that the same model would give other bytes each time. A node
    that was named here once keeps its name, so that a layer is called the same in a quantized file.
    """
    nodes = model.get_ordered_ops()
    taken = {name for node in nodes if not _NUMBERED.fullmatch(name := node.get_friendly_name())}
    for place, node in enumerate(nodes):
        kind = node.get_type_name()
        if kind not in {"Parameter", "Result"} and _NUMBERED.fullmatch(node.get_friendly_name()):
            name = f"{kind}.{place}"
            while name in taken:
                name += "+"
            taken.add(name)
            node.set_friendly_name(name)
    for port in model.outputs:
        if _NUMBERED.fullmatch((node := port.get_node()).get_friendly_name()):
            node.set_friendly_name(f"{port.get_any_name()}/sink_port_0")  # As its own readers call them.
    if _NUMBERED_MODEL.fullmatch(model.get_friendly_name()):
        model.set_friendly_name("model")
