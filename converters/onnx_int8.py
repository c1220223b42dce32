"""ONNX in int8 with ranges fixed by calibration."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, Samples, without_telemetry

from ._batches import batches, calibration_batch
from ._onnx import prepared, read_model, write_model
from ._onnx_outputs import float_outputs
from .base import Node
from .layers import onnx as onnx_layers
from .quantizer import StaticQuantizer


class OnnxInt8(StaticQuantizer):
    """Every operator that onnxruntime can quantize, as QuantizeLinear/DequantizeLinear pairs; int8 weights per channel, uint8 activations
    per tensor with the smallest and largest value that the calibration samples reach. The outputs themselves are not rounded. Sums,
    products and squashing functions stay float32 where that gives less noise and the outputs had too much on the calibration samples:
    what masks a score with -10,000 leaves one step of 256 for all the others.

    With int8 activations a residual net of 6 x 64 on 9 x 9 was a quarter as fast: onnxruntime fuses and packs x86 convolutions for
    uint8 times int8 only. The weights use all 8 bits (no ``reduce_range``), which is exact where the processor has VNNI or is an ARM;
    on x86 without VNNI sums of two such products can saturate, so verify the artifact there.
    """

    name = "onnx_int8"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.ONNX, Precision.INT8)
    extra = "convert"
    distributions = ("onnx", "onnxruntime")
    settings = {  # noqa: RUF012 - read-only
        "ranges": "minmax",
        "per_channel": True,
        "activations": "uint8",
        "reduce_range": False,
        "outputs": "float",
        "shared_weights": "copied",
        "noisy": "float elementwise",
    }
    fragile = frozenset({"Add", "Mul", "Sigmoid", "Softmax"})

    def calibrate(self, source: Artifact, samples: Samples, work: Path) -> _Calibrated:
        """The graph with folded constants."""
        return _Calibrated(source, samples, work)


class _Calibrated:
    """onnxruntime's quantizer, which keeps the ranges in a file."""

    file_name = Format.ONNX.file_name

    def __init__(self, source: Artifact, samples: Samples, work: Path) -> None:
        without_telemetry()
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

        self._signature = source.manifest.signature
        self._samples = samples
        self._work = work
        self._clean = prepared(source.model_file, work)
        self._kinds = sorted({*QDQRegistry, *QLinearOpsRegistry})
        self.layers = onnx_layers.layers(read_model(self._clean), self._kinds)

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Quantize; the first call calibrates."""
        import onnx
        from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

        feeds = self._feeds()

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def get_next(self) -> dict[str, Any] | None:
                return next(feeds, None)

        quantize_static(
            str(self._clean),
            str(quantized := self._work / "int8.onnx"),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=self._kinds,
            nodes_to_exclude=list(keep_float),
            per_channel=True,
            reduce_range=False,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            calibration_cache_path=str(self._work / "ranges.json"),
        )
        model = onnx.load(quantized)
        float_outputs(model.graph)
        write_model(model, target)

    def outputs(self, file: Path | None) -> Iterator[dict[str, np.ndarray]]:
        """By onnxruntime."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file or self._clean), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        for feed in self._feeds():
            yield dict(zip(names, session.run(names, feed), strict=True))

    def _feeds(self) -> Iterator[dict[str, np.ndarray]]:
        return batches(self._samples, calibration_batch(self._signature), exact=not self._signature.has_free_batch)
