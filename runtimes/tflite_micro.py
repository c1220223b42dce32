"""TensorFlow Lite Micro: runs ``.tflite`` files with the kernels of microcontrollers, here on the CPU.

It shows what a device will compute and how much memory it needs, not how fast: these are the portable reference kernels. A model runs in
an arena, one block of memory of a fixed size; the smallest that works can be searched for.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import EngineError, Format, Precision, ProcessError, needs, run_isolated
from toolkit.formats.tflite import check_tflite

from ._micro_file import FirstGraph, first_graph
from ._parts import BatchAxes, batch_plan, in_parts
from ._ports import Port, fitted, signature_of
from ._quiet import captured
from .base import Actual, OpenRequest, Runtime, Session

__all__ = ["MicroModel", "MicroSession", "Port", "TfLiteMicro", "arena_task"]

_STEP = 16
"""Bytes: the arena's own alignment."""

_MARGIN = 1024
"""Bytes above what is used, from where the search for the smallest arena goes down."""

_ARENAS = (2**24, 2**27, 2**30)
"""Bytes of the first attempts; what is not written costs no memory here."""


class TfLiteMicro(Runtime):
    """Google's interpreter for microcontrollers. It has one thread, and of a file it runs the first graph."""

    name = "tflite-micro"
    formats = frozenset({Format.TFLITE})
    distribution = "tflite-micro"
    module = "tflite_micro"
    extra = "tflite-micro"
    sets_threads = False

    def devices(self) -> tuple[str, ...]:
        """The CPU, with the kernels that are written for no processor."""
        return ("cpu",)

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002
        """No kernel takes float16, or floats with int8 weights whose ranges are measured at run time."""
        return frozenset({Precision.FP32, Precision.INT8, Precision.INT8_WEIGHTS, Precision.INT16X8})

    def import_engine(self) -> None:
        """The interpreter, which the package itself does not import."""
        with needs(self.extra):
            _runtime()

    def _open(self, request: OpenRequest) -> Session:
        return MicroSession(MicroModel.read(request.file), request, version=self.version())


