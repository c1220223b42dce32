"""Complex numbers as pairs of real ones: each rule against torch's own operator, and the files of networks that have some."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fft, nn

from tests.converters.engines import compute
from tests.converters.test_foreign import exported, inputs, zeros
from tests.converters.test_rewrites import expected, through_onnx
from toolkit.converters.base import Recipe
from toolkit.converters.complex_numbers import without_complex
from toolkit.converters.edges.onnx_from_pt2 import OnnxFromPt2
from toolkit.converters.edges.openvino_from_pt2 import OpenvinoFromPt2
from toolkit.converters.edges.tflite_from_pt2 import TfliteFromPt2
from toolkit.core import ConversionError, Signature, TensorSpec

FREE = torch.export.Dim.DYNAMIC


class Of(nn.Module):
    """A network of one function, with weights that are complex."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.weight = nn.Parameter(torch.randn(6, 6, dtype=torch.complex64))
        self.register_buffer("window", torch.hann_window(16))

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def program_of(function: Callable[..., Any], x: Tensor, *, free: bool = False) -> tuple[nn.Module, Any, Signature]:
    """The network, its exported program, and the signature."""
    net = Of(function).eval()
    sizes = ({0: FREE, 1: FREE} if free else {0: FREE},)
    with torch.no_grad():
        outputs = net(x)
        program = torch.export.export(net, (x,), dynamic_shapes=sizes)
    shape = ("batch", "samples") if free else ("batch", *x.shape[1:])
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    specs = tuple(TensorSpec(f"y{place}", "float32", ("batch", *map(int, each.shape[1:]))) for place, each in enumerate(outputs))
    return net, program, Signature((TensorSpec("x", "float32", shape),), specs)


def parts(value: Tensor) -> Tensor:
    return torch.view_as_real(value.resolve_conj())


def changed_in_place(net: Any, x: Tensor) -> Tensor:
    modes = torch.zeros(x.shape[0], 6, 6, dtype=torch.cfloat)
    modes[:, :3, :2] = fft.rfft2(x)[:, :3, :2]
    return fft.irfft2(modes[..., :4], s=(6, 6))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "one axis": lambda net, x: (
        parts(fft.fft(x)), parts(fft.ifft(x)), fft.fft(x, dim=1).real, fft.fft(x, n=9).imag, fft.fft(x, n=4).imag,
    ),
    "half of the bins": lambda net, x: (
        parts(fft.rfft(x)), parts(fft.rfft(x, n=5, dim=-2)), fft.irfft(fft.rfft(x)), fft.irfft(fft.rfft(x), n=5),
    ),
    "several axes": lambda net, x: (
        parts(fft.fft2(x)), fft.ifft2(fft.fft2(x)).real, parts(fft.fftn(x, dim=(1, 2))), parts(fft.ifftn(x, dim=(2,))),
    ),
    "half, several axes": lambda net, x: (
        parts(fft.rfft2(x)), fft.irfft2(fft.rfft2(x)), fft.irfftn(fft.rfftn(x, dim=(1, 2)), s=(6, 6), dim=(1, 2)),
    ),
    "norms": lambda net, x: (
        *(parts(fft.fft(fft.fft(x, norm=norm), norm=norm)) for norm in ("ortho", "forward")),
        *(fft.irfft(fft.rfft(x, norm=norm), norm=norm) * i for i, norm in enumerate(("ortho", "forward"), 1)),
        *(parts(fft.ifft(x, norm=norm)) for norm in ("ortho", "forward")),
    ),
    "layout": lambda net, x: (
        fft.fftshift(fft.fft(x), dim=-1)[:, ::2].permute(0, 2, 1).flatten(1).abs(),
        torch.cat([fft.fft(x), x.to(torch.cfloat)], 1).reshape(-1, 72)[:, 3:40].roll(2, -1).imag,
        torch.stack([fft.rfft(x), fft.rfft(x).conj()], 1).mean(-1).unsqueeze(1).expand(-1, 2, -1, -1).angle(),
        torch.nn.functional.pad(fft.rfft(x), (1, 2)).sum(1).real,
        fft.fft(x).chunk(3, dim=1)[1].imag,
    ),
    "arithmetic": lambda net, x: (
        parts(fft.fft(x) * fft.fft(x).conj() + 1j - x),
        parts(2j * fft.fft(x) / (fft.fft(x) + 9)),
        parts((fft.fft(x) / 3) ** 3 - 1),
        parts(x / (fft.fft(x) + 5j)),
        parts(torch.complex(x, x + 2).reciprocal().square()),
        parts(1 - torch.complex(x, -x)),
        parts(torch.view_as_complex(x.reshape(-1, 9, 2, 2)) / 2j),
    ),
    "functions": lambda net, x: (
        parts(torch.exp(1j * x)), parts(torch.polar(x.abs(), x)), parts(torch.log(fft.fft(x) + 20)), parts(torch.sgn(fft.fft(x))),
        fft.fft(x).angle(), parts(torch.where(x > 0, fft.fft(x), 0)), parts(fft.fft(x).masked_fill(x > 0, 1.5)),
        fft.fft(x).to(torch.cfloat).abs(),
    ),
    "products": lambda net, x: (
        parts(fft.fft(x) @ net.weight), parts(torch.einsum("bij,jk->bki", fft.fft(x), net.weight)),
        parts(torch.nn.functional.linear(fft.fft(x), net.weight)), parts(x.to(torch.cfloat) @ net.weight),
        parts(torch.einsum("bij->bji", fft.fft(x))),
    ),
    "changed in place": changed_in_place,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_rule_is_torchs_own_operator(name: str) -> None:
    net, program, signature = program_of(FUNCTIONS[name], torch.randn(2, 6, 6))
    real = without_complex(program, signature)
    assert not [node for node in real.graph.nodes if getattr(getattr(node.meta.get("val"), "dtype", None), "is_complex", False)]
    for batch in (1, 3):
        x = torch.randn(batch, 6, 6)
        wanted = net(x)
        for got, want in zip(real.module()(x), wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-4, atol=2e-5)


