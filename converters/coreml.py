"""From a torch.export archive to a Core ML package, by coremltools."""

from __future__ import annotations

import json
import logging
import re
import uuid
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, ConversionError, InputError, Signature, TensorSpec, hidden
from toolkit.formats.coreml import LARGEST, NOT_NEEDED, coreml_name

from .pt2 import flat_module, load_program, plain_attention

_DTYPES = {"float32": np.float32, "int32": np.int32, "int64": np.int32}


def write_coreml(source: Artifact, target: Path, *, half: bool, deployment: str) -> None:
    """Write the package around its specification `target`, for the systems from `deployment` on; in float16 if `half`, else in float32.

    By way of TorchScript: from the exported program itself coremltools 9 makes no LSTM. Free dimensions go from 1 to `LARGEST`. Nothing on
    this machine may be able to run it, so the specification that was written is read back and compared with the signature.

    Raises:
        InputError: a dtype that Core ML does not take.
        ConversionError: the package is not what the signature says.
    """
    signature = source.manifest.signature
    _check(signature)
    program = load_program(source.model_file)
    package = target.parents[2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of versions of torch and scikit-learn that it was not tested with.
        with hidden(*NOT_NEEDED):
            import coremltools

        logging.getLogger("coremltools").setLevel(logging.ERROR)
        free = sorted({size for spec in signature.inputs for size in spec.shape if isinstance(size, str)})
        sizes = {size: coremltools.RangeDim(1, LARGEST, default=1, symbol=re.sub(r"\W", "_", size)) for size in free}
        coremltools.convert(
            _traced(program, signature),
            source="pytorch",
            convert_to="mlprogram",
            inputs=[
                _tensor(coremltools, spec, shape=[sizes[size] if isinstance(size, str) else size for size in spec.shape])
                for spec in signature.inputs
            ],
            outputs=[_tensor(coremltools, spec) for spec in signature.outputs],
            minimum_deployment_target=getattr(coremltools.target, deployment),
            compute_precision=coremltools.precision.FLOAT16 if half else coremltools.precision.FLOAT32,
            skip_model_load=True,
        ).save(str(package))
        _clean(package, target)
        check_written(coremltools.utils.load_spec(str(package)), signature, package)


def _traced(program: Any, signature: Signature) -> Any:
    import torch

    flat = flat_module(program)
    # Another module of the same graph: the program's own asks for the shapes of its inputs, which cannot be traced.
    module = torch.fx.GraphModule(flat, flat.graph).eval()
    # Neither 0 nor 1, which torch takes for fixed.
    example = tuple(torch.zeros(signature.shape(spec, 2, free=2), dtype=getattr(torch, spec.dtype)) for spec in signature.inputs)
    with plain_attention(), torch.no_grad():
        return torch.jit.trace(module, example, check_trace=False)


def _check(signature: Signature) -> None:
    specs = (*signature.inputs, *signature.outputs)
    for spec in specs:
        if spec.dtype not in _DTYPES:
            raise InputError(f"Core ML, '{spec.name}'", expected=" or ".join(_DTYPES), got=spec.dtype)
    names = [coreml_name(spec.name) for spec in specs]
    if len(set(names)) < len(names):
        raise InputError("Core ML needs inputs and outputs with names that differ", got=", ".join(names))


def _tensor(coremltools: Any, spec: TensorSpec, **shape: Any) -> Any:
    return coremltools.TensorType(name=coreml_name(spec.name), dtype=_DTYPES[spec.dtype], **shape)


def _clean(package: Path, target: Path) -> None:
    """Make the same network give the same bytes: without the day in the specification, and without random names in the package."""
    from coremltools.proto import Model_pb2

    spec = Model_pb2.Model.FromString(target.read_bytes())
    spec.description.metadata.ClearField("userDefined")
    target.write_bytes(spec.SerializeToString(deterministic=True))
    file = package / "Manifest.json"
    manifest = json.loads(file.read_text())
    names = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, entry["path"])) for old, entry in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = {name: manifest["itemInfoEntries"][old] for old, name in sorted(names.items(), key=lambda pair: pair[1])}
    manifest["rootModelIdentifier"] = names[manifest["rootModelIdentifier"]]
    file.write_text(json.dumps(manifest, indent=4) + "\n")


def check_written(spec: Any, signature: Signature, package: Path) -> None:
    """Raise `ConversionError` unless the specification has the signature's inputs and outputs, and its weights lie beside it."""
    from coremltools.proto import FeatureTypes_pb2

    dtype_name = FeatureTypes_pb2.ArrayFeatureType.ArrayDataType.Name
    for kind, ports, specs in (("input", spec.description.input, signature.inputs), ("output", spec.description.output, signature.outputs)):
        found = [(port.name, dtype_name(port.type.multiArrayType.dataType)) for port in ports]
        wanted = [(coreml_name(each.name), np.dtype(_DTYPES[each.dtype]).name.upper()) for each in specs]
        if found != wanted:
            raise ConversionError(f"coremltools changed the {kind}s", expected=str(wanted), got=str(found))
    for port, each in zip(spec.description.input, signature.inputs, strict=True):
        array = port.type.multiArrayType
        ranges = [(size.lowerBound, size.upperBound) for size in array.shapeRange.sizeRanges] or [(size, size) for size in array.shape]
        wanted_ranges = [(1, LARGEST) if isinstance(size, str) else (size, size) for size in each.shape]
        if ranges != wanted_ranges:
            raise ConversionError(f"coremltools changed the shape of '{each.name}'", expected=str(wanted_ranges), got=str(ranges))
    weights = package / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
    blobs = b"@model_path/weights" in spec.SerializeToString()
    if blobs and not (weights.is_file() and weights.stat().st_size):
        raise ConversionError("coremltools wrote no weights", expected=str(weights.relative_to(package)))
