"""Making .pt2 artifacts and walking the conversion graph from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.converters.base import Node, Recipe
from toolkit.converters.planner import plan
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Signature, new_folder, sha256_of

if TYPE_CHECKING:
    from torch import nn

START = Node(Format.PT2, Precision.FP32)


def export(folder: Path, net: nn.Module, example: tuple[Any, ...], signature: Signature, model: str) -> Artifact:
    """A .pt2 artifact with a free batch."""
    import torch

    batch = torch.export.Dim("batch", min=1)
    with new_folder(folder) as work:
        program = torch.export.export(net.eval(), example, dynamic_shapes=tuple({0: batch} for _ in example))
        torch.export.save(program, work / "model.pt2")
        manifest = Manifest(
            model, Format.PT2, Precision.FP32, signature, {"model.pt2": sha256_of(work / "model.pt2")}, "train", labels=tuple("0123456789")
        )
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)


def convert_all(source: Artifact, targets: set[Node], recipe: Recipe) -> dict[Node, Artifact]:
    made = {START: source}
    for target in sorted(targets, key=lambda node: (len(plan(START, node)), str(node))):
        for converter in plan(START, target):
            if converter.target not in made:
                out = source.path.parent / str(converter.target)
                made[converter.target] = converter.convert(made[converter.source], out, recipe)
    return made
