"""OpenVINO in int8 with ranges fixed by calibration."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, Samples

from ._batches import batches, calibration_batch
from ._openvino import import_nncf, import_openvino, read_model, save_model
from .base import Node
from .layers import openvino as openvino_layers
from .quantizer import StaticQuantizer

_FLOAT = "LSTMSequence"


class OpenvinoInt8(StaticQuantizer):
    """NNCF's post-training quantization over all calibration samples: symmetric weights per channel, activations symmetric or not as they
    are signed or not (the preset MIXED), biases corrected.

    LSTM layers stay float: quantized, they cost five to six points of accuracy.
    """

    name = "openvino_int8"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.INT8)
    extra = "convert"
    distributions = ("openvino", "nncf")
    settings = {"preset": "mixed", "ignored": _FLOAT}  # noqa: RUF012 - read-only

    def calibrate(self, source: Artifact, samples: Samples, work: Path) -> _Calibrated:  # noqa: ARG002 - NNCF leaves no files
        """The model with folded constants; NNCF calibrates in each call."""
        return _Calibrated(source, samples)


class _Calibrated:
    """NNCF."""

    file_name = Format.OPENVINO.file_name

    def __init__(self, source: Artifact, samples: Samples) -> None:
        self._source = source
        self._samples = samples
        signature = source.manifest.signature
        self._exact = not signature.has_free_batch
        self._batch = calibration_batch(signature)
        self._model = read_model(source.model_file)
        self.layers = openvino_layers.layers(self._model)

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Quantize."""
        nncf = import_nncf()
        # One sample at a time where the batch is free: NNCF's statistics are means over calls.
        items = list(batches(self._samples, self._batch if self._exact else 1, exact=self._exact))
        types = [_FLOAT] if any(layer.kind == _FLOAT for layer in self.layers) else []
        save_model(
            nncf.quantize(
                self._model,
                nncf.Dataset(items),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(items),
                ignored_scope=nncf.IgnoredScope(names=list(keep_float), types=types) if types or keep_float else None,
            ),
            target,
            self._source,
        )

    def outputs(self, file: Path | None) -> Iterator[dict[str, np.ndarray]]:
        """By OpenVINO's CPU in float32 where it is not in integers."""
        openvino = import_openvino()
        compiled = openvino.Core().compile_model(file or self._source.model_file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        names = [spec.name for spec in self._source.manifest.signature.outputs]
        for feed in batches(self._samples, self._batch, exact=self._exact):
            found: Any = compiled(feed)
            yield {name: np.array(found[name]) for name in names}
