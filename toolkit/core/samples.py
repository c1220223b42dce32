"""Real samples: what calibrates an integer range and what verifies an artifact."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from .errors import DataError, first_line
from .machine import available_memory
from .mapped import CHUNK_BYTES, Place, as_type, chunks, in_memory, opened, places, rows_of
from .reading import write_arrays
from .sample_axes import NO_AXIS, as_rows, as_value, check_rows, check_value, seen_as, start_values
from .signature import Signature

NOISE = "noise"
"""In a manifest's details as ``samples``: the model's inputs are drawn, not measured."""

_SHARED = "samples.json"
_TARGETS = "targets"
TARGETS = (_TARGETS, "target", "labels", "y")
"""What the array of the true labels may be called in a file, unless an input has that name."""


@dataclass(frozen=True)
class Samples:
    """Inputs by name, each ``[N, ...]`` with one row a sample, and the true labels ``[N]`` where they are known.

    Args:
        inputs: rows first, whatever the network wants: `batch` gives it its own order of axes.
        targets: the true labels.
        origin: where they come from.
        drawn: whether they are random numbers, on which no metric means anything.
        notes: what was made of a file's arrays so that they fit.
        axes: on which axis the network has the rows of an input, where that is not the first; `NO_AXIS` where a call takes one sample and
            has no axis for it.
        constants: inputs that are the same for all samples, such as a sample rate, by name.
    """

    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray | None = None
    origin: str = ""
    drawn: bool = False
    notes: tuple[str, ...] = ()
    axes: Mapping[str, int] = field(default_factory=dict)
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return min((len(array) for array in self.inputs.values()), default=0)

    @cached_property
    def sha256(self) -> str:
        """A hash over the content: names, dtypes, shapes and bytes."""
        digest = hashlib.sha256()
        for name, array in sorted(self._arrays().items()):
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            for part in chunks(array):
                digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))
        return digest.hexdigest()

    @cached_property
    def ranges(self) -> dict[str, Range]:
        """What the values of each input of floating-point numbers are like; nothing for inputs without values."""
        return {name: _range(array) for name, array in self.inputs.items() if array.size and np.issubdtype(array.dtype, np.floating)}

    def _arrays(self) -> dict[str, np.ndarray]:
        extra = {} if self.targets is None else {_TARGETS: self.targets}
        return {**self.inputs, **extra, **self.constants}

    def rows(self, index: slice | np.ndarray) -> Samples:
        """The samples at these rows; of what lies in a file the rows stay in one, unless they are few."""
        targets = None if self.targets is None else rows_of(self.targets, index)
        return replace(self, inputs={name: rows_of(array, index) for name, array in self.inputs.items()}, targets=targets)

    def batch(self, index: slice | np.ndarray) -> dict[str, np.ndarray]:
        """What the network takes for these rows, by name, in memory: copies, their axes in its order, and its constants."""
        return {**{name: self.turned(name, in_memory(array, index)) for name, array in self.inputs.items()}, **self.constants}

    def turned(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Some rows of an input with their axes in the network's order; one that has no axis for them takes one."""
        axis = self.axes.get(name, 0)
        return rows if axis == 0 else np.asarray(rows[0]) if axis == NO_AXIS else np.ascontiguousarray(np.moveaxis(rows, 0, axis))

    @property
    def one_by_one(self) -> bool:
        """Whether a call takes one sample, because an input has no axis for more."""
        return NO_AXIS in self.axes.values()

    def without(self, other: Samples) -> Samples:
        """The samples that do not occur in `other`, compared by the bytes of their inputs."""
        taken = set(other.row_keys())
        keep = np.array([key not in taken for key in self.row_keys()], dtype=bool)
        return self if keep.all() else self.rows(keep)

    def row_keys(self) -> list[bytes]:
        """A digest of each row's inputs; equal rows have equal keys."""
        arrays = [array for _, array in sorted(self.inputs.items())]
        step = max(1, CHUNK_BYTES * len(self) // max(1, sum(array.nbytes for array in arrays)))
        keys: list[bytes] = []
        for start in range(0, len(self), step):
            parts = [in_memory(array, slice(start, start + step)) for array in arrays]
            rows = range(min(step, len(self) - start))
            keys += [hashlib.blake2b(b"".join(part[row].tobytes() for part in parts), digest_size=16).digest() for row in rows]
        return keys

    def fit(self, signature: Signature) -> Samples:
        """The samples under a signature's own input names; raises `DataError` when empty or of the wrong shape.

        A single array takes the name of the only input, whatever it is called; one of `TARGETS` that no input is called holds the targets;
        float64 becomes float32 where an input has that. What has its rows on another axis, as the state of a recurrence, has them there in
        the array too; what is the same for all samples is an array without rows, or a single value.
        """
        specs = {spec.name: spec for spec in signature.inputs}
        constants = {name: array for name, array in self.constants.items() if name in specs}
        arrays, notes = {name: array for name, array in self._arrays().items() if name not in self.constants}, [*self.notes]
        found, labels = assign(arrays, list(specs), self.origin, constants={*constants, *signature.values})
        targets = arrays[labels] if labels else None
        if labels not in {"", _TARGETS}:
            notes.append(f"'{labels}' holds the targets")
        given = {name: arrays[array] for name, array in found.items()}
        for name, array in given.items():
            if array.dtype == np.float64 and specs[name].dtype == "float32":
                with np.errstate(over="ignore"):  # What is beyond float32 becomes infinity, and is refused as that.
                    given[name] = as_type(array, np.float32)
                notes.append(f"input '{name}' was cast from float64 to float32")
        seen = seen_as(given, signature, self.axes)
        inputs = {name: given[name] if name in self.axes else as_rows(given[name], axis) for name, axis in seen.items() if axis is not None}
        own = {name: as_value(specs[name], array) for name, array in given.items() if seen[name] is None}
        for name, array in inputs.items():
            check_rows(specs[name], array, self.origin, axis=seen[name])
        for name, value in own.items():
            check_value(specs[name], value, self.origin)
        missing = [name for name in signature.values if name not in {*given, *constants} and name in specs]
        for name, (axis, array) in start_values(missing, signature, inputs, seen).items():
            if axis is None:
                own[name] = array
            else:
                inputs[name], seen[name] = array, axis
        columns = inputs if targets is None else {**inputs, _TARGETS: targets}
        counts = {name: array.shape[0] if array.ndim else 0 for name, array in columns.items()}
        if len(set(counts.values())) > 1:
            raise DataError(f"samples '{self.origin}'", expected="as many rows in every input", got=str(counts))
        return replace(
            self,
            inputs=inputs,
            targets=targets,
            notes=tuple(notes),
            axes={name: axis for name, axis in seen.items() if axis},
            constants=constants | own,
        )

    def save(self, path: Path) -> None:
        """Write the samples to a ``.npz`` file, as `fit` reads them."""
        turned = {name: self.turned(name, array) for name, array in self.inputs.items() if self.axes.get(name, 0) > 0}
        write_arrays(path, self._arrays() | turned)

    @classmethod
    def load(cls, path: Path) -> Samples:
        """Read a ``.npz`` of inputs by name, ``targets`` being the labels (`fit` knows other names too), or a ``.npy`` of a single input;
        no pickles.
        """
        arrays = read_arrays(path)
        targets = arrays.pop(_TARGETS, None)
        return cls(arrays, targets, path.name)

    def share(self, folder: Path) -> None:
        """Leave the samples in a folder for another process: what lies in files already is named, the rest is written."""
        found = places(self._arrays(), folder)
        targets = found.pop(_TARGETS) if self.targets is not None else None
        constants = {name: found.pop(name) for name in self.constants}
        note = _Shared(found, targets, self.origin, self.drawn, self.notes, dict(self.axes), constants)
        (folder / _SHARED).write_bytes(msgspec.json.encode(note))

    @classmethod
    def shared(cls, folder: Path) -> Samples:
        """What `share` left, mapped for reading."""
        note = msgspec.json.decode((folder / _SHARED).read_bytes(), type=_Shared)
        targets = None if note.targets is None else opened(note.targets)
        inputs, constants = ({name: opened(place) for name, place in found.items()} for found in (note.inputs, note.constants))
        return cls(inputs, targets, note.origin, note.drawn, note.notes, note.axes, constants)


@dataclass(frozen=True)
class _Shared:
    """What `Samples.share` leaves: where each input lies, and the targets, if there are any."""

    inputs: dict[str, Place]
    targets: Place | None
    origin: str
    drawn: bool
    notes: tuple[str, ...]
    axes: dict[str, int]
    constants: dict[str, Place]


@dataclass(frozen=True)
class Range:
    """What the values of an array are like."""

    mean: float
    std: float
    low: float
    high: float


def _range(array: np.ndarray) -> Range:
    """In float64, part by part, so that it is the same for an array in memory and for one in a file."""
    count, mean, squares, low, high = 0, 0.0, 0.0, math.inf, -math.inf
    for part in chunks(array):
        values = np.asarray(part, dtype=np.float64)
        own = float(values.mean())
        # Chan, Golub and LeVeque 1979: sums of squared distances from the mean of two parts, joined.
        squares += float(np.square(values - own).sum()) + (own - mean) ** 2 * count * values.size / (count + values.size)
        mean += (own - mean) * values.size / (count + values.size)
        count += values.size
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return Range(mean, math.sqrt(squares / count), low, high)


def assign(arrays: Collection[str], names: Sequence[str], origin: str, *, constants: Collection[str] = ()) -> tuple[dict[str, str], str]:
    """Which array each input of `names` is that is not among `constants`, and which holds the targets (empty for none), by the names alone;
    raises `DataError` for wrong ones.
    """
    inputs = [name for name in names if name not in constants or name in arrays]
    if len(arrays) == len(inputs) == 1 and _TARGETS not in arrays:
        return {inputs[0]: next(iter(arrays))}, ""
    targets = [name for name in arrays if name in TARGETS and name not in inputs]
    if len(targets) > 1:
        raise DataError(f"samples '{origin}' have several targets", expected="one of them", got=", ".join(targets))
    rest = [name for name in arrays if name not in targets]
    if len(rest) == len(inputs) == 1:
        return {inputs[0]: rest[0]}, "".join(targets)
    if rest and set(rest) < set(inputs):
        missing = [name for name in inputs if name not in rest]
        raise DataError(
            f"samples '{origin}' have nothing for input {', '.join(map(repr, missing))}",
            expected=", ".join(inputs),
            got=", ".join(rest) or "none",
            hint=f"add the array, or say one value for all samples, such as the start of a state: --set {missing[0]}=0",
        )
    if set(rest) != set(inputs):
        raise DataError(
            f"samples '{origin}' have the wrong inputs",
            expected=", ".join(inputs),
            got=", ".join(rest) or "none",
            hint=f"name the arrays after the inputs, and the true labels {', '.join(TARGETS[:-1])} or {TARGETS[-1]}",
        )
    return {name: name for name in inputs}, "".join(targets)


def check_names(path: Path, inputs: Sequence[str], *, constants: Collection[str] = ()) -> None:
    """Raise `DataError` unless the arrays in the file at `path` are called as `inputs`, as `Samples.fit` asks; none is read. `constants`
    need none.
    """
    assign(array_names(path), inputs, path.name, constants=constants)


def array_names(path: Path) -> list[str]:
    """The names of the arrays in a ``.npz``, of which none is read; a ``.npy`` has one array without a name. Raises `DataError`."""
    _check_file(path)
    try:
        with path.open("rb") as stream:
            if not stream.read(2).startswith(b"PK"):
                return [""]
            with zipfile.ZipFile(stream) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
    except Exception as error:
        raise _unreadable(path, first_line(error)) from error


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"no samples at '{path}'", expected="a .npz or .npy file")
    if problem := _no_arrays(path):
        raise _unreadable(path, problem)


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(f"'{path}' cannot be read as NumPy arrays: {why}", expected="a .npz or .npy file without pickles")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.npz`` by name, or that of a ``.npy`` under no name; no pickles. Raises `DataError`."""
    _check_file(path)
    try:
        with path.open("rb") as stream:
            content = np.load(stream, allow_pickle=False)
            arrays = {"": content} if isinstance(content, np.ndarray) else _members(content)
    except Exception as error:  # A damaged header or member can raise anything: SyntaxError, TokenError, zlib.error, MemoryError.
        raise _unreadable(path, first_line(error)) from error
    return arrays


def _no_arrays(path: Path) -> str:
    """What a file is that does not begin as NumPy's do, which takes whatever it does not know for a pickle; else nothing."""
    with path.open("rb") as stream:
        head = stream.read(8)
    if not head or head.startswith((b"\x93NUMPY", b"PK")):
        return ""
    kinds = {b"\xff\xd8\xff": "a JPEG image", b"\x89PNG": "a PNG image", b"GIF8": "a GIF image", b"\x89HDF": "an HDF5 file"}
    known = next((kind for start, kind in kinds.items() if head.startswith(start)), "")
    is_pickle = head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return f"it is {known}" if known else "it is a pickle" if is_pickle else "it does not begin as one"


