"""What pnnx alone refuses or gets wrong, on its way into ncnn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.engines import compute
from tests.converters.nets import export
from toolkit.converters.base import Recipe
from toolkit.converters.edges.ncnn_from_onnx import NcnnFromOnnx
from toolkit.converters.edges.onnx_from_pt2 import OnnxFromPt2
from toolkit.core import Artifact, ConversionError, InputError, Samples, Signature, TensorSpec
from toolkit.formats.parts.ncnn_param import read_ncnn
from toolkit.runtimes import find_runtime
from toolkit.runtimes.parity.observe import observe

torch = pytest.importorskip("torch", reason="the extra [train] is not installed")


def through(folder: Path, function: Callable[..., Any], *shapes: tuple[int, ...], dtype: str = "float32") -> tuple[Artifact, Any]:
    """A function of tensors ``[batch, *shape]`` as an ncnn artifact, and as a module."""

    from torch import nn

    class One(nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    class Two(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return function(x, y)

    net = One() if len(shapes) == 1 else Two()
    example = tuple(torch.zeros(2, *shape, dtype=getattr(torch, dtype)) for shape in shapes)
    found = function(*example)
    found = found if isinstance(found, tuple) else (found,)
    signature = Signature(
        tuple(TensorSpec(f"x{place}", dtype, ("batch", *shape)) for place, shape in enumerate(shapes)),
        tuple(TensorSpec(f"y{place}", str(each.dtype)[6:], ("batch", *each.shape[1:])) for place, each in enumerate(found)),
    )
    source = export(folder / "net", net, example, signature, "net")
    return NcnnFromOnnx().convert(OnnxFromPt2().convert(source, folder / "onnx", Recipe()), folder / "ncnn", Recipe()), net


def check(folder: Path, function: Callable[..., Any], *shapes: tuple[int, ...]) -> Artifact:
    artifact, net = through(folder, function, *shapes)
    random = np.random.default_rng(0)
    inputs = {f"x{place}": random.standard_normal((3, *shape)).astype(np.float32) for place, shape in enumerate(shapes)}
    want = net(*map(torch.from_numpy, inputs.values()))
    for place, each in enumerate(want if isinstance(want, tuple) else (want,)):
        np.testing.assert_allclose(compute(artifact, inputs)[f"y{place}"], each.numpy(), atol=1e-5)
    return artifact


@pytest.mark.parametrize(("dims", "keep"), [((1,), False), ((3,), True), ((1, 2), False), ((2, 3), True), ((1, 2, 3), False)], ids=str)
def test_a_maximum_along_any_axes(dims: tuple[int, ...], keep: bool, tmp_path: Path) -> None:
    check(tmp_path, lambda x: (torch.amax(x, dims, keepdim=keep) * 2, x + 1), (3, 5, 4))


def test_a_mean_along_one_axis(tmp_path: Path) -> None:
    check(tmp_path, lambda x: (x.mean(1) * 2, x.mean(2) * 2), (5, 4))


def test_queries_keys_and_values_out_of_one_product(tmp_path: Path) -> None:
    weights = torch.randn(24, 8, generator=torch.Generator().manual_seed(0))

    def attention(x: Any) -> Any:
        query, key, value = torch.nn.functional.linear(x, weights).reshape(-1, 7, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return (torch.softmax(query @ key.transpose(-1, -2) / 2, -1) @ value).transpose(1, 2).reshape(-1, 7, 8)

    artifact = check(tmp_path, attention, (7, 8))
    assert artifact.manifest.operators is not None
    assert artifact.manifest.operators.by_type["Slice"] == 1


def test_a_gelu_is_exact_on_a_gpu_too(tmp_path: Path) -> None:
    """ncnn's shader knows only the approximation by tanh, off by up to 5e-4."""
    artifact = check(tmp_path, lambda x: torch.nn.functional.gelu(x * 2) * 3, (64,))
    runtime = find_runtime("ncnn")
    if "gpu" not in runtime.devices():
        pytest.skip("no Vulkan driver; in software: apt-get install mesa-vulkan-drivers libvulkan1")
    samples = Samples({"x0": np.linspace(-4, 4, 640, dtype=np.float32).reshape(10, 64)})
    found, want = (observe(artifact, "ncnn", samples, device=device).samples["y0"] for device in ("gpu", "cpu"))
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_names_and_shapes_are_in_the_file(tmp_path: Path) -> None:
    artifact, _ = through(tmp_path, lambda a, b: ((a * b).sum(1), torch.relu(a)), (4,), (4,))
    graph = read_ncnn(artifact.model_file)
    assert graph.inputs == ("x0", "x1")
    assert {*graph.outputs} == {"y0", "y1"}
    assert graph.shapes == {"x0": (4,), "x1": (4,), "y0": (), "y1": (4,)}


def test_an_operator_that_ncnn_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"ncnn has no operator for 'Tensor\.to'"):
        through(tmp_path, lambda x: (x + 1).float(), (4,), dtype="int64")


def test_integers_that_are_no_rows_of_a_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ncnn computes in float32, output 'y0': expected float32, got int64"):
        through(tmp_path, lambda x: x + 1, (4,), dtype="int64")


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    signature = Signature((TensorSpec("x", "float32", (2, 4)),), (TensorSpec("y", "float32", (2, 4)),))
    net = export(tmp_path / "net", torch.nn.ReLU(), (torch.zeros(2, 4),), signature, "net")
    onnx = OnnxFromPt2()
    with pytest.raises((InputError, ConversionError)):
        NcnnFromOnnx().convert(onnx.convert(net, tmp_path / "onnx", Recipe()), tmp_path / "ncnn", Recipe())
