"""ONNX files: the preparation's graph in front of the network's."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from toolkit.core import Artifact, Format, Signature

from ..onnx import read_modern
from ._graph import OUTPUT, graph
from .base import Embedder, Picture


class OnnxEmbedder(Embedder):
    """Joins two graphs of one operator set."""

    name = "embedded_onnx"
    format = Format.ONNX
    extra = "convert"
    distributions: ClassVar = ("onnx",)

    def _embed(self, source: Artifact, target: Path, picture: Picture, signature: Signature) -> None:  # noqa: ARG002
        import onnx

        model = read_modern(source.model_file)
        opset = next(entry.version for entry in model.opset_import if not entry.domain)
        front = graph(picture, opset=opset, ir_version=model.ir_version)
        names = [(OUTPUT, model.graph.input[0].name)]
        onnx.compose.add_prefix(front, "prepare/", rename_inputs=False, rename_outputs=False, inplace=True)
        whole = onnx.compose.merge_models(front, model, io_map=names)
        del whole.graph.value_info[:]  # Those of other sizes.
        onnx.save(whole, target)
