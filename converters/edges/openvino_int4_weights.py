"""OpenVINO with weights stored in int4."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature
from toolkit.formats.parts.openvino_model import read_model

from ..base import Converter, Node, Recipe
from ..openvino import import_nncf, save_model


class OpenvinoInt4Weights(Converter):
    """The weights of matrix products and embeddings as symmetric int4 with a float16 scale for each group, those of convolutions as int8
    with a scale a channel; computation is float. A product that the groups do not divide takes the largest that do, of at least 32, or
    int8.
    """

    name = "openvino_int4_weights"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.INT4_WEIGHTS)
    extra = "convert"
    distributions = ("openvino", "nncf")
    settings = {"mode": "int4_sym", "group_size": 32, "undivided": "adjust"}  # noqa: RUF012 - read-only
    choices = {"group_size": (32, 0, 64, 128, 256)}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        nncf = import_nncf()
        from nncf.quantization.advanced_parameters import AdvancedCompressionParameters, GroupSizeFallbackMode

        size = int(self.choice(recipe, "group_size"))
        compressed = nncf.compress_weights(
            read_model(source.model_file),
            mode=nncf.CompressWeightsMode.INT4_SYM,
            group_size=size or -1,
            ratio=1.0,
            all_layers=True,
            advanced_parameters=AdvancedCompressionParameters(group_size_fallback_mode=GroupSizeFallbackMode.ADJUST),
        )
        if not any(node.get_type_name() == "Constant" and node.get_element_type().get_type_name() == "i4" for node in compressed.get_ops()):
            raise ConversionError(
                f"{self.name} stored nothing in int4", expected=f"a matrix product that groups of {size} divide", hint="choose int8-weights"
            )
        save_model(compressed, target, source)
        return None
