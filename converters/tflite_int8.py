"""TF Lite in int8 with ranges fixed by calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Format, Precision, Samples, Signature

from ._noise import keep_quieter
from ._tflite import calibrate, quantize, signal_to_noise
from .base import Converter, Node, Recipe

_STATE = ("ADD", "SUB", "MUL", "TANH", "LOGISTIC")


class TfliteInt8(Converter):
    """Every operator that AI Edge Quantizer can, with symmetric int8 weights per channel and asymmetric int8 activations per tensor;
    inputs and outputs stay float32 outside, quantized at the border. Transposed convolutions stay float32 where the quantizer would break
    the file with them; sums, products and squashing functions do where that gives less noise and the outputs had too much on the
    calibration samples: a recurrence rounds its state at each of them in each step.
    """

    name = "tflite_int8"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.INT8)
    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    settings = {"recipe": "static_wi8_ai8", "border": "float32", "ranges": "minmax", "broken": "float", "noisy": "float state"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        from ai_edge_quantizer import recipe as recipes

        assert recipe.calibration is not None
        signature = source.manifest.signature
        # Without these two the files' own inputs and outputs become int8, and the signature would no longer be the model's.
        border = [_float(operation) for operation in ("INPUT", "OUTPUT")]
        static = [*recipes.static_wi8_ai8(), *border]
        samples = recipe.calibration.fit(signature)
        try:
            _quantize(source, target, static, samples)
        except ValueError:
            # The quantizer takes what is added behind a transposed convolution for its bias, and gives it one scale for each channel of
            # the weights: no interpreter opens such a file.
            static = [*static, _float("CONV_2D_TRANSPOSE")]
            _quantize(source, target, static, samples)
        except RuntimeError as error:
            # A split of which one part is not read gets no scale for it, and no interpreter opens such a file.
            if "SPLIT" not in str(error):
                raise
            static = [*static, _float("SPLIT")]
            _quantize(source, target, static, samples)
        keep_quieter(
            target,
            ratio=lambda file: signal_to_noise(source.model_file, file, samples),
            again=lambda file: _quantize(source, file, [*static, *map(_float, _STATE)], samples),
        )
        return None


def _quantize(source: Artifact, target: Path, recipe: list[dict[str, Any]], samples: Samples) -> None:
    ranges = calibrate(source.model_file, recipe, samples, source.manifest.signature)
    quantize(source, target, recipe, ranges)


def _float(operation: str) -> dict[str, Any]:
    """The rule by which an operation stays as it is."""
    return {"regex": ".*", "operation": operation, "algorithm_key": "no_quantize", "op_config": {}}
