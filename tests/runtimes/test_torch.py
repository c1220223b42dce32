"""The reference engine: memory that is the caller's, threads, signatures of bare files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from toolkit.core import Artifact, Format
from toolkit.runtimes import SessionOptions, find_runtime

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch", reason="the extra [train] is not installed")


def _export(module: torch.nn.Module, example: torch.Tensor, file: Path) -> Path:
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch", max=64)},)), file)
    return file


class _Shares(torch.nn.Module):
    def __init__(self, share: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, ...]]) -> None:
        super().__init__()
        self.table: torch.Tensor
        self.register_buffer("table", torch.arange(3.0))
        self.share = share

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.share(x, self.table)


@pytest.mark.parametrize(
    "share",
    [
        lambda x, table: (x.view(-1),),
        lambda x, table: (x * 2, torch.nn.functional.dropout(x, 0.5, training=False)),
        lambda x, table: (x * 2, table),
        lambda x, table: (table.view(3, 1),),
        lambda x, table: (x + 1, (x * 2)[:, :1]),
        lambda x, table: ((y := x * 2), y.view(-1)),
    ],
    ids=["view of the input", "the input", "a constant", "view of a constant", "part of a tensor", "view of another output"],
)
def test_outputs_that_share_memory_are_copied(
    share: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, ...]], tmp_path: Path
) -> None:
    file = _export(_Shares(share).eval(), torch.zeros(2, 3), tmp_path / "model.pt2")
    with find_runtime("torch").open(file, SessionOptions(threads=1)) as session:
        x = np.ones((2, 3), "float32")
        first = session.run(x)
        kept = [output.copy() for output in first]
        for output in session.run(x * 5):
            before = [other.copy() for other in first]
            output[...] = -1
            for other, copy in zip(first, before, strict=True):
                np.testing.assert_array_equal(other, copy)
        for output, copy, again in zip(first, kept, session.run(x), strict=True):
            np.testing.assert_array_equal(output, copy)
            np.testing.assert_array_equal(again, copy)
        assert not any(np.shares_memory(one, two) for index, one in enumerate(first) for two in first[:index])


class _Changes(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.add_(1)
        return x * 1


def test_a_net_that_changes_its_input_leaves_the_callers_array(tmp_path: Path) -> None:
    file = _export(_Changes(), torch.zeros(2, 3), tmp_path / "model.pt2")
    with find_runtime("torch").open(file, SessionOptions(threads=1)) as session:
        x = np.zeros((2, 3), "float32")
        for _ in range(2):
            np.testing.assert_array_equal(session.run(x)[0], np.ones((2, 3)))
        np.testing.assert_array_equal(x, np.zeros((2, 3)))


def test_each_session_runs_with_its_own_threads(bundles: dict[str, dict[Format, Artifact]]) -> None:
    artifact = bundles["cnn"][Format.PT2]
    x = np.zeros((1, 1, 8, 8), "float32")
    runtime = find_runtime("torch")
    with runtime.open(artifact, SessionOptions(threads=1)) as one, runtime.open(artifact, SessionOptions(threads=2)) as two:
        one.run(x)
        assert torch.get_num_threads() == 1
        two.run(x)
        assert torch.get_num_threads() == 2
