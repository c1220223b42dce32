"""TorchScript archives as sources: what they become, compared with torch itself, and what is refused in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.commands import Commands
from tests.converters.engines import compute
from toolkit.converters.base import Recipe
from toolkit.converters.edges.onnx_from_torchscript import OnnxFromTorchscript
from toolkit.converters.edges.openvino_from_onnx import OpenvinoFromOnnx
from toolkit.converters.edges.tflite_from_onnx import TfliteFromOnnx
from toolkit.converters.task import convert_isolated
from toolkit.core import Artifact
from toolkit.pipeline.source.resolve import resolve_source

if TYPE_CHECKING:
    import torch
    from torch import nn

HONEST = Path(__file__).parents[1] / "data" / "formats" / "torchscript" / "model.ts"
INPUTS = ("image:float32[batch,3,8,8]", "extra:float32[batch,5]")


def two_inputs() -> nn.Module:
    """Images ``[B, 3, 8, 8]`` and vectors ``[B, 5]`` -> scores ``[B, 6]`` and their softmax."""
    import torch
    from torch import nn

    class TwoInputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(4 + 5, 6)

        def forward(self, image: torch.Tensor, extra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = torch.relu(self.norm(self.convolution(image))).mean((2, 3))
            scores = self.head(torch.cat([hidden, extra], 1))
            return scores, torch.softmax(scores, 1)

    torch.manual_seed(0)
    net = TwoInputs()
    net.norm.running_mean += 0.3
    return net.eval()


@dataclass(frozen=True)
class Made:
    """A network, and files of it that ``torch.jit`` wrote."""

    net: nn.Module
    scripted: Path
    traced: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    import torch

    folder = tmp_path_factory.mktemp("made")
    found = Made(two_inputs(), folder / "scripted.ts", folder / "traced.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # That TorchScript is deprecated.
        torch.jit.save(torch.jit.script(found.net), found.scripted)
        torch.jit.save(torch.jit.trace(found.net, (torch.zeros(2, 3, 8, 8), torch.zeros(2, 5))), found.traced)
    return found


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    worker = Commands({"TOOLKIT_CACHE": str(tmp_path_factory.mktemp("commands") / "cache")})
    yield worker
    worker.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scripted", "traced"])
def test_the_results_are_those_of_torch(kind: str, made: Made, tmp_path: Path) -> None:
    import torch

    source = resolve_source(str(getattr(made, kind)), out=tmp_path / "out", inputs=INPUTS).place()
    assert str(source.manifest.signature) == (
        "(image:float32[batch,3,8,8], extra:float32[batch,5]) -> (output_0:float32[batch,6], output_1:float32[batch,6])"
    )
    onnx = convert_isolated(OnnxFromTorchscript(), source, tmp_path / "onnx", Recipe())
    artifacts = [
        onnx,
        convert_isolated(OpenvinoFromOnnx(), onnx, tmp_path / "openvino", Recipe()),
        convert_isolated(TfliteFromOnnx(), onnx, tmp_path / "tflite", Recipe(batch_sizes=(1, 32))),
    ]
    for batch in (1, 5, 33):
        arrays = {
            "image": np.random.default_rng(batch).standard_normal((batch, 3, 8, 8)).astype(np.float32),
            "extra": np.random.default_rng(batch).standard_normal((batch, 5)).astype(np.float32),
        }
        with torch.no_grad():
            expected = made.net(*(torch.from_numpy(array) for array in arrays.values()))
        for artifact in artifacts:
            found = compute(artifact, arrays)
            for name, array in zip(("output_0", "output_1"), expected, strict=True):
                np.testing.assert_allclose(found[name], array.numpy(), rtol=1e-4, atol=1e-5, err_msg=f"{artifact.path.name}, {batch}")


def test_inputs_that_the_network_does_not_use_and_outputs_that_it_does_not_compute(tmp_path: Path) -> None:
    import torch

    class Odd(torch.nn.Module):
        def forward(self, unused: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            return x, x.flatten(), torch.arange(3)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(Odd()), tmp_path / "odd.ts")
    source = resolve_source(str(tmp_path / "odd.ts"), out=tmp_path / "out", inputs=("unused:int64[batch]", "x:float32[batch,4]")).place()
    assert str(source.manifest.signature).endswith("(output_0:float32[batch,4], output_1:float32[4*batch], output_2:int64[3])")
    onnx = convert_isolated(OnnxFromTorchscript(), source, tmp_path / "onnx", Recipe())
    arrays: dict[str, np.ndarray] = {"unused": np.zeros(5, np.int64), "x": np.arange(20, dtype=np.float32).reshape(5, 4)}
    found = compute(onnx, arrays)
    np.testing.assert_array_equal(found["output_0"], arrays["x"])
    np.testing.assert_array_equal(found["output_1"], np.arange(20))
    np.testing.assert_array_equal(found["output_2"], np.arange(3))


_ALONE = """
import sys
from pathlib import Path
from toolkit.pipeline.source.resolve import resolve_source
source = resolve_source(sys.argv[1], out=Path(sys.argv[2]), inputs=["x:float32[batch,4]"]).place()
print(source.manifest.signature)
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""


