"""OpenVINO computing in bfloat16."""

from __future__ import annotations

import shutil
from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Converter, Node, Recipe


class OpenvinoBf16(Converter):
    """The float32 files unchanged: bfloat16 is how the engine computes, not how it stores, so the manifest's precision is what tells a
    session to ask for it.
    """

    name = "openvino_bf16"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.BF16)
    extra = "convert"
    distributions = ()

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        for name in source.manifest.files:
            shutil.copyfile(source.path / name, target.parent / name)
        return None
