"""TF Lite with weights stored in int4."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature
from toolkit.formats.tflite import read_graph

from ..base import Converter, Node, Recipe
from ..tflite import quantize_source


class TfliteInt4Weights(Converter):
    """Symmetric weights behind a DEQUANTIZE: those of matrix products in int4, of everything else in int8; computation is float.

    One scale an output channel: in groups, AI Edge Quantizer 0.10 quantizes only where the engine measures activations too.
    """

    name = "tflite_int4_weights"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.INT4_WEIGHTS)
    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    settings = {"recipe": "weight_only_wi8_afp32", "products": "int4"}  # noqa: RUF012 - read-only
    choices = {"group_size": (0,)}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        from ai_edge_quantizer import qtyping
        from ai_edge_quantizer.recipe_manager import RecipeManager

        manager = RecipeManager()
        names = qtyping.TFLOperationName
        for operation, bits in ((names.ALL_SUPPORTED, 8), (names.FULLY_CONNECTED, 4)):
            manager.add_weight_only_config(regex=".*", operation_name=operation, num_bits=bits)
        quantize_source(source, target, manager.get_quantization_recipe())
        if all(tensor.type != "INT4" for tensor in read_graph(target).tensors):
            raise ConversionError(
                f"{self.name} stored nothing in int4", expected="a matrix product with a weight", hint="choose int8-weights"
            )
        return None
