"""OpenVINO models: the preparation in the place of the network's input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from toolkit.core import Artifact, Format, Signature

from ..openvino import import_openvino, restore, save_model
from ._graph import graph
from .base import Embedder, Picture


class OpenvinoEmbedder(Embedder):
    """Joins two models, of which its own reader makes the first one out of ONNX."""

    name = "embedded_openvino"
    format = Format.OPENVINO
    extra = "openvino"
    distributions: ClassVar = ("openvino", "onnx")

    def _embed(self, source: Artifact, target: Path, picture: Picture, signature: Signature) -> None:
        openvino = import_openvino()
        core = openvino.Core()
        front, model = core.read_model(graph(picture).SerializeToString()), core.read_model(source.model_file)
        prepared = front.output(0).get_node().input_value(0)
        for reader in model.input(0).get_target_inputs():
            reader.replace_source_output(prepared)
        whole = openvino.Model(model.get_results(), front.get_parameters(), model.get_friendly_name())
        restore(whole, signature)
        own = replace(source, manifest=replace(source.manifest, signature=signature))
        save_model(whole, target, own)
