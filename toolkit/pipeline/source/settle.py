"""What the sizes of a model file are: which free ones are one, which counts the samples, and what the outputs have, found by running it."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from toolkit.core import Dimension, InputError, Signature, TensorSpec, ToolkitError
from toolkit.core.free_sizes import sizes_text
from toolkit.core.signature import rename_symbols
from toolkit.runtimes.base import Session
from toolkit.runtimes.parity.probes import FREE_SIZE

_ROWS = 2
_TOGETHER = (4, 8)
"""Rows that some network takes for one sample."""
_TRIED = (FREE_SIZE, 64, 48, 7, 256, 512, 224)
"""Sizes for what no sample tells: a network of many strides refuses small ones, and one of few takes long for large ones."""
_MOST_ELEMENTS = 2**26
_MOST_STARTS = 32


@dataclass(frozen=True)
class Hints:
    """What is known of the inputs before the network runs.

    Args:
        shapes: by input the shape of what a file of samples has, its rows among it; none where nobody knows.
        sizes: by symbol what the user fixes.
        values: by input what it is in every call.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Settled:
    """A signature that holds when the network runs, and what of the file's own was wrong.

    Args:
        signature: as it is.
        notes: what was wrong.
        calls: inputs by name, each free size another one in each; the network took the first, and may refuse the second.
        sizes: by symbol what it took, where it refuses the size that is tried first and nobody says another one.
    """

    signature: Signature
    notes: tuple[str, ...] = ()
    calls: tuple[dict[str, np.ndarray], ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)


def settle(session: Session, hints: Hints | None = None) -> Settled:
    """The signature of an open network, its sizes found by running it: two free sizes that it refuses unless they are equal have one name,
    what counts the samples is told by samples that change places, and outputs have the sizes that come out.

    A network that takes none of the sizes that are tried keeps what its file declares.

    Raises:
        InputError: the network refuses sizes that the user gives.
    """
    return _Settler(session, hints or Hints()).settled()


Sizes = dict[str, int]


