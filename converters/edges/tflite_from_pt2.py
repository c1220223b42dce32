"""torch.export archive to TF Lite, by litert-torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Format, Precision, Signature

from ..base import Node, Recipe
from ..pt2 import flat_module, load_program, plain_attention
from ..rewrites import concatenate_repeats, multiply_fourier
from ..tflite import ToTflite, check, fixed_sizes, name_operators, quiet


class TfliteFromPt2(ToTflite):
    """One signature for each of the recipe's batch sizes, named ``b1``, ``b32`` and so on, because the format's free batch does not survive
    the conversion; the weights are stored once. Names are kept; int64 inputs and outputs become int32.
    """

    name = "tflite_from_pt2"
    source = Node(Format.PT2, Precision.FP32)
    distributions = ("torch", "litert-torch", "litert-converter", "ai-edge-litert")

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        signature = source.manifest.signature
        sizes = fixed_sizes(signature, recipe.batch_sizes)
        quiet()
        import torch

        with warnings.catch_warnings():
            # torchao, which litert-torch imports, warns of its own use of torch; nobody here can act on it.
            warnings.simplefilter("ignore")
            import litert_torch

        program = flat_module(load_program(source.model_file))
        concatenate_repeats(program)
        multiply_fourier(program)
        module = _named(program, signature)
        signatures: Any = litert_torch
        for size in sizes:
            example = {spec.name: torch.zeros(spec.concrete(size), dtype=getattr(torch, spec.dtype)) for spec in signature.inputs}
            signatures = signatures.signature(f"b{size}", module, sample_kwargs=example)
        with plain_attention(), torch.no_grad():
            signatures.convert().export(str(target))
        name_operators(target)
        check(target, signature, sizes)
        return None


def _named(program: Any, signature: Signature) -> Any:
    """The program as a module that takes and returns tensors by the signature's names, which become the file's."""
    import torch

    inputs = [spec.name for spec in signature.inputs]
    outputs = [spec.name for spec in signature.outputs]

    class Named(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.program = program
            # An exported program refuses train() and eval(), and litert-torch asks for a module in evaluation mode.
            self.training = False

        def forward(self, **arrays: Any) -> dict[str, Any]:
            return dict(zip(outputs, self.program.forward(*(arrays[name] for name in inputs)), strict=True))

    return Named()
