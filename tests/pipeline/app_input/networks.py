"""Manifests of networks that take a picture, a recording, a text; no file is behind them."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Manifest, Precision, Preprocessing, Signature, TensorSpec

OUTPUTS = (TensorSpec("y", "float32", ("batch", 2)),)


def taking(spec: str, preprocessing: Preprocessing, *, layout: str = "") -> Artifact:
    """An artifact whose only input is `spec`."""
    parsed = TensorSpec.parse(spec)
    signature = Signature((TensorSpec(parsed.name, parsed.dtype, parsed.shape, layout),), OUTPUTS)
    manifest = Manifest("net", Format.ONNX, Precision.FP32, signature, {}, "", preprocessing=preprocessing)
    return Artifact(Path("onnx-fp32"), manifest)
