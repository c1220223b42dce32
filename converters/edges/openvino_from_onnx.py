"""ONNX to OpenVINO's own format."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, ConversionError, Format, Precision, Signature, words_of
from toolkit.formats.parts.openvino_model import read_model

from ..base import Converter, Node, Recipe
from ..onnx import fix_sizes
from ..onnx import read_model as read_onnx
from ..onnx_branches import fold_branches
from ..openvino import save_model
from ..openvino_rewrites import rewrite


class OpenvinoFromOnnx(Converter):
    """The graph as it is, weights in float32.

    From ONNX and not from torch, because the direct way loses names and can free every dimension. Where a branch decides a rank, the file
    is made for the sizes that are fixed, or that the samples have.
    """

    name = "openvino_from_onnx"
    source = Node(Format.ONNX, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.FP32)
    extra = "convert"
    distributions = ("openvino", "onnx")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:  # noqa: ARG002
        proto = read_onnx(source.model_file)
        fold = not self.source.precision.is_quantized
        try:
            save_model(self._model(proto, source.model_file, fold=fold), target, source)
            return None
        except Exception as error:
            signature = source.manifest.signature
            sizes = dict(next(iter(signature.fixes), {}))
            # A rank that a branch decides OpenVINO does not take.
            if not fold_branches(proto, signature, sizes):
                single = [spec.name for spec in signature.inputs if set(spec.shape) <= {1}]
                if single and any(node.op_type == "If" for node in proto.graph.node):
                    raise ConversionError(
                        f"OpenVINO does not take a branch that an input decides: {words_of(error)}",
                        hint=f"make it a constant, with its number: --set {single[0]}=NUMBER",
                    ) from error
                raise
            fix_sizes(proto, sizes)
            fixed = replace(signature.fixed(sizes), fixes=())
            with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
                file = Path(folder) / source.model_file.name
                file.write_bytes(proto.SerializeToString())
                try:
                    model = read_model(file, fold=fold)
                    save_model(model, target, replace(source, manifest=replace(source.manifest, signature=fixed)))
                except Exception:
                    raise error from None
            return fixed if sizes else None

    @staticmethod
    def _model(proto: Any, file: Path, *, fold: bool) -> Any:
        """OpenVINO's model of a file, of a copy where it has to be another one."""
        if not rewrite(proto):
            return read_model(file, fold=fold)
        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            copy = Path(folder) / file.name
            copy.write_bytes(proto.SerializeToString())
            return read_model(copy, fold=fold)
