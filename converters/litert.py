"""torch modules to TF Lite, by litert-torch."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import ConversionError, Signature

from .pt2 import plain_attention
from .tflite import Variant, as_written, check, name_signatures, plain_name, quiet
from .tflite_signatures import name_operators

_MISSING = re.compile(r"Didn't find op for builtin opcode '(?:STABLEHLO_)?(\w+)'|unresolved custom op: (?:STABLEHLO_)?(\w+)")
_REFUSED = re.compile(r"Node number \d+ \((\w+)\) failed")
_MADE_OF = {
    "SCATTER": ("scatter", "index_put", "index_copy", "index_add", "col2im", "masked_fill"),
    "IOTA": ("arange", "linspace", "grid"),
    "GATHER": ("gather", "index", "embedding", "grid_sampler"),
    "SORT": ("sort", "topk", "argsort"),
    "REDUCE_WINDOW": ("pool", "cumsum", "cumprod", "cummax"),
    "CONV": ("conv",),
    "PAD": ("pad",),
    "RNG": ("rand", "dropout"),
}
"""Words in the names of PyTorch's operators that become an operator of StableHLO or TF Lite."""


def write_by_litert(
    module_of: Callable[[Mapping[str, int]], Any], signature: Signature, variants: Sequence[Variant], target: Path
) -> Signature | None:
    """Write a TF Lite file with one signature for each of ``variants``; the weights of one module are stored once.

    Args:
        module_of: what has a method ``forward`` from tensors in the signature's order to a sequence of them, for the sizes of a variant.
        signature: the model's.
        variants: batches and sizes.
        target: the file.

    Returns:
        As `as_written`.

    Raises:
        ConversionError: another name or dtype in the file.
    """
    quiet()
    import torch

    with warnings.catch_warnings():
        # torchao, which litert-torch imports, warns of its own use of torch; nobody here can act on it.
        warnings.simplefilter("ignore")
        import litert_torch

    plain = not all(spec.name.isidentifier() for spec in (*signature.inputs, *signature.outputs))
    inputs, outputs = [
        [plain_name(kind, place) if plain else spec.name for place, spec in enumerate(specs)]
        for kind, specs in (("input", signature.inputs), ("output", signature.outputs))
    ]
    signatures: Any = litert_torch
    module: Any = None
    for each in variants:
        shapes = [signature.shape(spec, each.batch, sizes=each.sizes) for spec in signature.inputs]
        example = {
            name: torch.zeros(shape, dtype=getattr(torch, spec.dtype))
            for name, spec, shape in zip(inputs, signature.inputs, shapes, strict=True)
        }
        module = module_of(each.sizes)
        signatures = signatures.signature(each.name, _named(module, inputs, outputs), sample_kwargs=example)
    try:
        with plain_attention(), torch.no_grad():
            signatures.convert().export(str(target))
        name_operators(target)
        if plain:
            name_signatures(target, signature)
        check(target, signature, variants)
    except (RuntimeError, ValueError) as error:
        if not (reason := _reason(str(error), module)):
            raise
        raise ConversionError(reason) from error
    return as_written(target, signature, variants)


def _reason(text: str, module: Any) -> str:
    """What an interpreter says of an operator, with those of the network that it was made of; empty for all else that it says."""
    missing, refused = _MISSING.search(text), _REFUSED.search(text)
    if not missing and not refused:
        return ""
    kind = next(name for found in (missing, refused) if found for name in found.groups() if name)
    words = next((words for start, words in _MADE_OF.items() if start in kind), (kind.lower(),))
    own = sorted({_name(node) for node in _nodes(module) if any(word in _name(node) for word in words)})
    of = f", made of the network's {', '.join(own)}" if own else ""
    return f"TF Lite has no operator {kind}{of}" if missing else f"TF Lite's {kind}{of} cannot run: {' '.join(text.split())[:160]}"


def _nodes(module: Any) -> list[Any]:
    return [node for node in module.graph.nodes if node.op == "call_function"] if hasattr(module, "graph") else []


def _name(node: Any) -> str:
    """``aten.scatter.src`` of a node's operator."""
    return str(node.target)


def _named(module: Any, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """A module that takes and returns tensors by names, which become the file's."""
    import torch

    class Named(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            # An exported program refuses train() and eval(), and litert-torch asks for a module in evaluation mode.
            self.training = False

        def forward(self, **arrays: Any) -> dict[str, Any]:
            return dict(zip(outputs, self.module.forward(*(arrays[name] for name in inputs)), strict=True))

    return Named()
