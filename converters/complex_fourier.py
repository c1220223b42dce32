"""Rules for Fourier transforms: products with matrices of cosines and sines; those of a signal's windows are convolutions with them.

A transform along n numbers multiplies by ``exp(-2 pi i j k / n)``, whose real part is a cosine and whose imaginary part minus a sine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .complex_rules import Pair, Place, rule

_LONGEST = 2048
"""A matrix for a transform along more numbers would take too many megabytes; FNet's longest is 768."""


def _scale(length: int, norm: str | None, *, inverse: bool) -> float:
    """By what torch multiplies a transform along `length` numbers."""
    root = 1 / math.sqrt(length)
    return root if norm == "ortho" else 1 / length if (norm == "forward") != inverse else 1.0


def _angles(length: int, bins: int) -> Any:
    """``[length, bins]`` float64 angles. Reduced while they are whole: the cosine of a large number is inexact."""
    import torch

    numbers, bin_numbers = torch.arange(length), torch.arange(bins)
    return (numbers[:, None] * bin_numbers % length).double() * (2 * torch.pi / length)


def _turns(length: int, bins: int) -> tuple[Any, Any]:
    """Cosines and negative sines, ``[length, bins]`` float64; what must be zero is: the sign of a zero decides an angle."""
    import torch

    angles = _angles(length, bins)
    both = angles.cos(), -angles.sin()
    cosines, sines = (torch.where(part.abs() < 1e-12, 0.0, part) for part in both)
    return cosines, sines


def _matrices(place: Place, length: int, bins: int) -> tuple[Any, Any]:
    """Cosines and negative sines, ``[length, bins]`` float32."""
    import torch

    _check_length(place, length)
    cosines = place.constant(f"fourier_cos_{length}_{bins}", lambda: _turns(length, bins)[0].to(torch.float32))
    return cosines, place.constant(f"fourier_sin_{length}_{bins}", lambda: _turns(length, bins)[1].to(torch.float32))


def _check_length(place: Place, length: int) -> None:
    if length > _LONGEST:
        raise place.refuse(f"a Fourier transform along {length} numbers has no rule, more than {_LONGEST} would take a large matrix")


def _along(axis: int, function: Callable[[Any], Any], tensor: Any) -> Any:
    """`function` of a tensor whose last axis is this one."""
    return function(tensor) if axis in {-1, tensor.ndim - 1} else function(tensor.transpose(axis, -1)).transpose(axis, -1)


def _fitted(place: Place, tensor: Any, axis: int, length: int | None) -> tuple[Any, int]:
    """The tensor cut, or filled with zeros, to `length` along an axis; and that length."""
    import torch

    own = tensor.shape[axis]
    if not isinstance(own, int):
        raise place.refuse("a Fourier transform along a free size has no rule")
    length = own if length is None or length < 0 else int(length)
    if length < own:
        return tensor.narrow(axis, 0, length), length
    missing = [*tensor.shape]
    missing[axis] = length - own
    return (tensor if length == own else torch.cat([tensor, tensor.new_zeros(missing)], dim=axis)), length


def _transform(place: Place, value: Any, axis: int, length: int | None, norm: str | None, *, inverse: bool = False) -> Pair:
    """Along one axis, of complex or real numbers."""
    real, imag = (value.real, value.imag) if isinstance(value, Pair) else (value, None)
    real, number = _fitted(place, real, axis, length)
    cosines, sines = _matrices(place, number, number)
    by = _scale(number, norm, inverse=inverse)

    def product(part: Any, matrix: Any) -> Any:
        return _along(axis, lambda rows: rows @ matrix, part) * by

    if imag is None:
        turned = product(real, sines)
        return Pair(product(real, cosines), -turned if inverse else turned)
    imag, _ = _fitted(place, imag, axis, length)
    sign = -1 if inverse else 1
    return Pair(product(real, cosines) - sign * product(imag, sines), product(imag, cosines) + sign * product(real, sines))


