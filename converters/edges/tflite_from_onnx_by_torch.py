"""ONNX to TF Lite, by way of PyTorch: what the planner tries where onnx2tf fails or its result diverges."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Node, Recipe
from ..litert import write_by_litert
from ..onnx import folded, read_model
from ..onnx_torch import OnnxModule
from ..tflite import ToTflite, variants_of


class TfliteFromOnnxByTorch(ToTflite):
    """Each operator of the graph becomes one of PyTorch's, and litert-torch converts that network, which never has to guess the order of
    an image's axes. Branches and loops whose condition follows from the sizes are gone.
    """

    name = "tflite_from_onnx_by_torch"
    source = Node(Format.ONNX, Precision.FP32)
    fallback = True
    distributions = ("onnx", "torch", "litert-torch", "litert-converter", "ai-edge-litert")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        signature = source.manifest.signature
        variants = variants_of(signature, recipe.batch_sizes)

        @functools.cache
        def module_of(sizes: tuple[tuple[str, int], ...]) -> Any:
            with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
                return OnnxModule(read_model(folded(source.model_file, Path(folder), sizes=dict(sizes), signature=signature)), signature)

        return write_by_litert(lambda sizes: module_of(tuple(sizes.items())), signature, variants, target)
