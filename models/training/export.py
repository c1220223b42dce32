"""A network as a self-contained ``.pt2`` artifact, which runs without the code that built it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.core import (
    MANIFEST,
    Artifact,
    ConversionError,
    Format,
    InputError,
    Manifest,
    Precision,
    Preprocessing,
    Scalar,
    Signature,
    needs,
    new_folder,
    sha256_of,
    version_of,
)

if TYPE_CHECKING:
    from torch import nn

EDGE = "torch_export"
# With an example batch of 1 the exporter fixes the batch of recurrent and attention layers without a word.
_EXAMPLE_BATCH = 2


def export_pt2(
    module: nn.Module,
    *,
    signature: Signature,
    out: Path,
    model: str,
    recipe: Mapping[str, Scalar] | None = None,
    labels: tuple[str, ...] = (),
    preprocessing: Preprocessing | None = None,
    data: str = "",
    details: Mapping[str, Scalar] | None = None,
) -> Artifact:
    """Write a network on the CPU, in evaluation mode, as the artifact folder `out`, which appears whole or not at all.

    Every symbol of `signature`'s inputs stays free. The module is left in evaluation mode.

    Raises:
        InputError: a weight is NaN or infinite; the tensor is named.
        ConversionError: torch cannot export the network with these free dimensions.
    """
    with needs("train"):
        import torch
    check_finite(module)
    module = module.eval().to(memory_format=torch.contiguous_format)
    file_name = Format.PT2.file_name
    with new_folder(out) as work:
        try:
            with warnings.catch_warnings():
                # A recurrent layer makes its list of weights anew while it is traced, with the same weights.
                warnings.filterwarnings("ignore", message=r"(?s).*_flat_weights.*assigned during export", category=UserWarning)
                program = torch.export.export(module, _examples(signature), dynamic_shapes=_free_dimensions(signature))
        except Exception as error:
            text = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise ConversionError(f"torch cannot export '{model}': {text}") from error
        _forget_source(program)
        torch.export.save(program, work / file_name)
        manifest = Manifest(
            model=model,
            format=Format.PT2,
            precision=Precision.FP32,
            signature=signature,
            files={file_name: sha256_of(work / file_name)},
            edge=EDGE,
            recipe=dict(recipe or {}),
            versions={name: version for name in ("torch", "numpy") if (version := version_of(name))},
            labels=labels,
            preprocessing=preprocessing,
            data=data,
            details=dict(details or {}),
        )
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(out)


def check_finite(module: nn.Module) -> None:
    """Raise `InputError` naming the first weight or buffer that holds NaN or infinity."""
    import torch

    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(
                f"the weights '{name}' hold NaN or infinity", expected="finite numbers", hint="train again, or load other weights"
            )


def _examples(signature: Signature) -> tuple[Any, ...]:
    import torch

    return tuple(torch.zeros(spec.concrete(_EXAMPLE_BATCH, free=3), dtype=getattr(torch, spec.dtype)) for spec in signature.inputs)


def _free_dimensions(signature: Signature) -> tuple[dict[int, Any], ...]:
    from torch.export import Dim

    symbols = {size: Dim(size) for spec in signature.inputs for size in spec.shape if isinstance(size, str)}
    return tuple({axis: symbols[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in signature.inputs)


def _forget_source(program: Any) -> None:
    """Drop the lines of Python from which each operator came: the same weights then give the same file in any folder."""
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