def _transform_of_real(place: Place, value: Any, axis: int, length: int | None, norm: str | None) -> Pair:
    """The first half of the bins, all that numbers without imaginary part need."""
    value, number = _fitted(place, value, axis, length)
    cosines, sines = _matrices(place, number, number // 2 + 1)
    by = _scale(number, norm, inverse=False)
    return Pair(_along(axis, lambda rows: rows @ cosines, value) * by, _along(axis, lambda rows: rows @ sines, value) * by)


def _real_of_transform(place: Place, value: Pair, axis: int, length: int | None, norm: str | None) -> Any:
    """Back from half of the bins: each that has a mirror image counts twice."""
    number = 2 * (value.real.shape[axis] - 1) if length is None else int(length)
    bins = number // 2 + 1
    (real, _), (imag, _) = (_fitted(place, part, axis, bins) for part in (value.real, value.imag))
    _check_length(place, number)
    by = _scale(number, norm, inverse=True)
    cosines = place.constant(f"fourier_back_cos_{number}", lambda: (_counts(number) * _turns(number, bins)[0]).T.float().contiguous())
    sines = place.constant(f"fourier_back_sin_{number}", lambda: (_counts(number) * _turns(number, bins)[1]).T.float().contiguous())
    return (_along(axis, lambda rows: rows @ cosines, real) + _along(axis, lambda rows: rows @ sines, imag)) * by


def _counts(length: int) -> Any:
    """How often each bin of the half counts, ``[bins]`` float64."""
    import torch

    counts = torch.full((length // 2 + 1,), 2.0, dtype=torch.float64)
    counts[0] = 1
    counts[-1] = 1 if length % 2 == 0 else 2
    return counts


@rule("fft_fft")
def _fft(place: Place, self: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Pair:
    return _transform(place, self, dim, n, norm)


@rule("fft_ifft")
def _ifft(place: Place, self: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Pair:
    return _transform(place, self, dim, n, norm, inverse=True)


@rule("fft_rfft")
def _rfft(place: Place, self: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Pair:
    return _transform_of_real(place, self, dim, n, norm)


@rule("fft_irfft")
def _irfft(place: Place, self: Pair, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    return _real_of_transform(place, self, dim, n, norm)


def _axes(place: Place, value: Any, s: Sequence[int] | None, dim: Sequence[int] | None) -> list[tuple[int, int | None]]:
    """Each axis with the length that is asked for along it; the last two where the operator's name says two."""
    two = place.node.target._schema.name.endswith("2")
    count = 2 if two else len(s) if s is not None else getattr(value, "real", value).ndim
    axes = list(dim) if dim is not None else list(range(-count, 0))
    lengths: Sequence[int | None] = s or [None] * len(axes)
    return list(zip(axes, lengths, strict=True))


@rule("fft_fftn", "fft_fft2", "fft_ifftn", "fft_ifft2")
def _fftn(place: Place, self: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
    inverse = "_ifft" in place.node.target._schema.name
    for axis, length in _axes(place, self, s, dim):
        self = _transform(place, self, axis, length, norm, inverse=inverse)
    return self


@rule("fft_rfftn", "fft_rfft2")
def _rfftn(place: Place, self: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Pair:
    *others, (last, length) = _axes(place, self, s, dim)
    value = _transform_of_real(place, self, last, length, norm)
    for axis, own in others:
        value = _transform(place, value, axis, own, norm)
    return value


@rule("fft_irfftn", "fft_irfft2")
def _irfftn(place: Place, self: Pair, s: Any = None, dim: Any = None, norm: str | None = None) -> Any:
    *others, (last, length) = _axes(place, self, s, dim)
    for axis, own in others:
        self = _transform(place, self, axis, own, norm, inverse=True)
    return _real_of_transform(place, self, last, length, norm)


def _own_window(place: Place) -> Any:
    """The node of the window; None without one."""
    return place.node.kwargs.get("window", place.node.args[4] if len(place.node.args) > 4 else None)


def _key(place: Place, *words: object) -> str:
    """What names the constants of transforms that are alike."""
    return "_".join(map(str, (*words, getattr(_own_window(place), "name", "plain"))))


def _window(place: Place, length: int, own: int | None, window: Any) -> Any:
    """The window, ``[length]`` float64, with zeros beside it where it is shorter."""
    import torch

    own = length if own is None else own
    if window is not None and _depends(_own_window(place)):
        raise place.refuse("a window that depends on the inputs has no rule")
    values = torch.ones(own, dtype=torch.float64) if window is None else window.double()
    left = (length - own) // 2
    return torch.nn.functional.pad(values, (left, length - own - left))


def _depends(node: Any) -> bool:
    return node.op == "placeholder" or any(_depends(each) for each in node.all_input_nodes)


@rule("stft")
def _stft(
    place: Place, *, self: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None,
    center: bool = False, pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None,
    return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Any:  # fmt: skip
    """``[batch, samples]`` or ``[samples]`` to ``[batch, bins, windows]``."""
    import torch

    if isinstance(self, Pair) or align_to_window:
        raise place.refuse("an STFT of complex numbers, or aligned to its windows, has no rule")
    _check_length(place, n_fft)
    bins = n_fft if onesided is False else n_fft // 2 + 1

    def kernel() -> Any:
        by = _scale(n_fft, "ortho" if normalized else None, inverse=False)
        return (torch.cat(_turns(n_fft, bins), dim=1).T * _window(place, n_fft, win_length, window) * by).float()[:, None]

    weights = place.constant(f"stft_{bins}_{_key(place, n_fft, win_length, normalized)}", kernel)
    signal = self if self.ndim == 2 else self[None]
    if center:
        signal = torch.nn.functional.pad(signal[:, None], (n_fft // 2, n_fft // 2), mode=pad_mode)[:, 0]
    both = torch.nn.functional.conv1d(signal[:, None], weights, stride=hop_length or n_fft // 4)
    both = both if self.ndim == 2 else both[0]
    result = Pair(both.narrow(-2, 0, bins), both.narrow(-2, bins, bins))
    return result if return_complex else torch.stack([result.real, result.imag], dim=-1)


@rule("istft")
def _istft(
    place: Place, *, self: Pair, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None,
    center: bool = True, normalized: bool = False, onesided: bool | None = None, length: int | None = None, return_complex: bool = False,
) -> Any:  # fmt: skip
    """Windows added where they overlap, divided by the sum of the squares of what they were multiplied by."""
    import torch

    bins, hop = n_fft // 2 + 1, hop_length or n_fft // 4
    if onesided is False or return_complex:
        raise place.refuse("an inverse STFT of all bins has no rule")
    _check_length(place, n_fft)

    def kernel() -> Any:
        by = _counts(n_fft).repeat(2)[:, None] * _scale(n_fft, "ortho" if normalized else None, inverse=True)
        return (torch.cat(_turns(n_fft, bins), dim=1).T * by * _window(place, n_fft, win_length, window)).float()

    key = _key(place, n_fft, win_length, normalized)
    weights = place.constant(f"istft_{key}", kernel)
    squares = place.constant(f"squares_{key}", lambda: (_window(place, n_fft, win_length, window) ** 2).to(torch.float32))
    both = torch.cat([self.real, self.imag], dim=-2)
    both = (both if both.ndim == 3 else both[None]).transpose(1, 2)
    signal = _overlapped(both @ weights, hop)
    sums = _overlapped(torch.ones_like(both[:1, :, :1]) * squares, hop)
    start, whole = (n_fft // 2 if center else 0), n_fft + hop * (both.shape[1] - 1)
    end = whole - start if length is None else min(start + length, whole)
    signal = signal[:, start:end] / sums[:, start:end]
    if length is not None and end - start < length:
        signal = torch.nn.functional.pad(signal, (0, length - (end - start)))
    return signal if self.real.ndim == 3 else signal[0]


def _overlapped(windows: Any, hop: int) -> Any:
    """``[batch, n, length]`` windows that begin `hop` apart, added where they overlap: ``[batch, samples]`` with zeros at the end.

    A transposed convolution does the same; litert-torch computes a wrong one.
    """
    from torch.nn.functional import pad

    pieces = -(-windows.shape[2] // hop)
    windows = pad(windows, (0, pieces * hop - windows.shape[2])).unflatten(2, (pieces, hop))
    return sum(pad(windows[:, :, place], (0, 0, place, pieces - 1 - place)) for place in range(pieces)).flatten(1)
