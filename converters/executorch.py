"""What the edges to ExecuTorch share: an exported program whose operators XNNPACK takes where it can."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Format, InputError, Precision, Scalar, Signature

from .base import Converter, Node, Recipe
from .batches import fixes_of, numbered
from .complex_numbers import without_complex
from .pt2 import export, flat_module, load_program


class ToExecutorch(Converter):
    """An edge from a torch.export archive. The file holds a memory plan, so a free batch gets an upper bound, the largest of the recipe's
    batch sizes; a session puts larger ones together.
    """

    source = Node(Format.PT2, Precision.FP32)
    extra = "executorch"
    distributions = ("torch", "torchao", "executorch")
    settings = {"delegate": "xnnpack"}  # noqa: RUF012 - read-only

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """As every edge, with the bound."""
        return super().recipe_record(recipe) | {"largest_batch": max(recipe.batch_sizes, default=0)}

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Signature | None:
        signature = source.manifest.signature
        sizes = fixes_of(signature, "ExecuTorch, which plans its memory,")[0]
        fixed = signature.fixed(sizes)
        largest = _largest(recipe)
        with warnings.catch_warnings():
            # The exporter and torchao, which it imports, warn of their own use of torch; nobody here can act on it.
            warnings.simplefilter("ignore")
            module = self._prepared(flat_module(without_complex(load_program(source.model_file), signature)), source, recipe)
            program = export(module, fixed, largest=largest)
            _lower(program, target)
        return numbered(signature, sizes, _shapes(program, fixed)) if sizes else None

    def _prepared(self, module: Any, source: Artifact, recipe: Recipe) -> Any:  # noqa: ARG002 - for a quantizer
        """The network as it is to be lowered, from `flat_module`."""
        return module


def _shapes(program: Any, signature: Signature) -> list[Sequence[int]]:
    """The outputs' for two samples."""
    import torch

    inputs = [torch.zeros(signature.shape(spec, 2), dtype=getattr(torch, spec.dtype)) for spec in signature.inputs]
    with torch.no_grad():
        return [tuple(found.shape) for found in program.module(check_guards=False)(*inputs)]


def _largest(recipe: Recipe) -> int:
    if not recipe.batch_sizes or min(recipe.batch_sizes) < 1:
        raise InputError("batch sizes", expected="at least one, each 1 or more", got=str(list(recipe.batch_sizes)))
    # A dimension with a single size would be fixed.
    return max(2, *recipe.batch_sizes)


def _lower(program: Any, target: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import ExecutorchBackendConfig, to_edge_transform_and_lower
    from executorch.exir.passes.sym_shape_eval_pass import ConstraintBasedSymShapeEvalPass

    with torch.no_grad():
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        # By default memory is planned for the sizes of the example.
        plan = ExecutorchBackendConfig(sym_shape_eval_pass=ConstraintBasedSymShapeEvalPass())
        target.write_bytes(lowered.to_executorch(plan).buffer)
