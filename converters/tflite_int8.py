"""TF Lite in int8 with ranges fixed by calibration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, Samples

from ._tflite import calibrate, outputs, quantize
from .base import Node
from .layers import tflite as tflite_layers
from .quantizer import StaticQuantizer

_TRANSPOSED, _SPLIT = "CONV_2D_TRANSPOSE", "SPLIT"


class TfliteInt8(StaticQuantizer):
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
    fragile = frozenset({"ADD", "SUB", "MUL", "TANH", "LOGISTIC"})

    def calibrate(self, source: Artifact, samples: Samples, work: Path) -> _Calibrated:  # noqa: ARG002 - the ranges stay in memory
        """The file with the ranges of all its tensors."""
        return _Calibrated(source, samples)


class _Calibrated:
    """AI Edge Quantizer."""

    file_name = Format.TFLITE.file_name

    def __init__(self, source: Artifact, samples: Samples) -> None:
        from ai_edge_quantizer import recipe as recipes

        self._source = source
        self._samples = samples
        # Without these two the files' own inputs and outputs become int8, and the signature would no longer be the model's.
        self._recipe = [*recipes.static_wi8_ai8(), *(_float(operation) for operation in ("INPUT", "OUTPUT"))]
        self._ranges = calibrate(source.model_file, self._recipe, samples, source.manifest.signature)
        self.layers = tflite_layers.layers(source.model_file)

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Quantize."""
        # The quantizer knows an operator by its outputs' names, each followed by a semicolon.
        kept = [_float("*", rf"(^|;)[^;]*/{re.escape(name)}(;|$)") for name in keep_float]
        rules = [*self._recipe, *kept]
        try:
            quantize(self._source, target, rules, self._ranges)
        except ValueError:
            # It takes what is added behind a transposed convolution for its bias, and gives it one scale for each channel of the
            # weights: no interpreter opens such a file.
            quantize(self._source, target, [*rules, _float(_TRANSPOSED)], self._ranges)
        except RuntimeError as error:
            # A split of which one part is not read gets no scale for it, and no interpreter opens such a file.
            if _SPLIT not in str(error):
                raise
            quantize(self._source, target, [*rules, _float(_SPLIT)], self._ranges)

    def outputs(self, file: Path | None) -> Iterator[dict[str, np.ndarray]]:
        """By LiteRT."""
        return outputs(file or self._source.model_file, self._samples)


def _float(operation: str, scope: str = ".*") -> dict[str, Any]:
    """The rule by which an operation stays as it is."""
    return {"regex": scope, "operation": operation, "algorithm_key": "no_quantize", "op_config": {}}
