"""From an ONNX graph to an ncnn network, by pnnx, a program of ncnn's makers that prunes, fuses and writes."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, ConversionError, InputError, Signature, TensorSpec
from toolkit.formats.parts.ncnn_param import NcnnGraph, NcnnLayer, ncnn_name, read_ncnn

from .batches import fixes_of, numbered
from .ncnn_rewrites import simplify
from .onnx import fix_sizes, read_modern
from .onnx_branches import fold_branches

_DTYPES = {"float32": "f32", "int32": "i32", "int64": "i64"}
_MOST_AXES = 4
_MASK, _NOT_ON_GPU = 31, "16"
_FAST = 0
"""Settings of a layer: what it must not use, and of a GELU whether the approximation by tanh will do."""


def write_ncnn(source: Artifact, target: Path, *, half: bool) -> Signature | None:
    """Write `target`, the graph, and beside it the weights, in float16 if `half`, else in float32.

    ncnn has no axis for the batch: the file is the network for one sample, and a session runs one after the other. Returns the file's
    signature where it is another one, with numbers for free sizes.

    Raises:
        InputError: the signature has another free dimension, a dtype, or more axes than ncnn takes.
        ConversionError: pnnx fails or crashes, or what it makes of the graph is not the network of the signature.
    """
    import ncnn

    model, signature = read_modern(source.model_file), source.manifest.signature
    sizes = fixes_of(signature, "ncnn")[0]
    if sizes:
        fold_branches(model, signature, sizes)
        fix_sizes(model, sizes)
        signature = numbered(signature, sizes, _output_shapes(model, signature.fixed(sizes)))
    _check(signature)
    simplify(model, signature)
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        file = Path(folder) / "net.onnx"
        file.write_bytes(model.SerializeToString())
        written = _pnnx(file, signature, half=half)
        graph = read_ncnn(written)
        for layer in graph.layers:
            if ncnn.layer_to_index(layer.kind) < 0:
                raise ConversionError(f"ncnn has no operator for '{layer.kind}'", expected="a network of ncnn's operators", got=layer.name)
        graph = _exact(_named(graph, signature))
        shapes = {spec.name: tuple(map(int, spec.shape[1:])) for spec in (*signature.inputs, *signature.outputs)}
        graph = graph.with_shapes({ncnn_name(name): shape for name, shape in shapes.items()})
        target.write_text(graph.text())
        shutil.copyfile(written.with_suffix(".bin"), target.with_suffix(".bin"))
    return signature if sizes else None


def _output_shapes(model: Any, signature: Signature) -> list[Sequence[int]]:
    """Those of one sample."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {spec.name: np.zeros(signature.shape(spec, 1), spec.dtype) for spec in signature.inputs}
    return [array.shape for array in session.run(None, feeds)]


def _check(signature: Signature) -> None:
    for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
        for spec in specs:
            free = [size for size in spec.shape[1:] if isinstance(size, str)]
            dtypes = _DTYPES if kind == "input" else ("float32",)
            if free or not (spec.has_free_batch or spec.shape[:1] == (1,)):
                raise InputError(f"ncnn runs one sample, {kind} '{spec.name}'", expected="a batch first, fixed sizes behind", got=str(spec))
            if spec.dtype not in dtypes:
                raise InputError(f"ncnn computes in float32, {kind} '{spec.name}'", expected=" or ".join(dtypes), got=spec.dtype)
            if len(spec.shape) > 1 + _MOST_AXES:
                raise InputError(f"ncnn, {kind} '{spec.name}'", expected=f"a batch and at most {_MOST_AXES} axes", got=str(spec))


def _pnnx(file: Path, signature: Signature, *, half: bool) -> Path:
    """The ``.param`` that pnnx makes of an ONNX file, beside it; raises `ConversionError`."""
    found = importlib.util.find_spec("pnnx")  # Importing it would import torch.
    if found is None or found.origin is None:
        raise ImportError("No module named 'pnnx'", name="pnnx")
    shapes = ",".join(f"[{','.join(map(str, spec.concrete(1)))}]{_DTYPES[spec.dtype]}" for spec in signature.inputs)
    command = [str(Path(found.origin).with_name("pnnx")), file.name, f"inputshape={shapes}", f"fp16={int(half)}"]
    done = subprocess.run(command, cwd=file.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    print(done.stdout.decode(errors="replace"))  # Into the log of this step.
    written = file.with_suffix(".ncnn.param")
    if done.returncode < 0:
        raise ConversionError(f"pnnx crashed with {signal.Signals(-done.returncode).name}", hint="see the log of this step")
    if done.returncode or not written.is_file() or not written.with_suffix(".bin").is_file():
        raise ConversionError("pnnx made no ncnn network", got=f"exit code {done.returncode}", hint="see the log of this step")
    return written


def _named(graph: NcnnGraph, signature: Signature) -> NcnnGraph:
    """The graph with the signature's names in place of pnnx's ``in0`` and ``out0``; raises `ConversionError` where one is missing."""
    names: dict[str, str] = {}
    for prefix, found, specs in (("in", graph.inputs, signature.inputs), ("out", graph.outputs, signature.outputs)):
        wanted = [f"{prefix}{place}" for place in range(len(specs))]
        if sorted(found) != sorted(wanted):
            raise ConversionError("pnnx changed the network's inputs or outputs", expected=", ".join(wanted), got=", ".join(found))
        names.update({name: ncnn_name(spec.name) for name, spec in zip(wanted, specs, strict=True)})
    if len(set(names.values())) < len(names):
        raise ConversionError("an ncnn network's inputs and outputs need names that differ", got=", ".join(names.values()))
    integers = {f"in{place}" for place, spec in enumerate(signature.inputs) if _is_integer(spec)}
    if integers != graph.integer_inputs:
        raise ConversionError(
            "ncnn computes on float32 only; integers can be the rows of an embedding",
            expected=f"integers: {', '.join(sorted(names[name] for name in graph.integer_inputs)) or 'none'}",
            got=", ".join(sorted(names[name] for name in integers)) or "none",
        )

    def rename(name: str) -> str:
        return names.get(name) or (f"{name}.inner" if name in names.values() else name)

    def renamed(layer: NcnnLayer) -> NcnnLayer:
        name = rename(layer.outputs[0]) if layer.kind == "Input" else layer.name
        return NcnnLayer(layer.kind, name, tuple(map(rename, layer.inputs)), tuple(map(rename, layer.outputs)), layer.settings)

    return NcnnGraph(tuple(map(renamed, graph.layers)))


def _exact(graph: NcnnGraph) -> NcnnGraph:
    """The graph with the layers on the processor whose shaders are not what the file says: that of GELU is always the one by tanh."""

    def exact(layer: NcnnLayer) -> NcnnLayer:
        if layer.kind != "GELU" or layer.settings.get(_FAST, "0") != "0":
            return layer
        return replace(layer, settings={**layer.settings, _MASK: _NOT_ON_GPU})

    return NcnnGraph(tuple(map(exact, graph.layers)))


def _is_integer(spec: TensorSpec) -> bool:
    return spec.dtype.startswith("int")
