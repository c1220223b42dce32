"""A SavedModel to TF Lite, by TensorFlow's own converter."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Node, Recipe
from ..tensorflow import from_savedmodel, write_tflite
from ..tflite import ToTflite, variants_of


class TfliteFromSavedmodel(ToTflite):
    """One signature for each of the recipe's batch sizes, as in every TF Lite file here; recurrent layers need a fixed batch anyway."""

    name = "tflite_from_savedmodel"
    source = Node(Format.SAVEDMODEL, Precision.FP32)
    distributions = ("tensorflow", "ai-edge-litert")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        signature = source.manifest.signature
        variants = variants_of(signature, recipe.batch_sizes)
        function = from_savedmodel(source.model_file, signature)
        return write_tflite(lambda _: function, signature, variants, target)