SPECTROGRAMS: dict[str, Callable[..., Any]] = {
    "plain": lambda net, x: torch.stft(x, 16, return_complex=True).abs(),
    "window": lambda net, x: torch.view_as_real(torch.stft(x, 16, 5, window=net.window, return_complex=True)),
    "short window": lambda net, x: torch.stft(x, 16, 4, 12, window=torch.hann_window(12), normalized=True, return_complex=True).imag,
    "all bins, not centred": lambda net, x: torch.stft(x, 16, 4, center=False, onesided=False, return_complex=True).real,
    "back": lambda net, x: torch.istft(
        torch.stft(x, 16, 4, window=net.window, return_complex=True) * 0.5, 16, 4, window=net.window, length=90
    ),
    "back, normalized": lambda net, x: torch.istft(torch.stft(x, 16, 4, normalized=True, return_complex=True), 16, 4, normalized=True),
    "one signal": lambda net, x: torch.istft(torch.stft(x.mean(0), 16, 4, return_complex=True), 16, 4, length=96)[None] + x,
}
SAY_THEIR_LENGTH = {"back", "one signal"}


@pytest.mark.filterwarnings("ignore:A window was not provided:UserWarning")
@pytest.mark.parametrize(("name", "free"), [(name, free) for name in SPECTROGRAMS for free in {False, name not in SAY_THEIR_LENGTH}])
def test_a_spectrogram_is_torchs_own_whatever_its_length(name: str, free: bool) -> None:
    net, program, signature = program_of(SPECTROGRAMS[name], torch.randn(2, 96), free=free)
    real = without_complex(program, signature).module()
    for batch, samples in ((1, 96), (3, 131 if free else 96)):
        x = torch.randn(batch, samples)
        torch.testing.assert_close(real(x), (net(x),), rtol=1e-4, atol=2e-5)


def test_what_has_no_rule_is_named() -> None:
    _, program, signature = program_of(lambda net, x: torch.sinh(fft.fft(x)).real, torch.randn(2, 6))
    with pytest.raises(ConversionError, match=r"^no rule for 'aten::sinh' on complex numbers, at node 'sinh'$"):
        without_complex(program, signature)
    _, program, signature = program_of(lambda net, x: fft.fft(x).real, torch.randn(2, 2049))
    with pytest.raises(ConversionError, match="a Fourier transform along 2049 numbers"):
        without_complex(program, signature)
    _, program, signature = program_of(lambda net, x: torch.stft(x, 6, window=x[0, :6], return_complex=True).real, torch.randn(2, 40))
    with pytest.raises(ConversionError, match="a window that depends on the inputs"):
        without_complex(program, signature)


def test_real_networks_are_left_alone() -> None:
    program = torch.export.export(nn.Linear(6, 2), (torch.randn(2, 6),))
    signature = Signature((TensorSpec("x", "float32", (2, 6)),), (TensorSpec("y", "float32", (2, 2)),))
    assert without_complex(program, signature) is program


def test_files_in_three_formats(tmp_path: Path) -> None:
    """A filter of spectra: windows of a signal, a mask of their sizes, and back."""

    def forward(net: Any, x: Any, mask: Any) -> Any:
        signal = torch.cat([x, net.layer(x)], 1).repeat(1, 4)
        window = torch.hann_window(12)
        spectrum = torch.stft(signal, 16, 4, window=window, win_length=12, return_complex=True)
        grid = fft.fftn(signal.view(-1, 6, 8), dim=(1, 2))
        return {
            "size": spectrum.abs().mean(-1),
            "signal": torch.istft(spectrum * torch.sigmoid(spectrum.abs() - 1), 16, 4, window=window, win_length=12, length=48),
            "plane": grid.real,
            "inner": fft.fft2(grid.real.view(-1, 2, 3, 8), dim=(1, 2)).imag,
        }

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    arrays = inputs(source, 33)
    wanted = expected(source, arrays)
    tflite = TfliteFromPt2().convert(source, tmp_path / "tflite", Recipe(batch_sizes=(1, 32)))
    openvino = OpenvinoFromPt2().convert(source, tmp_path / "openvino-pt2", Recipe())
    for made in (*through_onnx(source, tmp_path), tflite, openvino):
        assert made.manifest.signature == source.manifest.signature
        for name, array in compute(made, arrays).items():
            np.testing.assert_allclose(array, wanted[name], rtol=1e-3, atol=1e-4, err_msg=f"{made.manifest.edge} {name}")


def test_onnx_keeps_what_has_no_rule_here_and_one_there(tmp_path: Path) -> None:
    def forward(net: Any, x: Any, mask: Any) -> Any:
        spectrum = fft.fft(torch.cat([x] * 512, 1))
        return net.layer(spectrum.real[:, :8])

    source = exported(tmp_path / "pt2-fp32", forward, {"x": zeros(2, 8)})
    made = OnnxFromPt2().convert(source, tmp_path / "onnx", Recipe())
    assert made.manifest.operators is not None
    assert "DFT" in made.manifest.operators.by_type
    arrays = inputs(source, 5)
    for name, array in compute(made, arrays).items():
        np.testing.assert_allclose(array, expected(source, arrays)[name], rtol=1e-3, atol=1e-4)
