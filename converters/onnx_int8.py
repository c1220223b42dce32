"""ONNX in int8 with ranges fixed by calibration."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Format, Precision, Signature, without_telemetry

from ._batches import batches, calibration_batch
from ._noise import keep_quieter
from ._onnx import read_model, signal_to_noise, write_model
from ._onnx_outputs import float_outputs
from .base import Converter, Node, Recipe

_PER_CHANNEL = 13  # The first opset whose DequantizeLinear has an axis.
_CONSTANT_WEIGHTS = 4  # The first version of the format in which a weight need not be an input.
_ELEMENTWISE = frozenset(["Add", "Mul", "Sigmoid", "Softmax"])


class OnnxInt8(Converter):
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

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        without_telemetry()
        import onnx
        from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

        assert recipe.calibration is not None
        signature = source.manifest.signature
        samples = recipe.calibration.fit(signature)
        size = calibration_batch(signature)

        def feeds() -> Iterator[dict[str, Any]]:
            return batches(samples, size, exact=not signature.has_free_batch)

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def __init__(self) -> None:
                self._feeds = feeds()

            def get_next(self) -> dict[str, Any] | None:
                return next(self._feeds, None)

        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            clean = prepared(source.model_file, Path(work))
            quantized = Path(work) / "int8.onnx"

            operators = sorted({*QDQRegistry, *QLinearOpsRegistry})

            def write(file: Path, operators: Sequence[str]) -> None:
                quantize_static(
                    str(clean),
                    str(quantized),
                    Reader(),
                    quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=list(operators),
                    per_channel=True,
                    reduce_range=False,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    calibrate_method=CalibrationMethod.MinMax,
                )
                model = onnx.load(quantized)
                float_outputs(model.graph)
                write_model(model, file)

            write(target, operators)
            keep_quieter(
                target,
                ratio=lambda file: signal_to_noise(clean, file, feeds()),
                again=lambda file: write(file, [each for each in operators if each not in _ELEMENTWISE]),
            )
        return None


def prepared(file: Path, work: Path) -> Path:
    """The model with its shapes inferred and its constants folded, as the quantizers want it, in the folder `work`.

    Symbolic shape inference is left out: torch's exporter wrote the shapes already, and it would import torch.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    clean, target = work / "clean.onnx", work / "prepared.onnx"
    write_model(_modern(read_model(file)), clean)
    quant_pre_process(str(clean), str(target), skip_symbolic_shape=True)
    model = read_model(target)
    _own_weights(model.graph)
    write_model(model, target)
    return target


def _modern(model: Any) -> Any:
    """The model with its weights as constants and not as inputs with a default, and with operators of opset 13 at least, the first in which
    a quantization has a scale for each channel.
    """
    from onnx.version_converter import convert_version

    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, _CONSTANT_WEIGHTS)
    opset = next(entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"})
    return convert_version(model, _PER_CHANNEL) if opset < _PER_CHANNEL else model


def _own_weights(graph: Any) -> None:
    """Give each node a copy of a matrix that several use: the quantizer would give all of them the scales of one, along its axis."""
    matrices = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) > 1}
    seen: set[str] = set()
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in matrices and name in seen:
                own = graph.initializer.add()
                own.CopyFrom(matrices[name])
                own.name = node.input[place] = f"{name}/{node.name or node.output[0]}/{place}"
            seen.add(name)
