"""A TorchScript archive as torch reads it, once it was checked, and inputs that it takes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, InputError, Signature, words_of

_TRIED = (8, 32, 224)
"""Sizes for free dimensions that are no batch, one after the other: a net of many strides refuses small images."""
_BATCH = 2
_CHANGES = re.compile(r'prim::SetAttr\[name="([^"]+)"\]')


def load_module(file: Path) -> Any:
    """The `torch.jit.ScriptModule` in a checked file, for inference; raises `ArtifactError` where torch cannot read it."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`torch\.jit\.load` is", DeprecationWarning)
            module = torch.jit.load(str(file), map_location="cpu").eval()
    except Exception as error:
        raise ArtifactError(f"'{file}' cannot be loaded: {words_of(error)}", hint="save it again with torch.jit.save") from error
    for parameter in module.parameters():
        parameter.requires_grad_(requires_grad=False)
    _check_call(module, file)
    return module


def _check_call(module: Any, file: Path) -> None:
    """Raise `InputError` where a call takes more than tensors, or changes what the network keeps."""
    hint = "save a wrapper of it whose forward takes tensors and returns all that the next call needs: torch.jit.script(Wrapper(network))"
    for argument in module.forward.schema.arguments[1:]:
        kind = str(argument.type)
        if kind not in {"Tensor", "Optional[Tensor]"} and not argument.has_default_value():
            raise InputError(f"'{file.name}' takes '{argument.name}' as {kind}", expected="tensors", got=kind, hint=hint)
    # What a normalization counts while it is trained stands in the code, and is not run.
    changed = sorted(set(_CHANGES.findall(str(module.inlined_graph))) - {"num_batches_tracked"})
    if changed:
        raise InputError(
            f"'{file.name}' changes its own '{changed[0]}' in each call",
            expected="a network whose outputs depend on its inputs only",
            hint=hint,
        )


def flat(value: Any) -> list[Any]:
    """The tensors of nested tuples and lists in order; raises `InputError` for anything else."""
    if hasattr(value, "untyped_storage"):
        return [value]
    if isinstance(value, tuple | list):
        return [tensor for each in value for tensor in flat(each)]
    expected = "tensors, in tuples or lists"
    raise InputError("an output of the network", expected=expected, got=type(value).__name__, hint="save one that returns a tuple")


def example(inputs: Signature, sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """Tensors of zeros for `inputs`, with those sizes of the free dimensions."""
    import torch

    shapes = [[size if isinstance(size, int) else sizes[size] for size in spec.shape] for spec in inputs.inputs]
    return tuple(torch.zeros(shape, dtype=getattr(torch, spec.dtype)) for shape, spec in zip(shapes, inputs.inputs, strict=True))


def example_sizes(module: Any, inputs: Signature) -> dict[str, int]:
    """Sizes of the free dimensions that the network takes; raises `InputError` where it takes none."""
    import torch

    symbols = {size: axis for spec in inputs.inputs for axis, size in enumerate(spec.shape) if isinstance(size, str)}
    problem: Exception | None = None
    for free in _TRIED:
        sizes = {symbol: _BATCH if axis == 0 else free for symbol, axis in symbols.items()}
        try:
            with torch.no_grad():
                module(*example(inputs, sizes))
        except Exception as error:
            problem = problem or error
        else:
            return sizes
    assert problem is not None
    given = ", ".join(map(str, inputs.inputs))
    raise InputError(f"the network refuses its inputs {given}: {reason_of(problem)}", hint="check --input") from problem


def reason_of(error: Exception) -> str:
    """What the interpreter's error says: its text is a picture of the code, with the reason in the last line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1][:300]