@dataclass(frozen=True)
class MicroModel:
    """A file's first graph, as a device gets it."""

    file: Path
    graph: FirstGraph

    @classmethod
    def read(cls, file: Path) -> MicroModel:
        """Read a file; raises `ArtifactError` unless it is a whole TF Lite model."""
        check_tflite(file)
        return cls(file, first_graph(file.read_bytes()))

    @cached_property
    def used_bytes(self) -> int:
        """How much of a large arena the interpreter uses by its own record, on this machine, where a pointer has 8 bytes.

        Raises:
            EngineError: the interpreter lacks an operator, or refuses one as it is used.
        """
        lines: list[bytes] = []
        interpreter = self.interpreter()
        with captured(lines):
            interpreter.print_allocations()
        used = re.search(rb"Arena allocation total (\d+)", b"".join(lines))
        if used is None:
            raise EngineError("tflite-micro does not tell its memory", hint="install the version of constraints.txt")
        return int(used[1])

    @cached_property
    def arena_bytes(self) -> int:
        """The smallest arena in which the model can be prepared: tried in a process of its own, which an arena that is a little too small
        may end. While it prepares, the interpreter may need more than it uses in the end. Raises `EngineError` as `used_bytes`.
        """
        start = -(-self.used_bytes // _STEP) * _STEP + _MARGIN
        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            found = Path(folder) / "found"
            with contextlib.suppress(ProcessError):
                run_isolated(f"{__name__}:arena_task", Search(str(self.file), start, str(found)))
            return int(found.read_text().split()[-1])

    def fits(self, arena: int) -> bool:
        """Whether the model, which can run, can be prepared in an arena of so many bytes."""
        return self._prepared(arena)[0] is not None

    def interpreter(self) -> Any:
        """The package's own interpreter, in an arena with room to spare; raises `EngineError` as `used_bytes`."""
        for arena in _ARENAS:
            interpreter, told = self._prepared(arena)
            if interpreter is not None:
                return interpreter
            if "Requested: " not in told:
                break
        raise EngineError(
            f"tflite-micro cannot run '{self.file}'",
            expected="operators that it has",
            got=_refusal(told, self.graph.operators),
            hint="choose another engine or precision",
        )

    def _prepared(self, arena: int) -> tuple[Any, str]:
        """An interpreter with that arena, or None and what it wrote about it."""
        told: list[bytes] = []
        try:
            with captured(told):
                return _runtime().Interpreter.from_bytes(self.graph.content, arena_size=arena), ""
        except RuntimeError:
            return None, b"".join(told).decode(errors="replace")


def _runtime() -> Any:
    from tflite_micro.python.tflite_micro import runtime

    return runtime


def _refusal(text: str, operators: tuple[str, ...]) -> str:
    """Which operator is missing or refused, out of what the interpreter wrote and the file's own list."""
    missing = re.search(r"Didn't find op for builtin opcode '(\w+)'", text)
    if missing:
        return f"{missing[1]}, {operators.count(missing[1])} of its {len(operators)} operators"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for before, line in zip(["", *lines], lines, strict=False):
        node = re.match(r"Node (\w+) \(number (\d+)\) failed", line)
        if node:
            why = re.sub(r"^\S*/", "", before)  # A source file of the interpreter's is called by its name alone.
            return f"{node[1]}, number {node[2]} of its {len(operators)} operators: {why}"
    return lines[-1] if lines else "no reason"


@dataclass(frozen=True)
class Search:
    """The request: the model's ``file``, the size in bytes to ``start`` with, and the file for what is ``found``."""

    file: str
    start: int
    found: str


def arena_task(search: Search) -> None:
    """The child's half of `MicroModel.arena_bytes`: writes each size that works, the largest first."""
    model, arena = MicroModel.read(Path(search.file)), search.start
    with Path(search.found).open("w") as found:
        while arena > 0 and model.fits(arena):
            print(arena, file=found, flush=True)
            arena -= _STEP


class MicroSession(Session):
    """One interpreter; larger batches than the first graph's are put together from its calls. ``inputs`` and ``outputs`` are the file's
    tensors in the signature's order, ``batch`` the rows of one call, ``model`` what is run.
    """

    def __init__(self, model: MicroModel, request: OpenRequest, *, version: str) -> None:
        self.model, graph = model, model.graph
        self._interpreter = model.interpreter()
        inputs = _ports(graph.inputs, self._interpreter.get_input_details)
        outputs = _ports(graph.outputs, self._interpreter.get_output_details)
        signature = request.signature or signature_of(inputs, outputs, batches=graph.free_batch)
        self.inputs = fitted(inputs, signature.inputs, request)
        self.outputs = fitted(outputs, signature.outputs, request)
        self._axes = BatchAxes.of(signature)
        self.batch = self._axes.count([tuple(map(int, port.spec.shape)) for port in self.inputs])
        super().__init__(
            signature,
            Actual(
                engine="tflite-micro",
                engine_version=version,
                device="cpu",
                float_type=Precision.FP32,
                threads=1,
                detail=f"reference kernels, batch {self.batch}, {model.used_bytes} bytes of arena used",
            ),
        )

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        batch = self._axes.count([array.shape for array in arrays]) if self.batch else 0
        arrays = [port.encode(array) for port, array in zip(self.inputs, arrays, strict=True)]
        if batch == self.batch:
            outputs = self.run_graph(arrays)
        else:
            plan = batch_plan(batch, (self.batch,))
            outputs = in_parts(arrays, plan, self._axes, self.run_graph, able=f"batch {self.batch}")
        return [port.decode(array) for port, array in zip(self.outputs, outputs, strict=True)]

    def run_graph(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The file's own outputs, integers where it has integers, for its own inputs; not safe from several threads."""
        interpreter = self._interpreter
        for port, array in zip(self.inputs, arrays, strict=True):
            interpreter.set_input(array, port.index)
        interpreter.invoke()
        return [interpreter.get_output(port.index) for port in self.outputs]

    def _close(self) -> None:
        self._interpreter = None


def _ports(names: tuple[tuple[str, int], ...], details: Callable[[int], dict[str, Any]]) -> tuple[Port, ...]:
    def port(name: str, place: int) -> Port:
        detail = details(place)
        scales, zeros = (detail["quantization_parameters"][key] for key in ("scales", "zero_points"))
        quantization = (float(scales[0]), int(zeros[0])) if len(scales) else (0.0, 0)
        return Port.of(name, place, dtype=detail["dtype"], shape=detail["shape"], quantization=quantization)

    return tuple(port(name, place) for name, place in names)