def _members(content: Any) -> dict[str, np.ndarray]:
    """The arrays of an opened ``.npz``; raises `ValueError` for one that would not fit into memory, and for members that are no arrays."""
    unpacked, room = sum(info.file_size for info in content.zip.infolist()), available_memory()
    if unpacked > room:
        raise ValueError(f"it unpacks to {unpacked / 2**30:.1f} GiB, and {room / 2**30:.1f} GiB of memory are free")
    members = {name: content[name] for name in content.files}
    for name, member in members.items():
        if not isinstance(member, np.ndarray):
            raise ValueError(f"its member '{name}' is no array")
    return members


def noise(signature: Signature, count: int, *, classes: int, seed: int) -> Samples:
    """Inputs for a generator: standard normal numbers, and classes below `classes` where an input holds integers; seeded."""
    random = np.random.default_rng(seed)
    needed = sum(8 * count * math.prod(spec.concrete(1)[1:]) for spec in signature.inputs)  # Drawn as 64 bits.
    if needed > available_memory():
        raise DataError(f"{count:,} drawn inputs do not fit into memory", expected=str(signature), got=f"{needed / 2**30:.1f} GiB")
    inputs = {}
    for spec in signature.inputs:
        shape = (count, *spec.concrete(1)[1:])
        whole = np.issubdtype(np.dtype(spec.dtype), np.integer)
        drawn = random.integers(0, classes, shape) if whole else random.standard_normal(shape)
        inputs[spec.name] = drawn.astype(spec.dtype)
    return Samples(inputs, None, f"{NOISE}, seed {seed}")
