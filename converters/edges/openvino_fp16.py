"""OpenVINO in half precision."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature
from toolkit.formats.parts.openvino_model import read_model

from ..base import Converter, Node, Recipe
from ..openvino import save_model


class OpenvinoFp16(Converter):
    """Weights stored in float16; a device with float16 arithmetic computes in it, a processor without brings the weights back to
    float32 when it opens the file.
    """

    name = "openvino_fp16"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.FP16)
    extra = "convert"
    distributions = ("openvino",)

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        save_model(read_model(source.model_file), target, source, compress_to_fp16=True)
        return None
