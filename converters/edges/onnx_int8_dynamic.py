"""ONNX in int8 with activation ranges measured at run time."""

from __future__ import annotations

import tempfile
from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature, without_telemetry

from ..base import Converter, Node, Recipe
from ..onnx import prepared, write_model
from ..onnx_complete import put_in_order


class OnnxInt8Dynamic(Converter):
    """MatMul and Gemm in int8, weights per channel; everything else stays float.

    Convolutions are left alone: with them, onnxruntime's dynamic int8 was four to seven times slower than float.
    """

    name = "onnx_int8_dynamic"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.INT8_DYNAMIC)
    extra = "convert"
    distributions = ("onnx", "onnxruntime")
    settings = {"operators": "MatMul,Gemm", "per_channel": True}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        without_telemetry()
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            quantize_dynamic(
                str(prepared(source.model_file, Path(work))),
                str(quantized := Path(work) / "int8.onnx"),
                op_types_to_quantize=["MatMul", "Gemm"],
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
            model = onnx.load(quantized)
            put_in_order(model.graph)
            write_model(model, target)
        return None
