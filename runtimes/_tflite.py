"""What the TF Lite interpreters share: LiteRT's and TensorFlow's have the same interface.

A ``.tflite`` file fixes its batch, so one for several batches holds a signature for each ("b1", "b32"), and a call is put together
from them: the largest that fits, again and again; a remainder of more than half of the next larger one is padded to it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from toolkit.core import Dimension, Format, Precision, Signature
from toolkit.formats.tflite import check_identifier

from ._parts import batch_axes, batch_plan, in_parts
from ._ports import Port, fitted, position, specs_of
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
            interpreter.allocate_tensors()
        return self._session(interpreter, request)

    def _session(self, interpreter: Any, request: OpenRequest) -> TfLiteSession:
        return TfLiteSession(interpreter, request, engine=self.name, version=self.version())


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
        signature = request.signature or Signature(specs_of(inputs, free=free), specs_of(outputs, free=free))
        self._inputs = fitted(inputs, signature.inputs, request)
        self._outputs_of_file = fitted(outputs, signature.outputs, request)
        self._batch = int(inputs[0].spec.shape[0]) if inputs and inputs[0].spec.shape else 0
        self._sizes = tuple(sorted(self._signatures.keys() | {self._batch}))
        self._axes = batch_axes(signature)
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
        def run(rows: list[np.ndarray]) -> list[np.ndarray]:
            size = len(rows[0])
            return self._run_primary(rows) if size == self._batch else self._run_signature(rows, size)

        able = f"batch {' or '.join(map(str, self._sizes))}"
        return in_parts(arrays, batch_plan(batch, self._sizes), self._axes, run, able=able)

    def _close(self) -> None:
        self._interpreter, self._signatures = None, {}


def _details(details: Sequence[dict[str, Any]]) -> tuple[Port, ...]:
    return tuple(_port(detail["name"], detail) for detail in details)


def _named(details: dict[str, dict[str, Any]]) -> tuple[Port, ...]:
    """A signature's tensors in order."""
    return tuple(_port(name, details[name]) for name in sorted(details, key=position))


def _port(name: str, detail: dict[str, Any]) -> Port:
    shape, quantization = detail["shape_signature"], detail["quantization"]
    return Port.of(name, int(detail["index"]), dtype=detail["dtype"], shape=shape, quantization=quantization)


def _shapes(ports: Sequence[Port]) -> list[tuple[Dimension, ...]]:
    return sorted(port.spec.shape for port in ports)


def _same_but_batch(first: Sequence[Port], second: Sequence[Port]) -> bool:
    def kinds(ports: Sequence[Port]) -> list[tuple[str, tuple[Dimension, ...]]]:
        return sorted((port.spec.dtype, port.spec.shape[1:]) for port in ports)

    return kinds(first) == kinds(second)
