"""Names for the free sizes of a model file: unnamed ones are never taken for one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .signature import Dimension, TensorSpec

_GENERATED = re.compile(r"unk__\d+|.*_dim_\d+|dynamic_?\d*|None|\?|-\d+", re.IGNORECASE)
"""What exporters write where a size has no name."""
_CHANNELS = frozenset({1, 3, 4})


@dataclass(frozen=True)
class Declared:
    """A tensor as a file declares it.

    Args:
        name: its own.
        dtype: as NumPy calls it.
        shape: sizes; None, a number below 1, or a word that no person wrote for those that are free and have no name.
    """

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


def is_named(size: int | str | None) -> bool:
    """Whether a free size has a name that a person gave."""
    return isinstance(size, str) and size.isidentifier() and _GENERATED.fullmatch(size) is None


def name_sizes(inputs: Sequence[Declared], outputs: Sequence[Declared]) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Specs in which every size is a number or has a name.

    Names of the file's own stay, and what has one generated word there has one name here. Other sizes of inputs get names of their own:
    ``batch`` for the first dimension, ``height`` and ``width`` for those of an image, else ``dim_1`` and so on, and behind the input's
    name where that is taken. Those of outputs are ``batch`` in the first dimension, and others than any input's behind it, until a run
    shows more.
    """
    taken = {size for port in (*inputs, *outputs) for size in port.shape if is_named(size)}
    words: dict[str, str] = {}

    def of(port: Declared) -> TensorSpec:
        names: list[Dimension] = []
        for axis, size in enumerate(port.shape):
            if isinstance(size, int) and size > 0:
                names.append(size)
            elif isinstance(size, str) and (is_named(size) or size in words):
                names.append(words.get(size, size))
            else:
                name = _free_name(port, axis, taken)
                taken.add(name)
                names.append(name)
                if isinstance(size, str) and size not in {"", "?"}:
                    words[size] = name
        return TensorSpec(port.name, port.dtype, tuple(names))

    def of_output(port: Declared) -> TensorSpec:
        def name(axis: int, size: int | str | None) -> Dimension:
            if isinstance(size, int) and size > 0:
                return size
            known = isinstance(size, str) and (is_named(size) or size in words)
            own = f"dim_{axis}" if f"dim_{axis}" not in taken else _own_name(port, f"{axis}")
            return words.get(str(size), str(size)) if known else "batch" if axis == 0 else own

        return TensorSpec(port.name, port.dtype, tuple(name(axis, size) for axis, size in enumerate(port.shape)))

    return tuple(map(of, inputs)), tuple(map(of_output, outputs))


def is_invented(size: str, name: str) -> bool:
    """Whether `name_sizes` may have made the name `size` of a tensor `name`, so that it says nothing of other tensors' sizes."""
    prefix = _prefix(name)
    return size in {"batch", "height", "width"} or size.startswith(("dim_", f"{prefix}_"))


def _free_name(port: Declared, axis: int, taken: set[str | int | None]) -> str:
    name = "batch" if axis == 0 else _image_axes(port).get(axis, f"dim_{axis}")
    choices = [name, _own_name(port, name.removeprefix("dim_"))]
    number = 2
    while choices[-1] in taken:
        choices.append(_own_name(port, f"{name}_{number}"))
        number += 1
    return next(choice for choice in choices if choice not in taken)


def _own_name(port: Declared, end: str) -> str:
    return f"{_prefix(port.name)}_{end}"


def _prefix(name: str) -> str:
    own = re.sub(r"\W+", "_", name).strip("_") or "tensor"
    return own if own.isidentifier() else f"tensor_{own}"


def _image_axes(port: Declared) -> dict[int, str]:
    if len(port.shape) != 4:
        return {}
    last = port.shape[3] in _CHANNELS and port.shape[1] not in _CHANNELS
    return {1: "height", 2: "width"} if last else {2: "height", 3: "width"} if port.shape[1] in _CHANNELS else {}


def distinct(sizes: Iterable[Mapping[str, int]]) -> list[dict[str, int]]:
    """Each of several sizes once, in order."""
    found: list[dict[str, int]] = []
    for each in sizes:
        if each not in found:
            found.append(dict(each))
    return found


def sizes_text(sizes: Mapping[str, int]) -> str:
    """``h=32,w=320``: as ``--fix`` has it."""
    return ",".join(f"{symbol}={size}" for symbol, size in sizes.items())