class _Settler:
    def __init__(self, session: Session, hints: Hints) -> None:
        self._session, self._hints, self._declared = session, hints, session.signature
        self._rows_of_inputs = {str(spec.shape[0]) for spec in self._declared.inputs if spec.has_free_batch}
        self._problem: ToolkitError | None = None

    def settled(self) -> Settled:
        start = next((sizes for sizes in itertools.islice(self._starts(), _MOST_STARTS) if self._run(sizes) is not None), None)
        if start is None:
            if self._hints.sizes and self._problem is not None:
                raise InputError(f"the network refuses {sizes_text(self._hints.sizes)}: {self._problem}", hint="give sizes that it takes")
            return Settled(self._declared)
        one = self._ones(start)
        pinned = self._pinned(start, one)
        signature = _renamed(self._declared, one).fixed(pinned)
        sizes = {one.get(symbol, symbol): size for symbol, size in start.items() if one.get(symbol, symbol) not in pinned}
        found = self._with_outputs(signature, one, sizes, pinned)
        notes = (
            f"size {symbol} is free in the file, and the network {'takes 1 alone' if size == 1 else f'refuses 1 and 2: here it is {size}'}"
            for symbol, size in pinned.items()
        )
        return replace(found, notes=(*notes, *found.notes))

    def _pinned(self, start: Sizes, one: Mapping[str, str]) -> Sizes:
        """Free sizes that are a number whatever the file says: 1, as of a batch beside a state of one row, or several rows that are one
        sample, such as its four mirrored pictures.
        """
        first = [symbol for symbol in start if symbol in self._rows_of_inputs and symbol not in one]
        alone = [symbol for symbol in first if start[symbol] == 1 and symbol not in one.values()]
        single = [symbol for symbol in alone if all(self._run(start | {symbol: size}) is None for size in (_other(1), 4))]
        return dict.fromkeys(single, 1) | {symbol: start[symbol] for symbol in first if start[symbol] in _TOGETHER}

    def _starts(self) -> Iterator[Sizes]:
        """Sizes of all symbols to begin with, the likeliest first; one sample where the network does not take two."""
        known, single = self._known(_ROWS), self._known(1)
        free = [symbol for symbol in _symbols(self._declared) if symbol not in known]
        rows = self._rows_of_inputs
        others = [symbol for symbol in free if symbol not in rows]
        fixed = {symbol: _ROWS for symbol in free if symbol in rows} | known
        for size in _TRIED if others else (1,):
            # What is not first may count the samples as well, as in the state of a recurrence.
            for counts in itertools.product((False, True), repeat=min(len(others), 3)):
                chosen = dict.fromkeys(others, size)
                chosen |= {symbol: _ROWS for symbol, counted in zip(others, counts, strict=False) if counted}
                yield fixed | chosen
            yield fixed | dict.fromkeys(others, size) | dict.fromkeys(set(free) & rows, 1) | single
        yield from (fixed | dict.fromkeys(others, _TRIED[0]) | dict.fromkeys(set(free) & rows, size) for size in _TOGETHER)
        if known:  # The samples may have sizes that only some inputs take.
            yield dict.fromkeys(free, _ROWS) | known

    def _known(self, rows: int) -> Sizes:
        """What samples and the user say, with `rows` samples."""
        found: Sizes = {}
        for spec in self._declared.inputs:
            shape = self._hints.shapes.get(spec.name, ())
            if len(shape) == len(spec.shape):
                # A dimension that is as long as the samples are many counts them.
                counts = {size for name, each in self._hints.shapes.items() if name != spec.name for size in each[:1]}
                pairs = [(axis, symbol, size) for axis, (symbol, size) in enumerate(zip(spec.shape, shape, strict=True))]
                found |= {symbol: rows if axis == 0 or size in counts else size for axis, symbol, size in pairs if isinstance(symbol, str)}
        return found | {symbol: size for symbol, size in self._hints.sizes.items() if symbol in _symbols(self._declared)}

    def _arrays(self, sizes: Sizes, seed: int = 0) -> list[np.ndarray]:
        return [self._array(spec, sizes, seed) for spec in self._declared.inputs]

    def _array(self, spec: TensorSpec, sizes: Sizes, seed: int) -> np.ndarray:
        shape = [size if isinstance(size, int) else sizes[size] for size in spec.shape]
        if math.prod(shape) > _MOST_ELEMENTS:
            raise InputError(f"input '{spec.name}'", expected="sizes that fit in memory", got=str(shape))
        dtype = np.dtype(spec.dtype)
        if spec.name in self._hints.values:
            return np.full(shape, self._hints.values[spec.name], dtype)
        random = np.random.default_rng([seed, len(spec.name)])
        whole = not np.issubdtype(dtype, np.floating)
        return (random.integers(0, 2, shape) if whole else random.standard_normal(shape)).astype(dtype)

    def _run(self, sizes: Sizes) -> tuple[np.ndarray, ...] | None:
        """What comes out; None where the network refuses these sizes."""
        try:
            return self._call(self._arrays(sizes))
        except ToolkitError as error:
            self._problem = self._problem or error
            return None

    def _call(self, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        return tuple(self._session.run(arrays))

    def _ones(self, start: Sizes) -> dict[str, str]:
        """For symbols that must be equal to one before them, that one."""
        one: dict[str, str] = {}
        bound = [symbol for symbol in start if self._run(start | {symbol: _other(start[symbol])}) is None]
        for size in dict.fromkeys(start[symbol] for symbol in bound):
            alike = [symbol for symbol in bound if start[symbol] == size]
            for first, second in itertools.combinations(alike, 2):
                if not {first, second} & set(one) and self._takes(start, [first, second]):
                    one[second] = first
            rest = [symbol for symbol in alike if symbol not in {*one, *one.values()}]
            if len(rest) > 2 and self._takes(start, rest):
                one |= dict.fromkeys(rest[1:], rest[0])
        return one

    def _takes(self, start: Sizes, symbols: Sequence[str]) -> bool:
        return self._run(start | {symbol: _other(start[symbol]) for symbol in symbols}) is not None

    def _with_outputs(self, signature: Signature, one: dict[str, str], sizes: Sizes, pinned: Sizes) -> Settled:
        """The signature with what comes out, and which symbol counts the samples."""

        def whole(own: Sizes) -> Sizes:
            all_sizes = {**own, **pinned}
            return {symbol: all_sizes[one.get(symbol, symbol)] for symbol in _symbols(self._declared)}

        first = self._run(whole(sizes))
        assert first is not None
        moved: dict[str, tuple[int, tuple[np.ndarray, ...]]] = {}
        for symbol, size in sizes.items():
            other = _other(size)
            found = self._run(whole(sizes | {symbol: other}))
            if found is not None and [array.ndim for array in found] == [array.ndim for array in first]:
                moved[symbol] = (other, found)
        specs = []
        for place, spec in enumerate(signature.outputs):
            shape = tuple(_size(spec, axis, place, first, sizes=sizes, moved=moved) for axis in range(first[place].ndim))
            specs.append(replace(spec, dtype=str(first[place].dtype), shape=shape))
        notes = tuple(
            f"output {old} of the file is {_shape(new)} when it runs"
            for old, new in zip(signature.outputs, specs, strict=True)
            if _contradicted(old, new)
        )
        found_one = replace(signature, outputs=tuple(specs))
        calls = [whole(sizes), whole({symbol: _other(size) for symbol, size in sizes.items()})]
        named = [dict(zip([spec.name for spec in self._declared.inputs], self._arrays(each), strict=True)) for each in calls]
        rows = replace(found_one, batch=self._rows(found_one, whole, sizes, moved))
        taken = {symbol: sizes[symbol] for symbol in rows.free if symbol in sizes}
        refused = not self._known(_ROWS) and any(size != FREE_SIZE for size in taken.values())
        return Settled(rows, notes, tuple(named) if sizes else (), taken if refused else {})

    def _rows(
        self,
        signature: Signature,
        whole: Callable[[Sizes], Sizes],
        sizes: Sizes,
        moved: Mapping[str, tuple[int, tuple[np.ndarray, ...]]],
    ) -> str:
        """The symbol that counts the samples: when they change places, so do their outputs. Empty for what the signature says by itself."""
        likely = sorted(
            moved, key=lambda symbol: (-sum(symbol in spec.shape for spec in signature.inputs), not _is_first(symbol, signature))
        )
        for symbol in likely:
            if self._changes_places(signature, symbol, sizes, whole):
                return "" if signature.rows == symbol else symbol
        return ""

    def _changes_places(self, signature: Signature, symbol: str, sizes: Sizes, whole: Callable[[Sizes], Sizes]) -> bool:
        outputs = [spec.shape.index(symbol) if symbol in spec.shape else None for spec in signature.outputs]
        inputs = [spec.shape.index(symbol) if symbol in spec.shape else None for spec in signature.inputs]
        if all(axis is None for axis in outputs):
            return False
        arrays = self._arrays(whole(sizes), seed=1)
        turned = [array if axis is None else np.flip(array, axis).copy() for array, axis in zip(arrays, inputs, strict=True)]
        try:
            before, after = self._call(arrays), self._call(turned)
        except ToolkitError:
            return False
        pairs = zip(before, after, outputs, strict=True)
        return all(axis is None or _equal(np.flip(one, axis), other) for one, other, axis in pairs)


def _other(size: int) -> int:
    """Another size that a network of strides takes where it takes this one; neither is 1, which goes with any."""
    return size + 1 if size <= _ROWS + 1 else 2 * size


def _symbols(signature: Signature) -> list[str]:
    return list(dict.fromkeys(size for spec in signature.inputs for size in spec.shape if isinstance(size, str)))


def _renamed(signature: Signature, one: Mapping[str, str]) -> Signature:
    def of(specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        return tuple(
            replace(spec, shape=tuple(rename_symbols(size, one) if isinstance(size, str) else size for size in spec.shape))
            for spec in specs
        )

    return replace(signature, inputs=of(signature.inputs), outputs=of(signature.outputs))


def _size(
    spec: TensorSpec,
    axis: int,
    place: int,
    first: Sequence[np.ndarray],
    *,
    sizes: Sizes,
    moved: Mapping[str, tuple[int, tuple[np.ndarray, ...]]],
) -> Dimension:
    """A size of an output: a number, the symbol that it is, ``8*batch``, or a name of its own where it follows in another way."""
    before = first[place].shape[axis]
    moving = {symbol: found[place].shape[axis] for symbol, (_, found) in moved.items() if found[place].shape[axis] != before}
    own = spec.shape[axis] if len(spec.shape) == len(first[place].shape) else None
    if not moving:
        # What the file leaves free may follow from the values.
        return before if not isinstance(own, str) else own if _is_own(own, sizes) else _named(spec, axis)
    if len(moving) == 1:
        ((symbol, after),) = moving.items()
        factor, rest = divmod(before, sizes[symbol])
        if not rest and after == factor * moved[symbol][0]:
            return symbol if factor == 1 else f"{factor}*{symbol}"
    return own if isinstance(own, str) and _is_own(own, sizes) else _named(spec, axis)


def _is_own(symbol: str, sizes: Sizes) -> bool:
    """Whether a symbol of an output is the file's, and none of the inputs'."""
    return symbol not in sizes and symbol != "batch" and not symbol.startswith("dim_")


def _named(spec: TensorSpec, axis: int) -> str:
    return re.sub(r"\W+", "_", f"{spec.name}_{axis}")


def _contradicted(old: TensorSpec, new: TensorSpec) -> bool:
    """Whether a file declares another rank, type or number than comes out; an engine tells no shape where it does not know it."""
    if not old.shape:
        return False
    if len(old.shape) != len(new.shape) or old.dtype != new.dtype:
        return True
    return any(isinstance(was, int) and was != now for was, now in zip(old.shape, new.shape, strict=True))


def _shape(spec: TensorSpec) -> str:
    return f"{spec.dtype}[{','.join(map(str, spec.shape))}]"


def _is_first(symbol: str, signature: Signature) -> bool:
    return any(spec.shape[:1] == (symbol,) for spec in signature.inputs)


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(
        np.allclose(one, other, rtol=1e-2, atol=1e-3 * float(np.abs(one).max(initial=1e-3)), equal_nan=True)
    )