def test_a_file_is_opened_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Whoever names it as a source does not even import what reads it."""
    shutil.copyfile(HONEST, tmp_path / "net.pt")
    command = [sys.executable, "-c", _ALONE, str(tmp_path / "net.pt"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(x:float32[batch,4]) -> (output:float32[batch,3])\n"
    assert Artifact.load(tmp_path / "out" / "net" / "torchscript-fp32").model_file.read_bytes() == HONEST.read_bytes()


def files_for_refusals(folder: Path) -> None:
    import torch

    shutil.copyfile(HONEST, folder / "net.ts")
    network = torch.nn.Linear(4, 3)
    torch.save(network.state_dict(), folder / "weights.pt")
    torch.save(network, folder / "network.pt")
    torch.save(network.state_dict(), folder / "weights.ts")
    np.savez(folder / "samples.npz", x=np.zeros((9, 4), np.float32))

    class View(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.view(2, 4)

    class Named(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"y": x + 1}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(View()), folder / "view.ts")
        torch.jit.save(torch.jit.script(Named()), folder / "named.ts")


X = ["--input", "x:float32[batch,4]", "--data", "samples.npz"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["convert", "net.ts"], "'net.ts' does not say what its inputs are; add --input NAME:DTYPE[dims] for each"),
        (["inspect", "net.ts"], "does not say what its inputs are"),
        (["run", "net.ts", "--input", "samples.npz"], "does not say what its inputs are"),
        (["convert", "weights.pt", *X], "'weights.pt' holds weights, not a model"),
        (["convert", "weights.pt"], "'weights.pt' holds weights, not a model"),
        (["convert", "network.pt"], "holds a pickled network or other Python objects (torch.nn.modules.linear.Linear)"),
        (["convert", "weights.ts", *X], "is no TorchScript archive: expected a file written by torch.jit.save, got a file of torch.save"),
        (["convert", "net.ts", "--input", "x:float32[batch,5]"], "the network refuses its inputs x:float32[batch,5]"),
        (["convert", "net.ts", *X[:2], *X[:2]], "got x, x"),
        (["convert", "view.ts", *X], "takes batch=2 and not 4"),
        (["convert", "named.ts", *X], "an output of the network: expected tensors, in tuples or lists, got dict"),
    ],
)  # fmt: skip
def test_one_clear_line_and_nothing_half_written(words: list[str], told: str, commands: Commands, tmp_path: Path) -> None:
    files_for_refusals(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    result = commands.run(*words, folder=tmp_path)
    assert result.returncode == 2, result.stdout + result.stderr
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert sorted(path.name for path in tmp_path.iterdir()) == before
