"""Loading a torch.export archive for the edges that start at it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, InputError, Signature, words_of
from toolkit.formats.parts.pt2_plain import keep_tensors, plain_pt2, torch_reads

from .finite import broken, refuse


def load_program(file: Path) -> Any:
    """The exported program in `file`, checked to be plain data before torch reads it.

    Raises:
        ArtifactError: the archive is truncated, or loading it could run code.
        InputError: a weight is NaN or infinite, or the network has a state that a call changes.
    """
    plain = plain_pt2(file)
    import torch

    try:
        with torch_reads():
            program = torch.export.load(plain)
    except Exception as error:
        raise ArtifactError(f"'{file}' cannot be loaded: {words_of(error)}", hint="export the model again") from error
    for name, tensor in {**program.state_dict, **program.constants}.items():
        plain_numbers = not (isinstance(tensor, torch.Tensor) and tensor.is_floating_point()) or bool(torch.isfinite(tensor).all())
        refuse(name, 0 if plain_numbers else broken(tensor.detach().double().numpy()))
    changed = _changed(program)
    if changed:
        raise InputError(
            f"'{file.name}' changes its own '{changed}' in each call",
            expected="a network whose outputs depend on its inputs only",
            hint="take the state as an input and return the new one",
        )
    return program


def _changed(program: Any) -> str:
    """A buffer that the network itself writes to, by an operator in place or as one more output; empty when there is none."""
    own = {**program.graph_signature.inputs_to_buffers, **program.graph_signature.inputs_to_parameters}
    for node in program.graph.nodes:
        schema = getattr(node.target, "_schema", None) if node.op == "call_function" else None
        for argument, value in zip(schema.arguments if schema else (), node.args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write and getattr(value, "name", "") in own:
                return str(own[value.name])
    return str(next(iter(program.graph_signature.buffers_to_mutate.values()), ""))


def flat_module(program: Any) -> Any:
    """The program as a module from tensors in the signature's order to a tuple of tensors, without containers and constants."""
    import torch

    module = program.module(check_guards=False)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    keep_tensors(module.graph)
    module.recompile()
    return module


def examples(module: Any, signature: Signature) -> tuple[Any, ...]:
    """Zeros for two samples, of the sizes that a `flat_module` was exported with: not every free size can be small."""
    import torch

    sizes = {}
    nodes = [node for node in module.graph.nodes if node.op == "placeholder"]
    for spec, node in zip(signature.inputs, nodes, strict=True):
        for size, traced in zip(spec.shape, node.meta["val"].shape, strict=True):
            hint = getattr(getattr(traced, "node", None), "hint", None)
            if isinstance(size, str) and hint is not None:
                sizes[size] = max(2, int(hint))
    return tuple(torch.zeros(signature.shape(spec, 2, sizes=sizes, free=2), dtype=getattr(torch, spec.dtype)) for spec in signature.inputs)


def export(program: Any, signature: Signature, *, largest: int | None = None, example: tuple[Any, ...] = ()) -> Any:
    """A `flat_module` that was changed as an exported program; what the signature leaves free stays free.

    With `largest` a batch has so many rows at most, and is traced with them: what a later step takes for granted of the example's
    sizes, such as fewer rows than channels, then holds for the largest batch. With an `example`, which of its free sizes the network takes
    is found by torch.
    """
    import torch

    class Positional(torch.nn.Module):  # type: ignore[misc]
        """What a call of the program itself refuses, because its inputs had names."""

        def __init__(self) -> None:
            super().__init__()
            self.program = program

        def forward(self, *tensors: Any) -> Any:
            return self.program.forward(*tensors)

    # Neither 0 nor 1, which torch takes for fixed.
    given = example or tuple(
        torch.zeros(signature.shape(spec, largest or 2, free=2), dtype=getattr(torch, spec.dtype)) for spec in signature.inputs
    )
    symbols = {
        size: torch.export.Dim.DYNAMIC if example else torch.export.Dim(size, min=1, max=largest)
        for spec in signature.inputs
        for size in spec.shape
        if isinstance(size, str)
    }
    free = tuple({axis: symbols[size] for axis, size in enumerate(spec.shape) if isinstance(size, str)} for spec in signature.inputs)
    return torch.export.export(Positional(), given, dynamic_shapes=(free,))


@contextlib.contextmanager
def plain_attention() -> Iterator[None]:
    """Multi-head attention as ordinary operators: its fused fast path cannot be traced."""
    import torch

    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
