"""What the TF Lite interpreters share: LiteRT's and TensorFlow's have the same interface.

A ``.tflite`` file fixes its batch, so one for several batches holds a signature for each ("b1", "b32"), and a call is put together
from them: the largest that fits, again and again; a remainder of more than half of the next larger one is padded to it.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from toolkit.core import Affine, ArtifactError, Dimension, EngineError, Format, InputError, Precision, Signature, TensorSpec

from ._quiet import quiet
from .base import Actual, Call, OpenRequest, Runtime, Session

_IDENTIFIER = b"TFL3"


class TfLiteRuntime(Runtime):
    """An engine with TF Lite's interpreter class."""

    formats = frozenset({Format.TFLITE})

    @abstractmethod
    def _interpreter(self, file: str, threads: int) -> Any:
        """The engine's ``Interpreter`` of a file."""

    def devices(self) -> tuple[str, ...]:
        """The CPU: these packages bring no other delegate for Python."""
        return ("cpu",)

    def _open(self, request: OpenRequest) -> Session:
        with request.file.open("rb") as stream:
            start = stream.read(8)
        if start[4:] != _IDENTIFIER:
            got = "0 bytes" if not start else "no such identifier"
            raise ArtifactError(f"'{request.file}' is no TF Lite model", expected="a file with TFL3 at byte 4", got=got)
        with quiet():
            interpreter = self._interpreter(str(request.file), request.threads)
            interpreter.allocate_tensors()
        return TfLiteSession(interpreter, request, engine=self.name, version=self.version())


@dataclass(frozen=True)
class _Port:
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


def _batch_axis(spec: TensorSpec, signature: Signature) -> int | None:
    """The axis along which outputs of several calls are put together; None where no dimension is the batch.

    A multiple of the batch is none: whether a sample's rows lie side by side (a reshape) or apart (two batches in one) is not known.
    """
    batch = signature.inputs[0].shape[:1] if signature.inputs else ()
    return next((axis for axis, size in enumerate(spec.shape) if isinstance(size, str) and (size,) == batch), None)


