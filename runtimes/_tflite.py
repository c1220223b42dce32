"""What the TF Lite interpreters share: LiteRT's and TensorFlow's have the same interface.

A ``.tflite`` file fixes its batch, so one for several batches holds a signature for each ("b1", "b32"), and a call is put together
from them: the largest that fits, again and again; a remainder of more than half of the next larger one is padded to it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from toolkit.core import Dimension, EngineError, Format, Precision
from toolkit.formats.tflite import check_identifier

from ._parts import BatchAxes, batch_plan, in_parts
from ._ports import Port, fitted, position, signature_of
from ._quiet import quiet
from .base import Actual, Call, OpenRequest, Runtime, Session


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
        check_identifier(request.file)
        with quiet():
            interpreter = self._interpreter(str(request.file), request.threads)
            _allocate(interpreter)
        return self._session(interpreter, request)

    def _session(self, interpreter: Any, request: OpenRequest) -> TfLiteSession:
        return TfLiteSession(interpreter, request, engine=self.name, version=self.version())


class TfLiteSession(Session):
    """One interpreter; batches that the file does not have are put together from those it has."""

    def __init__(self, interpreter: Any, request: OpenRequest, *, engine: str, version: str) -> None:
        self._interpreter = interpreter
        primary = _details(interpreter.get_input_details()), _details(interpreter.get_output_details())
        inputs, outputs = primary
        found: dict[str, tuple[Port, ...]] = {}
        for key in interpreter.get_signature_list():
            runner = interpreter.get_signature_runner(key)
            ins, outs = _named(runner.get_input_details()), _named(runner.get_output_details())
            if not (_same_but_batch(ins, primary[0]) if request.signature is None else _is_of(ins, request)):
                continue  # Another function of the same file, such as a decoder beside its encoder.
            if _shapes(ins) == _shapes(primary[0]) and sorted(p.index for p in ins) == sorted(p.index for p in primary[0]):
                inputs, outputs = ins, outs
            found[key] = ins
            # While a runner lives, the interpreter itself refuses to run: it counts references to its memory.
            del runner
        self._resizes = any(-1 in port.spec.shape for port in inputs)
        signature = request.signature or signature_of(inputs, outputs, batches=len(found) > 1)
        self._inputs = fitted(inputs, signature.inputs, request)
        self._outputs_of_file = fitted(outputs, signature.outputs, request)
        self._axes = BatchAxes.of(signature)
        self._primary = _sizes_of(self._inputs)
        self._resized: list[tuple[int, ...]] = []
        self._batch = self._axes.count(self._primary)
        self._any_shape = bool(self._batch) or self._resizes
        # For each size of a sample the signatures by their batches.
        self._signatures: dict[tuple[tuple[int, ...], ...], dict[int, str]] = {self._sample(self._primary): {}}
        for key, ins in found.items():
            shapes = _sizes_of(fitted(ins, signature.inputs, request))
            self._signatures.setdefault(self._sample(shapes), {})[self._axes.count(shapes)] = key
        self._sizes = {
            sample: tuple(sorted({*own, self._batch} if sample == self._sample(self._primary) else own))
            for sample, own in self._signatures.items()
        }
        batches = self._sizes[self._sample(self._primary)]
        self._plain = all(port.plain for port in (*self._inputs, *self._outputs_of_file))
        self._input_indices = [port.index for port in self._inputs]
        self._output_indices = [port.index for port in self._outputs_of_file]
        super().__init__(
            signature,
            Actual(
                engine=engine,
                engine_version=version,
                device="cpu",
                float_type=Precision.FP32,
                threads=request.threads,
                detail=f"threads as set, the interpreter does not tell them; batches {', '.join(map(str, batches))}",
            ),
        )

    def _bind(self, array: np.ndarray) -> Call:
        if not (self._plain and len(self._output_indices) == 1 and (array.shape == self._primary[0] or not self._any_shape)):
            return super()._bind(array)
        set_tensor, invoke, get_tensor = self._interpreter.set_tensor, self._interpreter.invoke, self._interpreter.get_tensor
        (source,), (target,) = self._input_indices, self._output_indices

        def call(array: np.ndarray) -> Iterable[np.ndarray]:
            set_tensor(source, array)
            invoke()
            return (get_tensor(target),)

        return call

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if self._plain:
            return self._run_any(arrays)
        outputs = self._run_any([port.encode(array) for port, array in zip(self._inputs, arrays, strict=True)])
        return [port.decode(array) for port, array in zip(self._outputs_of_file, outputs, strict=True)]

    def _run_any(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if [array.shape for array in arrays] == self._primary or not self._any_shape:
            return self._run_primary(arrays)
        return self._run_batch(arrays)

    def _sample(self, shapes: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
        """The sizes of inputs besides the batch."""
        pairs = zip(self._axes.inputs, shapes, strict=True)
        return tuple(shape if axis is None else (*shape[:axis], *shape[axis + 1 :]) for axis, shape in pairs)

    def _run_primary(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        interpreter = self._interpreter
        for index, array in zip(self._input_indices, arrays, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._output_indices]

    def _run_batch(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        shapes = [array.shape for array in arrays]
        batch = self._axes.count(shapes)
        if self._resizes:
            keys = [key for own in self._signatures.values() for key in own.values()]
            return self._run_signature(arrays, keys[0]) if keys else self._run_resized(arrays, shapes)
        sample = self._sample(shapes)
        if sample not in self._signatures:
            able = " or ".join(str([list(shape) for shape in each]) for each in self._signatures)
            raise EngineError("the file has no signature for these sizes", expected=f"{able} for one sample", got=str([*map(list, shapes)]))
        own = self._signatures[sample]
        return self._run_signature(arrays, own[batch]) if batch in own else self._run_parts(arrays, batch, sample)

    def _run_resized(self, arrays: list[np.ndarray], shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
        """A file without signatures: its one graph takes each size anew."""
        if shapes != self._resized:
            for index, shape in zip(self._input_indices, shapes, strict=True):
                self._interpreter.resize_tensor_input(index, shape)
            self._interpreter.allocate_tensors()
            self._resized = shapes
        return self._run_primary(arrays)

    def _run_signature(self, arrays: Sequence[np.ndarray], key: str) -> list[np.ndarray]:
        runner = self._interpreter.get_signature_runner(key)
        results = runner(**{port.name: array for port, array in zip(self._inputs, arrays, strict=True)})
        return [results[port.name] for port in self._outputs_of_file]

    def _run_parts(self, arrays: list[np.ndarray], batch: int, sample: tuple[tuple[int, ...], ...]) -> list[np.ndarray]:
        sizes, own = self._sizes[sample], self._signatures[sample]

        def run(rows: list[np.ndarray]) -> list[np.ndarray]:
            shapes = [array.shape for array in rows]
            return self._run_primary(rows) if shapes == self._primary else self._run_signature(rows, own[self._axes.count(shapes)])

        return in_parts(arrays, batch_plan(batch, sizes), self._axes, run, able=f"batch {' or '.join(map(str, sizes))}")

    def _close(self) -> None:
        self._interpreter, self._signatures = None, {}


def _allocate(interpreter: Any) -> None:
    """Memory for the sizes that the file begins with; where they are free these may be 1, which a window over time does not take."""
    try:
        interpreter.allocate_tensors()
    except RuntimeError:
        if not any(-1 in detail["shape_signature"] for detail in interpreter.get_input_details()):
            raise


def _details(details: Sequence[dict[str, Any]]) -> tuple[Port, ...]:
    return tuple(_port(detail["name"], detail) for detail in details)


def _named(details: dict[str, dict[str, Any]]) -> tuple[Port, ...]:
    """A signature's tensors in order."""
    return tuple(_port(name, details[name]) for name in sorted(details, key=position))


def _port(name: str, detail: dict[str, Any]) -> Port:
    shape, quantization = detail["shape_signature"], detail["quantization"]
    return Port.of(name, int(detail["index"]), dtype=detail["dtype"], shape=shape, quantization=quantization)


def _sizes_of(ports: Sequence[Port]) -> list[tuple[int, ...]]:
    return [tuple(int(size) for size in port.spec.shape) for port in ports]


def _is_of(ports: Sequence[Port], request: OpenRequest) -> bool:
    """Whether a signature of the file takes what the artifact's does."""
    assert request.signature is not None
    try:
        fitted(ports, request.signature.inputs, request)
    except EngineError:
        return False
    return True


def _shapes(ports: Sequence[Port]) -> list[tuple[Dimension, ...]]:
    return sorted(port.spec.shape for port in ports)


def _same_but_batch(first: Sequence[Port], second: Sequence[Port]) -> bool:
    def kinds(ports: Sequence[Port]) -> list[tuple[str, tuple[Dimension, ...]]]:
        return sorted((port.spec.dtype, port.spec.shape[1:]) for port in ports)

    return kinds(first) == kinds(second)
