"""OpenVINO in half precision."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision
from toolkit.formats.parts.openvino_core import openvino_core
from toolkit.formats.parts.openvino_model import read_model

from ..base import Converter, Made, Node, Recipe
from ..batches import calibration_feeds
from ..half import Halves, few, leaves_range, write_half
from ..noise import Exact
from ..openvino import save_model

_PRECISE = "precise_0"
"""How OpenVINO marks a weight that is not compressed: its attribute DisableFP16Compression."""


class OpenvinoFp16(Converter):
    """Weights stored in float16; a device with float16 arithmetic computes in it, a processor without brings the weights back to
    float32 when it opens the file. Weights beyond 65504, float16's largest number, keep float32, and on calibration samples, where there
    are some, so do those of runs of operations that lose too much.
    """

    name = "openvino_fp16"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.FP16)
    extra = "convert"
    distributions = ("openvino",)
    settings = {"beyond": "float32"}  # noqa: RUF012 - read-only
    uses_samples = True

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Made:
        signature = source.manifest.signature
        weights = [node for node in read_model(source.model_file).get_ordered_ops() if _is_weight(node)]
        large = frozenset(node.get_friendly_name() for node in weights if leaves_range(node.get_data()))

        def write(file: Path, kept: Collection[str]) -> None:
            model = read_model(source.model_file)
            for node in model.get_ordered_ops():
                if node.get_friendly_name() in kept:
                    node.get_rt_info()[_PRECISE] = ""
            save_model(model, file, source, compress_to_fp16=True)

        samples = self.samples_of(source, recipe)
        if samples is None:
            write(target, large)
            return Made()
        samples = few(samples)

        def outputs(file: Path) -> Iterator[Mapping[str, np.ndarray]]:
            compiled = openvino_core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            names = [spec.name for spec in signature.outputs]
            for feed in calibration_feeds(samples, signature):
                found: Any = compiled(feed)
                yield {name: np.array(found[name]) for name in names}

        names = [node.get_friendly_name() for node in weights]
        return write_half(target, Halves(names, large, write, outputs, Exact(lambda: outputs(source.model_file))))


def _is_weight(node: Any) -> bool:
    return bool(node.get_type_name() == "Constant" and node.get_element_type().get_type_name() == "f32")
