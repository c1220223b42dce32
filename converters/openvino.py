"""Reading and writing OpenVINO models, and importing OpenVINO and NNCF."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, ConversionError, without_telemetry

_NUMBERED = re.compile(r"[A-Za-z]\w*_\d+")


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


def save_model(model: Any, target: Path, source: Artifact, *, compress_to_fp16: bool = False) -> None:
    """Write `model` and its weights beside it, after comparing its inputs and outputs with the signature.

    Raises:
        ConversionError: a name is missing, or a dimension is fixed that the signature leaves free.
    """
    signature = source.manifest.signature
    for ports, specs in ((model.inputs, signature.inputs), (model.outputs, signature.outputs)):
        found = {name: port for port in ports for name in port.get_names()}
        for spec in specs:
            port = found.get(spec.name)
            shape = [size.is_dynamic for size in port.get_partial_shape()] if port is not None else None
            if shape != [isinstance(size, str) for size in spec.shape]:
                got = "no such tensor" if port is None else str(port.get_partial_shape())
                raise ConversionError(f"OpenVINO changed '{spec.name}'", expected=str(spec), got=got)
    _number_names(model)
    import_openvino().save_model(model, target, compress_to_fp16=compress_to_fp16)


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
