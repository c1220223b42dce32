"""How large a network is: its numbers, and what one answer costs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolkit.core import Signature, needs

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Size:
    """``parameters`` that were learned, and ``multiply_adds`` of matrix products and convolutions for a batch of one."""

    parameters: int
    multiply_adds: int


def size_of(module: nn.Module, signature: Signature) -> Size:
    """Count on the CPU, in evaluation mode; every free dimension but the batch is 1."""
    with needs("train"):
        import torch
        from torch.utils.flop_counter import FlopCounterMode
    inputs = [torch.zeros(spec.concrete(1), dtype=getattr(torch, spec.dtype)) for spec in signature.inputs]
    counter = FlopCounterMode(display=False)
    with warnings.catch_warnings():
        # Turning oneDNN off and on again speaks of its other settings too.
        warnings.filterwarnings("ignore", "TF32 acceleration", UserWarning)
        # Its recurrent layers are one operator each, whose insides cannot be counted.
        with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False), counter:
            module.eval()(*inputs)
    return Size(sum(each.numel() for each in module.parameters()), counter.get_total_flops() // 2)
