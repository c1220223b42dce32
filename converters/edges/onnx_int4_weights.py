"""ONNX with weights stored in int4."""

from __future__ import annotations

import logging
from pathlib import Path

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature, without_telemetry

from ..base import Converter, Node, Recipe
from ..onnx import read_modern, write_model
from .onnx_int8_weights import compress_weights

_PRODUCT = "MatMulNBits"


class OnnxInt4Weights(Converter):
    """The weights of matrix products as symmetric int4 with a float32 scale for each group, in onnxruntime's operator MatMulNBits, which
    OpenVINO reads too; those of convolutions as int8 with a scale a channel. Computation is float. The last group of a channel is filled
    up with zeros; biases and embeddings stay float.
    """

    name = "onnx_int4_weights"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.INT4_WEIGHTS)
    extra = "convert"
    distributions = ("onnx", "onnxruntime")
    settings = {"symmetric": True, "group_size": 32, "operator": _PRODUCT}  # noqa: RUF012 - read-only
    choices = {"group_size": (32, 16, 64, 128, 256)}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        without_telemetry()
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
        from onnxruntime.quantization.onnx_model import ONNXModel

        logging.getLogger(MatMulNBitsQuantizer.__module__).setLevel(logging.WARNING)
        products = ONNXModel(read_modern(source.model_file))
        products.replace_gemm_with_matmul()
        quantizer = MatMulNBitsQuantizer(products.model, bits=4, block_size=int(self.choice(recipe, "group_size")), is_symmetric=True)
        quantizer.process()
        model = quantizer.model.model
        if all(node.op_type != _PRODUCT for node in model.graph.node):
            raise ConversionError(
                f"{self.name} stored nothing in int4", expected="a matrix product with a weight", hint="choose int8-weights"
            )
        compress_weights(model)
        write_model(model, target)
        return None
