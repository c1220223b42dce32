"""TorchScript to ONNX, by the exporter that torch had for it: the newer one takes no TorchScript."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, Signature
from toolkit.formats import find_format
from toolkit.formats.parts.torchscript_module import example, example_sizes, load_module

from ..base import Converter, Node, Recipe
from ..onnx import read_model, rename, write_model


class OnnxFromTorchscript(Converter):
    """The network's code becomes an ONNX graph with the signature's names; its free dimensions stay free."""

    name = "onnx_from_torchscript"
    source = Node(Format.TORCHSCRIPT, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP32)
    extra = "convert"
    distributions = ("torch", "onnx", "onnx-ir")
    settings = {"opset": 18}  # noqa: RUF012 - a mapping that nobody changes, declared in the base class

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        import onnx_ir
        import torch

        find_format(Format.TORCHSCRIPT).check(source.model_file)
        signature = source.manifest.signature
        module = load_module(source.model_file)
        free = {
            spec.name: {axis: size for axis, size in enumerate(spec.shape) if isinstance(size, str)}
            for spec in (*signature.inputs, *signature.outputs)
        }
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # That it is the older exporter, and that a traced network has no Python signature.
            torch.onnx.export(
                module,
                example(signature, example_sizes(module, signature)),
                str(target),
                dynamo=False,
                input_names=[spec.name for spec in signature.inputs],
                output_names=[spec.name for spec in signature.outputs],
                dynamic_axes=free,
                opset_version=self.settings["opset"],
            )
        proto = read_model(target)
        _with_all_inputs(proto.graph, signature)
        model = onnx_ir.from_proto(proto)
        for value in (*model.graph.inputs, *(out for node in model.graph for out in node.outputs)):
            value.shape = onnx_ir.Shape(value.shape) if value.shape is not None else None  # What is read from a file is frozen.
        for value, spec in zip(model.graph.outputs, signature.outputs, strict=True):
            value.shape = onnx_ir.Shape(spec.shape)
        rename(model, signature)
        write_model(onnx_ir.to_proto(model), target)
        read_model(target)
        return None


def _with_all_inputs(graph: Any, signature: Signature) -> None:
    """Add the inputs that the network does not use: the exporter leaves them out."""
    from onnx import helper

    used = {value.name: value for value in graph.input}
    del graph.input[:]
    for spec in signature.inputs:
        dtype = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
        graph.input.append(used.get(spec.name) or helper.make_tensor_value_info(spec.name, dtype, spec.shape))
