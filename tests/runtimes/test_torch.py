"""The reference engine and the compiled one: memory that is the caller's, threads, signatures of bare files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from toolkit.core import Artifact, Format
from toolkit.runtimes import SessionOptions, find_runtime
from toolkit.runtimes._torch import compute_in_fp32

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch", reason="the extra [train] is not installed")


Share = Callable[["torch.Tensor", "torch.Tensor"], tuple["torch.Tensor", ...]]
Give = Callable[["torch.Tensor"], object]


def test_a_gpu_computes_every_product_in_fp32() -> None:
    """Each kind has a setting of its own, which the common one leaves alone: tests/runtimes/test_cuda.py has the numbers."""
    backends: Any = torch.backends
    parts = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]
    before = [backends.fp32_precision, *(part.fp32_precision for part in parts)]
    try:
        for part in parts:
            part.fp32_precision = "tf32"
        compute_in_fp32("cpu")
        assert [part.fp32_precision for part in parts] == ["tf32"] * 3
        compute_in_fp32("gpu")
        assert [part.fp32_precision for part in parts] == ["ieee"] * 3
    finally:
        backends.fp32_precision = before[0]
        for part, value in zip(parts, before[1:], strict=True):
            part.fp32_precision = value


def _export(module: torch.nn.Module, example: torch.Tensor, file: Path) -> Path:
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch", max=64)},)), file)
    return file


class _Shares(torch.nn.Module):
    def __init__(self, share: Share) -> None:
        super().__init__()
        self.table: torch.Tensor
        self.register_buffer("table", torch.arange(3.0))
        self.share = share

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.share(x, self.table)


SHARES: dict[str, Share] = {
    "view of the input": lambda x, table: (x.view(-1),),
    "the input": lambda x, table: (x * 2, torch.nn.functional.dropout(x, 0.5, training=False)),
    "a constant": lambda x, table: (x * 2, table),
    "view of a constant": lambda x, table: (table.view(3, 1),),
    "part of a tensor": lambda x, table: (x + 1, (x * 2)[:, :1]),
    "view of another output": lambda x, table: ((y := x * 2), y.view(-1)),
}
RETURNS: dict[str, tuple[Give, str]] = {
    "fields": (lambda x: {"logits": x + 1, "hidden": x * 2}, "logits:float32[batch,3], hidden:float32[batch,3]"),
    "nested fields": (lambda x: {"states": (x + 1, [x * 2])}, "states.0:float32[batch,3], states.1.0:float32[batch,3]"),
    "the input's name": (lambda x: {"x": x + 1}, "x_out:float32[batch,3]"),
    "one twice": (lambda x: ((y := x + 1), y), "add:float32[batch,3], add_1:float32[batch,3]"),
    "the input": (lambda x: (x + 1, x), "add:float32[batch,3], x_out:float32[batch,3]"),
    "constants": (lambda x: (x + 1, None, 3), "add:float32[batch,3]"),
    "a number": (lambda x: (x + 1).mean(), "mean:float32[]"),
    "batch last": (lambda x: (x + 1).t(), "t:float32[3,batch]"),
    "two for each": (lambda x: torch.cat([x, x]), "cat:float32[2*batch,3]"),
}


def _in_engines(kinds: Iterable[str], *, compiled: Iterable[str]) -> pytest.MarkDecorator:
    """Each kind in torch, and those of `compiled` in the engine that compiles, which takes ten seconds each."""
    slow = [pytest.param(kind, "torch-compiled", marks=pytest.mark.slow) for kind in compiled]
    return pytest.mark.parametrize(("kind", "engine"), [*((kind, "torch") for kind in kinds), *slow])


@_in_engines(SHARES, compiled=["the input", "view of a constant", "view of another output"])
def test_outputs_that_share_memory_are_copied(kind: str, engine: str, tmp_path: Path) -> None:
    file = _export(_Shares(SHARES[kind]).eval(), torch.zeros(2, 3), tmp_path / "model.pt2")
    with find_runtime(engine).open(file, SessionOptions(threads=1)) as session:
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


@pytest.mark.parametrize("engine", ["torch", pytest.param("torch-compiled", marks=pytest.mark.slow)])
def test_a_net_that_changes_its_input_leaves_the_callers_array(engine: str, tmp_path: Path) -> None:
    file = _export(_Changes(), torch.zeros(2, 3), tmp_path / "model.pt2")
    with find_runtime(engine).open(file, SessionOptions(threads=1)) as session:
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


class _Returns(torch.nn.Module):
    def __init__(self, give: Give) -> None:
        super().__init__()
        self.give = give

    def forward(self, x: torch.Tensor) -> object:
        return self.give(x)


@_in_engines(RETURNS, compiled=["nested fields", "constants", "batch last"])
def test_outputs_of_every_shape_have_names_of_their_own(kind: str, engine: str, tmp_path: Path) -> None:
    give, outputs = RETURNS[kind]
    file = _export(_Returns(give), torch.zeros(2, 3), tmp_path / "model.pt2")
    with find_runtime(engine).open(file, SessionOptions(threads=1)) as session:
        assert str(session.signature) == f"(x:float32[batch,3]) -> ({outputs})"
        for batch in (1, 4):
            x = np.arange(3 * batch, dtype="float32").reshape(batch, 3)
            expected = [leaf.numpy() for leaf in torch.utils._pytree.tree_leaves(give(torch.from_numpy(x))) if hasattr(leaf, "numpy")]
            for one, other in zip(session.run(x), expected, strict=True):
                np.testing.assert_array_equal(one, other)


def test_two_free_first_dimensions_are_two(tmp_path: Path) -> None:
    class Product(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x @ y.t()

    dims = ({0: torch.export.Dim("one", max=64)}, {0: torch.export.Dim("other", max=64)})
    program = torch.export.export(Product(), (torch.zeros(2, 3), torch.zeros(5, 3)), dynamic_shapes=dims)
    torch.export.save(program, tmp_path / "model.pt2")
    with find_runtime("torch").open(tmp_path / "model.pt2", SessionOptions(threads=1)) as session:
        assert str(session.signature) == "(x:float32[batch,3], y:float32[batch_1,3]) -> (matmul:float32[batch,batch_1])"
        assert session.run([np.ones((4, 3), "float32"), np.ones((7, 3), "float32")])[0].shape == (4, 7)
