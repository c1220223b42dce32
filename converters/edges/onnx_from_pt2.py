"""torch.export archive to ONNX, by torch's own exporter."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..onnx import read_model, rename, write_model
from ..pt2 import export, flat_module, load_program, plain_attention
from ..rewrites import average_whole_images, multiply_fourier


class OnnxFromPt2(Converter):
    """The exported program becomes an ONNX graph with the signature's names; its free batch stays free."""

    name = "onnx_from_pt2"
    source = Node(Format.PT2, Precision.FP32)
    target = Node(Format.ONNX, Precision.FP32)
    extra = "convert"
    distributions = ("torch", "onnx", "onnxscript", "onnx-ir")
    settings = {"opset": 20}  # noqa: RUF012 - a mapping that nobody changes, declared in the base class

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        import torch

        program = load_program(source.model_file)
        flat = flat_module(program)
        if any([multiply_fourier(flat), average_whole_images(flat)]):
            program = export(flat, source.manifest.signature)
        with plain_attention(), torch.no_grad():
            exported = torch.onnx.export(program, dynamo=True, opset_version=self.settings["opset"], verbose=False)
        rename(exported.model, source.manifest.signature)
        write_model(exported.model_proto, target)
        read_model(target)
        return None
