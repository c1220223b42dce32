"""Engines on a GPU of NVIDIA's: answers in real fp32, timing that waits for the GPU, errors. Skipped where there is none; docs/torch.md
says where they were run.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.runtimes.nets import NETS, Net, make_artifacts
from toolkit.core import Artifact, EngineError, Format, Precision, Signature, TensorSpec
from toolkit.runtimes import Session, SessionOptions, find_runtime

if TYPE_CHECKING:
    from torch import nn

torch: Any = pytest.importorskip("torch", reason="the extra [train] is not installed")
if not torch.cuda.is_available():
    pytest.skip("no GPU that torch can use", allow_module_level=True)

GPU, CPU = SessionOptions(device="gpu"), SessionOptions()


def wide() -> nn.Module:
    """Sums of thousands of products: 10 bits of precision show in the fourth digit."""
    from torch import nn

    layers = nn.Conv2d(64, 512, 3, padding=1), nn.ReLU(), nn.Conv2d(512, 512, 3, padding=1), nn.Flatten(), nn.Linear(512 * 64, 64)
    return nn.Sequential(*layers)


SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 64, 8, 8)),), (TensorSpec("y", "float32", ("batch", 64)),))
WIDE = Net("wide", wide, SIGNATURE)


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("cuda")
    every = (WIDE, NETS["two"], NETS["tokens"])
    return {net.name: make_artifacts(net, folder / net.name, (Format.PT2,))[Format.PT2] for net in every}


@pytest.fixture(autouse=True)
def _torchs_own_precision() -> Iterator[None]:
    """As in a new process, whatever ran before: TF32 for convolutions; and for products of matrices as many programs set it."""
    own = torch.backends.fp32_precision
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    yield
    torch.backends.fp32_precision = own


def _error(session: Session, net: Net, batch: int) -> float:
    """How far the outputs are from those in float64, relative to the outputs' own size."""
    from tests.runtimes.nets import seeded

    inputs = net.inputs(batch)
    tensors = [torch.from_numpy(array) for array in inputs.values()]
    exact = seeded(net).double()(*(each.double() if each.is_floating_point() else each for each in tensors))
    exact = exact if isinstance(exact, tuple) else (exact,)
    pairs = zip(session.run(inputs), exact, strict=True)
    return max(float(np.linalg.norm(mine - each.numpy()) / np.linalg.norm(each.numpy())) for mine, each in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "torch-compiled"])
@pytest.mark.parametrize("net", [WIDE, NETS["two"], NETS["tokens"]], ids=lambda net: net.name)
def test_fp32_is_fp32_for_every_batch(engine: str, net: Net, nets: dict[str, Artifact]) -> None:
    with find_runtime(engine).open(nets[net.name], GPU) as session:
        assert (session.actual.device, session.actual.float_type) == ("gpu", Precision.FP32)
        assert "cuda" in session.actual.detail
        for batch in (1, 2, 3, 7, 32, 1):
            assert _error(session, net, batch) < 3e-6


def test_the_gpu_is_what_auto_takes(nets: dict[str, Artifact]) -> None:
    with find_runtime("torch").open(nets["two"], SessionOptions(device="auto")) as session:
        assert session.actual.device == "gpu"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "torch-compiled"])
def test_a_call_takes_as_long_as_its_kernels(engine: str, nets: dict[str, Artifact]) -> None:
    """Compared with the GPU's own clock: a call that came back at once would be far below."""
    inputs = WIDE.inputs(1024)
    with find_runtime(engine).open(nets["wide"], GPU) as session:
        for _ in range(3):
            session.run(inputs)
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        tensors = [torch.from_numpy(array).cuda() for array in inputs.values()]
        start.record()
        session._forward(*tensors)  # type: ignore[attr-defined]
        end.record()
        end.synchronize()
        began = time.perf_counter()
        session.run(inputs)
        assert 1e3 * (time.perf_counter() - began) > 0.8 * start.elapsed_time(end)


def test_memory_that_is_not_there_is_one_line_and_the_session_goes_on(nets: dict[str, Artifact]) -> None:
    with find_runtime("torch").open(nets["wide"], GPU) as session:
        session.run(WIDE.inputs(1))
        torch.cuda.empty_cache()
        share = (torch.cuda.memory_allocated() + (48 << 20)) / torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(share)
        try:
            with pytest.raises(EngineError, match=r"^torch failed: OutOfMemoryError: CUDA out of memory.*; .*smaller batch") as caught:
                session.run(WIDE.inputs(1024))
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert "\n" not in str(caught.value)
        assert _error(session, WIDE, 2) < 3e-6


@pytest.mark.slow
def test_what_was_compiled_for_the_cpu_is_not_taken_for_the_gpu(
    nets: dict[str, Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    inputs = NETS["two"].inputs(3)
    answers = []
    for options in (CPU, GPU):
        with find_runtime("torch-compiled").open(nets["two"], options) as session:
            assert session.actual.device == options.device
            answers.append(session.run(inputs))
    for mine, other in itertools.pairwise(answers):
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    assert len(list((tmp_path / "compiled").glob("*/model.pt2"))) == 2
