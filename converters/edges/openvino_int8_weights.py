"""OpenVINO with weights stored in int8."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature
from toolkit.formats.parts.openvino_model import read_model

from ..base import Converter, Node, Recipe
from ..openvino import import_nncf, save_model


class OpenvinoInt8Weights(Converter):
    """The weights of every convolution, matrix product and embedding as symmetric int8 per channel with float16 scales; computation is
    float.
    """

    name = "openvino_int8_weights"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.INT8_WEIGHTS)
    extra = "convert"
    distributions = ("openvino", "nncf")
    settings = {"mode": "int8_sym"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        nncf = import_nncf()
        compressed = nncf.compress_weights(read_model(source.model_file), mode=nncf.CompressWeightsMode.INT8_SYM)
        save_model(compressed, target, source)
        return None
