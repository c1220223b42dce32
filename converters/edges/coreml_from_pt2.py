"""torch.export archive to Core ML."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe
from ..coreml import write_coreml


class CoreMlFromPt2(Converter):
    """Computes in float32. For iOS 16, macOS 13 and later."""

    name = "coreml_from_pt2"
    source = Node(Format.PT2, Precision.FP32)
    target = Node(Format.COREML, Precision.FP32)
    extra = "coreml"
    distributions = ("torch", "coremltools")
    settings = {"minimum_deployment_target": "iOS16"}  # noqa: RUF012 - read-only

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        write_coreml(source, target, half=False, deployment=str(self.settings["minimum_deployment_target"]))
        return None
