"""TF Lite in half precision."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..tflite import quantize


class TfliteFp16(Converter):
    """Weights stored in float16, each behind a DEQUANTIZE; a GPU computes in float16, a processor in float32."""

    name = "tflite_fp16"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.FP16)
    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    settings = {"algorithm": "float_casting"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager

        manager = recipe_manager.RecipeManager()
        manager.add_quantization_config(
            regex=".*",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
            op_config=qtyping.OpQuantizationConfig(
                weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
        )
        quantize(source.model_file, target, manager.get_quantization_recipe(), signature=source.manifest.signature)
        return None