class TfLiteSession(Session):
    """One interpreter; batches that the file does not have are put together from those it has."""

    def __init__(self, interpreter: Any, request: OpenRequest, *, engine: str, version: str) -> None:
        self._interpreter = interpreter
        primary = _details(interpreter.get_input_details()), _details(interpreter.get_output_details())
        inputs, outputs = primary
        self._signatures: dict[int, str] = {}
        for key in interpreter.get_signature_list():
            runner = interpreter.get_signature_runner(key)
            ins, outs = _named(runner.get_input_details()), _named(runner.get_output_details())
            if not _same_but_batch(ins, primary[0]):
                continue  # Another function of the same file, such as a decoder beside its encoder.
            if _shapes(ins) == _shapes(primary[0]) and sorted(p.index for p in ins) == sorted(p.index for p in primary[0]):
                inputs, outputs = ins, outs
            if ins and ins[0].spec.shape:
                self._signatures[int(ins[0].spec.shape[0])] = key
            # While a runner lives, the interpreter itself refuses to run: it counts references to its memory.
            del runner
        self._resizes = any(spec.shape[:1] == (-1,) for spec in (port.spec for port in inputs))
        free = self._resizes or len(self._signatures) > 1
        signature = request.signature or Signature(_specs(inputs, free=free), _specs(outputs, free=free))
        self._inputs = _fitted(inputs, signature.inputs, request)
        self._outputs_of_file = _fitted(outputs, signature.outputs, request)
        self._batch = int(inputs[0].spec.shape[0]) if inputs and inputs[0].spec.shape else 0
        self._sizes = tuple(sorted(self._signatures.keys() | {self._batch}))
        self._axes = [_batch_axis(spec, signature) for spec in signature.outputs]
        plain_inputs = all(port.to_file is None and port.wanted == port.spec.dtype for port in self._inputs)
        plain_outputs = all(port.from_file is None and port.wanted == port.spec.dtype for port in self._outputs_of_file)
        self._plain = plain_inputs and plain_outputs
        self._input_indices = [port.index for port in self._inputs]
        self._output_indices = [port.index for port in self._outputs_of_file]
        super().__init__(
            signature,
            Actual(
                engine=engine,
                engine_version=version,
                device="cpu",
                precision=Precision.FP32,
                threads=request.threads,
                detail=f"threads as set, the interpreter does not tell them; batches {', '.join(map(str, self._sizes))}",
            ),
        )

    def _bind(self, array: np.ndarray) -> Call:
        if not (self._plain and len(self._output_indices) == 1 and (not self._batch or array.shape[0] == self._batch)):
            return super()._bind(array)
        set_tensor, invoke, get_tensor = self._interpreter.set_tensor, self._interpreter.invoke, self._interpreter.get_tensor
        (source,), (target,) = self._input_indices, self._output_indices

        def call(array: np.ndarray) -> Iterable[np.ndarray]:
            set_tensor(source, array)
            invoke()
            return (get_tensor(target),)

        return call

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        batch = arrays[0].shape[0] if self._batch else 0
        if self._plain:
            return self._run_primary(arrays) if batch == self._batch else self._run_batch(arrays, batch)
        arrays = [port.encode(array) for port, array in zip(self._inputs, arrays, strict=True)]
        outputs = self._run_primary(arrays) if batch == self._batch else self._run_batch(arrays, batch)
        return [port.decode(array) for port, array in zip(self._outputs_of_file, outputs, strict=True)]

    def _run_primary(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        interpreter = self._interpreter
        for index, array in zip(self._input_indices, arrays, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._output_indices]

    def _run_batch(self, arrays: list[np.ndarray], batch: int) -> list[np.ndarray]:
        if self._resizes or batch in self._signatures:
            return self._run_signature(arrays, batch)
        return self._run_parts(arrays, batch)

    def _run_signature(self, arrays: Sequence[np.ndarray], batch: int) -> list[np.ndarray]:
        runner = self._interpreter.get_signature_runner(self._signatures[-1 if self._resizes else batch])
        results = runner(**{port.name: array for port, array in zip(self._inputs, arrays, strict=True)})
        return [results[port.name] for port in self._outputs_of_file]

    def _run_parts(self, arrays: list[np.ndarray], batch: int) -> list[np.ndarray]:
        axes = [axis for axis in self._axes if axis is not None]
        if len(axes) != len(self._axes):
            raise EngineError(
                f"batch {batch} has to be put together, but an output has no batch dimension",
                expected=f"batch {' or '.join(map(str, self._sizes))}",
            )
        parts: list[list[np.ndarray]] = []
        start = 0
        for size in batch_plan(batch, self._sizes):
            rows = [array[start : start + size] for array in arrays]
            real = len(rows[0])
            if real < size:
                # Copies of the last row: zeros could be values that the model never met.
                rows = [np.concatenate([row, np.repeat(row[-1:], size - real, axis=0)]) for row in rows]
            outputs = self._run_primary(rows) if size == self._batch else self._run_signature(rows, size)
            parts.append([output[(slice(None),) * axis + (slice(real),)] for axis, output in zip(axes, outputs, strict=True)])
            start += size
        return [np.concatenate(rows, axis=axis) for axis, rows in zip(axes, zip(*parts, strict=True), strict=True)]

    def _close(self) -> None:
        self._interpreter, self._signatures = None, {}


@lru_cache(maxsize=1024)
def batch_plan(batch: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes, out of ascending `sizes`, whose calls serve `batch` rows; only the last call may have rows to spare."""
    plan: list[int] = []
    while batch > 0:
        fits = max((size for size in sizes if size <= batch), default=0)
        larger = min((size for size in sizes if size > batch), default=0)
        size = larger if larger and (not fits or 2 * batch > larger) else fits
        plan.append(size)
        batch -= size
    return tuple(plan)


def _details(details: Sequence[dict[str, Any]]) -> tuple[_Port, ...]:
    return tuple(_port(detail["name"], detail) for detail in details)


def _named(details: dict[str, dict[str, Any]]) -> tuple[_Port, ...]:
    """A signature's tensors in order: the file keeps them sorted as text, where args_10 comes before args_2."""

    def position(name: str) -> tuple[str, int, str]:
        match = re.fullmatch(r"(.*?)_?(\d+)", name)
        return (match[1], int(match[2]), name) if match else (name, -1, name)

    return tuple(_port(name, details[name]) for name in sorted(details, key=position))


def _port(name: str, detail: dict[str, Any]) -> _Port:
    dtype = np.dtype(detail["dtype"]).name
    spec = TensorSpec(name, dtype, tuple(int(size) for size in detail["shape_signature"]))
    return _Port(name, int(detail["index"]), spec, dtype, affine=Affine.of(detail["quantization"]))


def _shapes(ports: Sequence[_Port]) -> list[tuple[Dimension, ...]]:
    return sorted(port.spec.shape for port in ports)


def _same_but_batch(first: Sequence[_Port], second: Sequence[_Port]) -> bool:
    def kinds(ports: Sequence[_Port]) -> list[tuple[str, tuple[Dimension, ...]]]:
        return sorted((port.spec.dtype, port.spec.shape[1:]) for port in ports)

    return kinds(first) == kinds(second)


def _specs(ports: Sequence[_Port], *, free: bool) -> tuple[TensorSpec, ...]:
    def size_of(axis: int, size: Dimension) -> Dimension:
        if axis == 0 and free:
            return "batch"
        return f"dim_{axis}" if size == -1 else size

    return tuple(
        TensorSpec(port.name, port.spec.dtype, tuple(size_of(axis, size) for axis, size in enumerate(port.spec.shape))) for port in ports
    )


def _fitted(ports: Sequence[_Port], specs: Sequence[TensorSpec], request: OpenRequest) -> tuple[_Port, ...]:
    """The file's tensors in the order of the signature: by name where the names are the same, else by position."""
    by_name = {port.name: port for port in ports}
    if len(ports) != len(specs):
        raise EngineError(f"'{request.file}' does not fit its signature", expected=f"{len(specs)} tensors", got=str(len(ports)))
    same = set(by_name) == {spec.name for spec in specs}
    pairs = [(by_name[spec.name] if same else port, spec) for port, spec in zip(ports, specs, strict=True)]
    return tuple(_adapted(port, spec, request) for port, spec in pairs)


def _adapted(port: _Port, spec: TensorSpec, request: OpenRequest) -> _Port:
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
