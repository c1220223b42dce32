"""ExecuTorch in int8 with ranges fixed by calibration, by torch's quantization of exported programs (PT2E)."""

from __future__ import annotations

from typing import Any

from toolkit.core import Artifact, Format, Precision

from ..base import Node, Recipe
from ..batches import calibration_feeds
from ..executorch import ToExecutorch


class ExecutorchInt8(ToExecutorch):
    """Convolutions, matrix products with weights, sums, products and what stands beside them, as XNNPACK's quantizer marks them: symmetric
    int8 weights per channel, asymmetric int8 activations whose ranges lose least of a histogram of the calibration samples. It starts
    from the float archive: a ``.pte`` file cannot be quantized any more. Inputs and outputs stay float32.
    """

    name = "executorch_int8"
    target = Node(Format.EXECUTORCH, Precision.INT8)
    settings = {**ToExecutorch.settings, "ranges": "histogram", "border": "float32"}  # noqa: RUF012 - read-only
    choices = {"per_channel": (True, False)}  # noqa: RUF012 - read-only

    def _prepared(self, module: Any, source: Artifact, recipe: Recipe) -> Any:
        import torch
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        assert recipe.calibration is not None
        signature = source.manifest.signature
        samples = recipe.calibration.fit(signature)
        config = get_symmetric_quantization_config(is_per_channel=bool(self.choice(recipe, "per_channel")))
        observed = prepare_pt2e(module, XNNPACKQuantizer().set_global(config))
        with torch.no_grad():
            for feed in calibration_feeds(samples, signature):
                observed(*(torch.from_numpy(feed[spec.name]) for spec in signature.inputs))
        return convert_pt2e(observed)
