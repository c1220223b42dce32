"""What goes into a model and what comes out: names, dtypes and shapes, in order."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .errors import InputError, SignatureError
from .size_range import SizeRange

_DTYPES = frozenset({
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
})  # fmt: skip
_MOST_AXES, _MOST_ELEMENTS, _LONGEST_NAME = 32, 2**40, 1000

Dimension = int | str
"""A size, or a symbol such as ``"batch"`` that is free at run time."""

Arrays = np.ndarray | Sequence[np.ndarray] | Mapping[str, np.ndarray]
"""One array, arrays in signature order, or arrays by name."""

DTYPES = ("float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
"""What an input or output may hold."""

_TEXT = re.compile(r"(?P<name>[^\s:\[\]]+):(?P<dtype>\w+)\[(?P<shape>[^\[\]]*)\]")
_EXAMPLE = "NAME:DTYPE[dims] such as image:float32[batch,3,224,224]"


def fits(have: Sequence[Dimension], want: Sequence[Dimension]) -> bool:
    """Whether a shape has the sizes of another one, whose symbols stand for any."""
    return len(have) == len(want) and all(isinstance(w, str) or w == h for h, w in zip(have, want, strict=True))


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: a shape such as ``("batch", 1, 28, 28)``, a NumPy dtype name, a layout such as ``"NCHW"``."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]
    layout: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.dtype}[{','.join(map(str, self.shape))}]"

    @classmethod
    def parse(cls, text: str) -> TensorSpec:
        """What `str` makes of a spec, read back: ``image:float32[batch,3,224,224]``; raises `InputError`."""
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise InputError(f"input spec '{text}'", expected=_EXAMPLE)
        if match["dtype"] not in DTYPES:
            raise InputError(f"input spec '{text}'", expected=f"a type out of {', '.join(DTYPES)}", got=f"'{match['dtype']}'")
        words = [word.strip() for word in match["shape"].split(",")] if match["shape"].strip() else []
        for word in words:
            if not word.isidentifier() and not (word.isdecimal() and int(word) > 0):
                raise InputError(
                    f"input spec '{text}'", expected="a size of 1 or more, or a name where the size is free, as dimension", got=f"'{word}'"
                )
        return cls(match["name"], match["dtype"], tuple(int(word) if word.isdecimal() else word for word in words))

    @property
    def has_free_batch(self) -> bool:
        """Whether the first dimension is a symbol."""
        return bool(self.shape) and isinstance(self.shape[0], str)

    def concrete(self, batch: int, *, free: int = 1) -> tuple[int, ...]:
        """The shape with its first symbol set to `batch` and every other symbol to `free`."""
        return tuple(size if isinstance(size, int) else batch if axis == 0 else free for axis, size in enumerate(self.shape))

    def check_itself(self, *, what: str = "input") -> None:
        """Raise `SignatureError` unless this can be a tensor of a network."""
        if self.dtype not in _DTYPES:
            raise SignatureError(f"{what} '{self.name}' has an unknown dtype", expected="such as float32", got=f"'{self.dtype}'")
        if not self.name or not self.name.isprintable() or len(self.name) > _LONGEST_NAME:
            raise SignatureError(f"an {what} has no usable name", expected="printable characters", got=repr(self.name[:80]))
        sizes = [size for size in self.shape if isinstance(size, int)]
        if min(sizes, default=1) < 1 or len(self.shape) > _MOST_AXES or math.prod(sizes) > _MOST_ELEMENTS:
            got = f"[{', '.join(map(str, self.shape[:_MOST_AXES]))}]"
            raise SignatureError(f"{what} '{self.name}' has an impossible shape", expected="sizes from 1 on that fit in memory", got=got)

    def check(self, array: object, *, what: str = "input", may_be_empty: Sequence[int] = ()) -> None:
        """Raise `SignatureError` unless `array` is an ndarray of this dtype and shape; only these axes may have no element."""
        if not isinstance(array, np.ndarray):
            raise SignatureError(
                f"{what} '{self.name}'", expected=f"a NumPy array {self}", got=type(array).__name__, hint="wrap it in numpy.asarray"
            )
        if array.dtype != np.dtype(self.dtype):
            raise SignatureError(
                f"{what} '{self.name}' has the wrong dtype",
                expected=self.dtype,
                got=str(array.dtype),
                hint=f"convert it with .astype('{self.dtype}')",
            )
        empty = 0 in array.shape and any(size == 0 and axis not in may_be_empty for axis, size in enumerate(array.shape))
        if not fits(array.shape, self.shape) or empty:
            raise SignatureError(
                f"{what} '{self.name}' has the wrong shape",
                expected=f"[{', '.join(map(str, self.shape))}]",
                got=f"[{', '.join(map(str, array.shape))}]",
                hint="the first dimension is the batch" if self.has_free_batch and array.ndim == len(self.shape) - 1 else "",
            )


@dataclass(frozen=True)
class Signature:
    """A model's inputs and outputs, in order.

    Args:
        inputs: what goes in.
        outputs: what comes out.
        batch: the symbol that counts the samples of a call, on whatever axis; empty where it is the first dimension of the inputs.
        sizes: by symbol the only sizes that the file takes, one of several; none for any.
        fixes: by symbol the sizes that a format without free ones is made for, one of several; the first are those of samples.
        ranges: between which sizes it is to be right, as its user says.
        values: by input the number that it is in all samples that say nothing of it, such as the start of a state.
        states: by input the output that is its next value, as its user says or their names do.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch: str = ""
    sizes: tuple[dict[str, int], ...] = ()
    fixes: tuple[dict[str, int], ...] = ()
    ranges: tuple[SizeRange, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.inputs))}) -> ({', '.join(map(str, self.outputs))})"

    @property
    def rows(self) -> str:
        """The symbol that counts the samples of a call; empty where no dimension is free for that.

        Where `batch` does not say it, it is the first dimension of the first input that has it free, if each input has it on some axis, or
        a free first dimension of its own, or is a single value.
        """
        if self.batch:
            return self.batch
        first = next((str(spec.shape[0]) for spec in self.inputs if spec.has_free_batch), "")
        return first if all(first in spec.shape or spec.has_free_batch or set(spec.shape) <= {1} for spec in self.inputs) else ""

    @property
    def has_free_batch(self) -> bool:
        """Whether a call takes any number of samples."""
        return bool(self.rows)

    @property
    def free(self) -> tuple[str, ...]:
        """The symbols of the inputs besides that of the batch, in order."""
        axes = {spec.name: self.batch_axis(spec) for spec in self.inputs}
        found = [size for spec in self.inputs for axis, size in enumerate(spec.shape) if isinstance(size, str) and axis != axes[spec.name]]
        return tuple(dict.fromkeys(size for size in found if size != self.rows))

    def batch_axis(self, spec: TensorSpec) -> int | None:
        """The axis of an input along which samples lie; None for one that is the same for all samples, and where the batch is fixed."""
        rows = self.rows
        if not rows:
            return None
        return spec.shape.index(rows) if rows in spec.shape else 0 if spec.has_free_batch and not self.batch else None

    def shape(self, spec: TensorSpec, batch: int, *, sizes: Mapping[str, int] | None = None, free: int = 1) -> tuple[int, ...]:
        """The shape of an input for `batch` samples, with `sizes` for its symbols, and `free` for those that have none."""
        own, axis = sizes or {}, self.batch_axis(spec)
        return tuple(
            size if isinstance(size, int) else batch if place == axis else own.get(size, free) for place, size in enumerate(spec.shape)
        )

    def fixed(self, sizes: Mapping[str, int]) -> Signature:
        """The signature with numbers for some of its symbols."""

        def number(size: Dimension) -> Dimension:
            return sizes.get(size, size) if isinstance(size, str) else size

        def of(specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
            return tuple(replace(spec, shape=tuple(map(number, spec.shape))) for spec in specs)

        if not sizes:
            return self
        return replace(
            self, inputs=of(self.inputs), outputs=of(self.outputs), ranges=tuple(each for each in self.ranges if each.symbol not in sizes)
        )

    def check_itself(self) -> None:
        """Raise `SignatureError` unless this can be a network's: known dtypes, sizes that a machine can hold, names that differ."""
        for kind, specs in (("input", self.inputs), ("output", self.outputs)):
            if not specs:
                raise SignatureError(f"no {kind}s", expected="at least one", got="none")
            for spec in specs:
                spec.check_itself(what=kind)
            names = [spec.name for spec in specs]
            if len(set(names)) != len(names):
                raise SignatureError(f"two {kind}s have one name", expected="names that differ", got=", ".join(names))

    def order(self, inputs: Arrays) -> list[np.ndarray]:
        """`inputs` as a list in signature order; raises `SignatureError` for a wrong count or name."""
        if isinstance(inputs, np.ndarray):
            values: list[np.ndarray] = [inputs]
        elif isinstance(inputs, Mapping):
            names = [spec.name for spec in self.inputs]
            if set(inputs) != set(names):
                raise SignatureError("wrong input names", expected=", ".join(names), got=", ".join(map(str, inputs)) or "none")
            values = [inputs[name] for name in names]
        else:
            values = list(inputs)
        if len(values) != len(self.inputs):
            raise SignatureError("wrong number of inputs", expected=f"{len(self.inputs)}: {self}", got=str(len(values)))
        return values

    def check(self, inputs: Arrays, *, may_be_empty: Callable[[str], Sequence[int]] | None = None) -> list[np.ndarray]:
        """`inputs` in signature order, each checked, and each symbol bound to one size; raises `SignatureError`.

        `may_be_empty` tells the axes that may have no element; it is asked of an input that has none along one.
        """
        arrays = self.order(inputs)
        bound: dict[str, tuple[int, str]] = {}
        for spec, array in zip(self.inputs, arrays, strict=True):
            spec.check(array, may_be_empty=may_be_empty(spec.name) if may_be_empty and 0 in getattr(array, "shape", ()) else ())
            for symbol, size in zip(spec.shape, array.shape, strict=True):
                if not isinstance(symbol, str):
                    continue
                known, where = bound.setdefault(symbol, (size, spec.name))
                if known != size:
                    raise SignatureError(
                        f"dimension '{symbol}' differs between inputs",
                        expected=f"{known} as in '{where}'",
                        got=f"{size} in '{spec.name}'",
                    )
        return arrays


class Outputs(tuple[np.ndarray, ...]):
    """A model's outputs: a sequence by place and a mapping by name.

    By place it is a tuple in signature order: ``outputs[0]``, slices, ``len(outputs)``, ``for array in outputs`` and
    ``logits, value = outputs`` are about arrays. By name it has what a mapping has: ``outputs["logits"]``, ``"logits" in outputs``,
    ``keys()``, ``values()``, ``items()``, ``get()``, so that ``dict(outputs)`` and ``f(**outputs)`` hold arrays by name. Only
    iteration tells the two apart, and it goes by place: names are ``outputs.keys()``.

    `named` makes the subclass of one signature once, so that making a value costs no more than a tuple.
    """

    __slots__ = ()
    names: tuple[str, ...] = ()

    @staticmethod
    def named(names: Sequence[str]) -> type[Outputs]:
        """The subclass whose values carry `names`, in order."""
        return type("Outputs", (Outputs,), {"__slots__": (), "names": tuple(names)})

    def __getitem__(self, key: int | slice | str) -> np.ndarray:  # type: ignore[override]
        if isinstance(key, str):
            if key not in self.names:
                raise SignatureError(f"no output '{key}'", expected=f"one of {', '.join(self.names)}")
            key = self.names.index(key)
        return tuple.__getitem__(self, key)  # type: ignore[return-value]

    def __contains__(self, key: object) -> bool:
        """Whether there is an output of this name, or this very array: arrays are not compared element by element."""
        return key in self.names if isinstance(key, str) else any(array is key for array in self)

    def keys(self) -> tuple[str, ...]:
        """The names, in order."""
        return self.names

    def values(self) -> tuple[np.ndarray, ...]:
        """The arrays, in order."""
        return tuple(self)

    def items(self) -> tuple[tuple[str, np.ndarray], ...]:
        """Names with their arrays, in order."""
        return tuple(zip(self.names, self, strict=True))

    def get(self, name: str, default: np.ndarray | None = None) -> np.ndarray | None:
        """The output of this name, or `default` where there is none."""
        return self[name] if name in self.names else default

    def as_dict(self) -> dict[str, np.ndarray]:
        """The outputs by name, in order."""
        return dict(self.items())


def rename_symbols(size: str, names: Mapping[str, str]) -> str:
    """A free dimension or a formula of some, such as ``8*batch``, with each symbol that `names` knows under its new name."""
    return re.sub(r"[A-Za-z_]\w*", lambda found: names.get(found[0], found[0]), size)
