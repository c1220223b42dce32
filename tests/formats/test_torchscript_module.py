"""What a call of an archive may take and change."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from toolkit.core import InputError
from toolkit.formats.parts.torchscript_module import load_module


def _saved(network: Any, file: Path) -> Path:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # That TorchScript is deprecated.
        torch.jit.save(torch.jit.script(network.eval()), file)
    return file


def test_an_argument_that_is_no_tensor_is_named(tmp_path: Path) -> None:
    import torch

    class Rate(torch.nn.Module):
        def forward(self, x: torch.Tensor, sr: int) -> torch.Tensor:
            return x * sr

    with pytest.raises(InputError, match=r"'net\.jit' takes 'sr' as int: expected tensors, got int; save a wrapper of it whose forward"):
        load_module(_saved(Rate(), tmp_path / "net.jit"))


def test_a_state_that_a_call_changes_is_named_and_what_training_counts_is_none(tmp_path: Path) -> None:
    import torch

    class Keeps(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.zeros(1)
            self.norm = torch.nn.BatchNorm1d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.last = x
            return self.norm(x)

    with pytest.raises(InputError, match=r"'net\.jit' changes its own 'last' in each call"):
        load_module(_saved(Keeps(), tmp_path / "net.jit"))
    load_module(_saved(torch.nn.BatchNorm1d(3), tmp_path / "norm.jit"))
