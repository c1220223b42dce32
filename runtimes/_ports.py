"""A TF Lite file's tensors and a signature's: whatever interpreter opens the file, they are fitted to each other in the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toolkit.core import Affine, Dimension, EngineError, InputError, Signature, TensorSpec
from toolkit.core.free_sizes import Declared, name_sizes

from .base import OpenRequest


@dataclass(frozen=True)
class Port:
    """A tensor of the file and how the signature's array becomes it; ``to_file`` and ``from_file`` are axes, None as it is. ``affine`` is
    what the file's integers stand for, None where they are the signature's too, or floats.
    """

    name: str
    index: int
    spec: TensorSpec
    wanted: str
    to_file: tuple[int, ...] | None = None
    from_file: tuple[int, ...] | None = None
    affine: Affine | None = None

    @classmethod
    def of(cls, name: str, index: int, *, dtype: Any, shape: Sequence[int], quantization: tuple[float, int]) -> Port:
        """A tensor as an interpreter tells it: -1 is a free dimension, ``quantization`` a scale (0 for none) and a zero point."""
        spec = TensorSpec(name, np.dtype(dtype).name, tuple(int(size) for size in shape))
        return cls(name, index, spec, spec.dtype, affine=Affine.of(quantization))

    @property
    def plain(self) -> bool:
        """Whether the signature's array is the file's."""
        return self.to_file is None and self.wanted == self.spec.dtype

    def encode(self, array: np.ndarray) -> np.ndarray:
        """The array in the file's layout and dtype; raises `InputError` for integers that the file's dtype cannot hold."""
        if self.to_file is not None:
            array = array.transpose(self.to_file)
        if self.affine is not None:
            return self.affine.quantize(array, self.spec.dtype)
        if self.wanted != self.spec.dtype:
            cast = array.astype(self.spec.dtype)
            if np.issubdtype(cast.dtype, np.integer) and not np.array_equal(cast, array):
                raise InputError(f"input '{self.name}'", expected=f"values that fit {self.spec.dtype}", got=f"up to {np.abs(array).max()}")
            return cast
        return np.ascontiguousarray(array)

    def decode(self, array: np.ndarray) -> np.ndarray:
        """The array in the signature's layout and dtype."""
        if self.from_file is not None:
            array = np.ascontiguousarray(array.transpose(self.from_file))
        if self.affine is not None:
            array = self.affine.dequantize(array)
        return array.astype(self.wanted, copy=False)


def position(name: str) -> tuple[str, int, str]:
    """Where a name belongs among those of a signature: the file keeps them sorted as text, where args_10 comes before args_2."""
    match = re.fullmatch(r"(.*?)_?(\d+)", name)
    return (match[1], int(match[2]), name) if match else (name, -1, name)


def signature_of(inputs: Sequence[Port], outputs: Sequence[Port], *, batches: bool) -> Signature:
    """What the file itself tells; with `batches` the first dimension is the batch, whatever the file fixes."""

    def declared(port: Port, first: str | None, *, batch: bool) -> Declared:
        return Declared(
            port.name, port.spec.dtype, tuple(first if axis == 0 and batch else size for axis, size in enumerate(port.spec.shape))
        )

    # What is free in the inputs the file need not say of the outputs.
    rows = batches or any(port.spec.shape[:1] == (-1,) for port in inputs)
    return Signature(
        *name_sizes([declared(port, "batch", batch=batches) for port in inputs], [declared(port, None, batch=rows) for port in outputs])
    )


def fitted(ports: Sequence[Port], specs: Sequence[TensorSpec], request: OpenRequest) -> tuple[Port, ...]:
    """The file's tensors in the order of the signature: by name where the names are the same, else by position."""
    by_name = {port.name: port for port in ports}
    if len(ports) != len(specs):
        raise EngineError(f"'{request.file}' does not fit its signature", expected=f"{len(specs)} tensors", got=str(len(ports)))
    same = set(by_name) == {spec.name for spec in specs}
    pairs = [(by_name[spec.name] if same else port, spec) for port, spec in zip(ports, specs, strict=True)]
    return tuple(_adapted(port, spec, request) for port, spec in pairs)


def _adapted(port: Port, spec: TensorSpec, request: OpenRequest) -> Port:
    have, want = port.spec.shape, spec.shape
    integers = all(np.issubdtype(np.dtype(dtype), np.integer) for dtype in (port.spec.dtype, spec.dtype))
    port = replace(port, wanted=spec.dtype, affine=port.affine if np.issubdtype(np.dtype(spec.dtype), np.floating) else None)
    # The format's converters make 32-bit numbers of 64-bit ones.
    if port.spec.dtype == spec.dtype or integers or port.affine or (port.spec.dtype, spec.dtype) == ("float32", "float64"):
        if _fits(have, want):
            return port
        if len(want) == 4 and _fits(have, (want[0], want[2], want[3], want[1])):
            return replace(port, to_file=(0, 2, 3, 1), from_file=(0, 3, 1, 2))
    raise EngineError(f"'{request.file}' does not fit its signature", expected=str(spec), got=str(port.spec))


def _fits(have: Sequence[Dimension], want: Sequence[Dimension]) -> bool:
    return len(have) == len(want) and all(isinstance(w, str) or h in (w, -1) for h, w in zip(have, want, strict=True))
