"""OpenVINO in int8 with ranges fixed by calibration."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ._batches import batches
from ._openvino import import_nncf, read_model, save_model
from .base import Converter, Node, Recipe


class OpenvinoInt8(Converter):
    """NNCF's post-training quantization over all calibration samples: symmetric weights per channel, activations symmetric or not as they
    are signed or not (the preset MIXED), biases corrected.

    LSTM layers stay float: quantized, they cost five to six points of accuracy.
    """

    name = "openvino_int8"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.INT8)
    extra = "convert"
    distributions = ("openvino", "nncf")
    settings = {"preset": "mixed", "ignored": "LSTMSequence"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        nncf = import_nncf()
        assert recipe.calibration is not None
        signature = source.manifest.signature
        samples = recipe.calibration.fit(signature)
        fixed = [size for spec in signature.inputs if isinstance(size := spec.shape[0], int)]
        items = list(batches(samples, fixed[0] if fixed else 1, exact=bool(fixed)))
        model = read_model(source.model_file)
        ignored = sorted({str(self.settings["ignored"])} & {node.get_type_name() for node in model.get_ops()})
        quantized = nncf.quantize(
            model,
            nncf.Dataset(items),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(items),
            ignored_scope=nncf.IgnoredScope(types=ignored) if ignored else None,
        )
        save_model(quantized, target, source)
        return None
