"""Core ML in half precision."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..coreml import write_coreml


class CoreMlFp16(Converter):
    """Weights and computation in float16, which the neural engine needs; inputs and outputs stay float32. From the .pt2 archive, because
    coremltools chooses the precision while it converts. For iOS 16, macOS 13 and later.
    """

    name = "coreml_fp16"
    source = Node(Format.PT2, Precision.FP32)
    target = Node(Format.COREML, Precision.FP16)
    extra = "coreml"
    distributions = ("torch", "coremltools")
    settings = {"minimum_deployment_target": "iOS16"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        write_coreml(source, target, half=True, deployment=str(self.settings["minimum_deployment_target"]))
        return None
