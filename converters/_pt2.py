"""Loading a torch.export archive for the edges that start at it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, InputError
from toolkit.core.pt2_plain import keep_tensors, plain_pt2


def load_program(file: Path) -> Any:
    """The exported program in `file`, checked to be plain data before torch reads it.

    Raises:
        ArtifactError: the archive is truncated, or loading it could run code.
        InputError: a weight is NaN or infinite.
    """
    plain = plain_pt2(file)
    import torch

    try:
        program = torch.export.load(plain)
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0][:200]
        raise ArtifactError(f"'{file}' cannot be loaded: {type(error).__name__}: {text}", hint="export the model again") from error
    for name, tensor in {**program.state_dict, **program.constants}.items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = int((~torch.isfinite(tensor)).sum())
            raise InputError(
                f"weight '{name}'", expected="finite numbers", got=f"{bad} NaN or infinite values", hint="train the model again"
            )
    return program


def flat_module(program: Any) -> Any:
    """The program as a module from tensors in the signature's order to a tuple of tensors, without containers and constants."""
    import torch

    module = program.module(check_guards=False)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    keep_tensors(module.graph)
    module.recompile()
    return module


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
