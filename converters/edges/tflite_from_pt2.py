"""torch.export archive to TF Lite, by litert-torch."""

from __future__ import annotations

from pathlib import Path

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Node, Recipe
from ..complex_numbers import without_complex
from ..litert import write_by_litert
from ..pt2 import flat_module, load_program
from ..rewrites import concatenate_repeats, multiply_grids, store_constants
from ..tflite import ToTflite, variants_of


class TfliteFromPt2(ToTflite):
    """One signature for each of the recipe's batch sizes, named ``b1``, ``b32`` and so on, because the format's free batch does not survive
    the conversion; the weights are stored once. Names are kept; int64 inputs and outputs become int32.
    """

    name = "tflite_from_pt2"
    source = Node(Format.PT2, Precision.FP32)
    distributions = ("torch", "litert-torch", "litert-converter", "ai-edge-litert")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        signature = source.manifest.signature
        program = flat_module(without_complex(load_program(source.model_file), signature))
        concatenate_repeats(program)
        multiply_grids(program)
        store_constants(program)
        return write_by_litert(lambda _: program, signature, variants_of(signature, recipe.batch_sizes), target)
