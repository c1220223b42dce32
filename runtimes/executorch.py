"""ExecuTorch: runs ``.pte`` files with XNNPACK's kernels.

A file holds the memory plan for its largest batch; larger ones are put together from several calls. The number of threads is one setting
of the whole process, which the first session makes: a thread pool that has worked cannot be replaced without ending the process.
"""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.core import EngineError, Format, Precision, Signature, TensorSpec, fits, needs

from ._parts import BatchAxes, in_parts
from ._quiet import captured
from .base import Actual, OpenRequest, Runtime, Session

_DTYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64", 11: "bool",
}  # fmt: skip
"""torch's numbers of its types, which the file has too."""


class ExecuTorch(Runtime):
    """PyTorch's engine for phones and boards."""

    name = "executorch"
    formats = frozenset({Format.EXECUTORCH})
    distribution = "executorch"
    module = "executorch"
    extra = "executorch"
    framework = "torch"
    sets_threads = False

    def devices(self) -> tuple[str, ...]:
        """The CPU: what other delegates the package brings would need files made for them."""
        return ("cpu",)

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002
        """What the converters make."""
        return frozenset({Precision.FP32, Precision.INT8})

    def import_engine(self) -> None:
        """The engine's library, which the package itself does not import."""
        with needs(self.extra):
            _library()

    def _open(self, request: OpenRequest) -> Session:
        library = _library()
        told: list[bytes] = []
        try:
            with captured(told), _messages(told):
                threads = _start(library, request.threads)
                program = library._load_program(
                    str(request.file),
                    enable_etdump=False,
                    debug_buffer_size=0,
                    program_verification=library.Verification.InternalConsistency,
                    data_path=None,
                )
                method = program.load_method(program.get_method_name(0))
                layout = _Layout.of(method)
                signature = request.signature or layout.signature(method)
        except RuntimeError as error:
            raise EngineError(
                f"executorch cannot open '{request.file}': {_reason(told, error)}", hint="is the file complete? convert it again"
            ) from error
        _check(layout.inputs, signature.inputs, request)
        _check(layout.outputs, signature.outputs, request)
        actual = Actual(
            engine=self.name,
            engine_version=self.version(),
            device="cpu",
            float_type=Precision.FP32,
            threads=threads,
            detail=f"XNNPACK, memory for batch {layout.largest}, threads are set for the whole process",
        )
        return ExecuTorchSession(program, method, signature, actual, largest=layout.largest if signature.has_free_batch else 0)


def _library() -> Any:
    """The compiled module: ``executorch.runtime``, which wraps it, imports the whole exporter first, and that takes seconds."""
    import torch  # noqa: F401 - brings the libraries that the module is linked with
    from executorch.extension.pybindings import _C

    return _C


@contextlib.contextmanager
def _messages(told: list[bytes]) -> Iterator[None]:
    """Add to `told` what is written to `sys.stderr` inside the block: the library writes there as Python does, past the file descriptor
    where a program has put another file in its place.
    """
    with contextlib.redirect_stderr(io.StringIO()) as text:
        try:
            yield
        finally:
            told += text.getvalue().encode().splitlines()


_starting = threading.Lock()
_started = threading.Event()


def _start(library: Any, threads: int) -> int:
    """Let the first session of the process decide how many threads there are; their number."""
    with _starting:
        if not _started.is_set() and library._threadpool_get_thread_count() != threads:
            library._unsafe_reset_threadpool(threads)
        _started.set()
    return int(library._threadpool_get_thread_count())


def _reason(told: Sequence[bytes], error: Exception) -> str:
    """What the engine wrote last to standard error, else what it raised."""
    lines = [
        match[1].decode(errors="replace") for line in told if (match := re.match(rb"\[(?!cpuinfo|threadpool)\w+\.\w+:\d+\] (.*)", line))
    ]
    return (lines or str(error).strip().splitlines() or ["no reason"])[-1]


@dataclass(frozen=True)
class _Layout:
    """The tensors of a method as the file tells them, with their largest sizes; ``largest`` is the first one of every input, 0 if they
    differ.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    largest: int

    @classmethod
    def of(cls, method: Any) -> _Layout:
        meta = method.method_meta()
        inputs = tuple(_spec(f"input_{index}", meta.input_tensor_meta(index)) for index in range(meta.num_inputs()))
        outputs = tuple(_spec(f"output_{index}", meta.output_tensor_meta(index)) for index in range(meta.num_outputs()))
        first = {spec.shape[:1] for spec in inputs}
        return cls(inputs, outputs, int(next(iter(first))[0]) if len(first) == 1 and () not in first else 0)

    def signature(self, method: Any) -> Signature:
        """For a file without a manifest: that its batch is free shows only in a call with one row."""
        one = _sizes_of_one_row(method, self.inputs) if self.largest > 1 else None
        if one is None:
            return Signature(self.inputs, self.outputs)
        return Signature(
            tuple(_freed(spec, (1, *map(int, spec.shape[1:]))) for spec in self.inputs),
            tuple(_freed(spec, sizes) for spec, sizes in zip(self.outputs, one, strict=True)),
        )


def _spec(name: str, info: Any) -> TensorSpec:
    code = info.dtype()
    if code not in _DTYPES:
        raise EngineError(f"'{name}' has torch's type number {code}", expected=f"one of {', '.join(_DTYPES.values())}")
    return TensorSpec(name, _DTYPES[code], tuple(info.sizes()))


def _sizes_of_one_row(method: Any, inputs: Sequence[TensorSpec]) -> list[tuple[int, ...]] | None:
    """The outputs' sizes for one row of zeros; None where the method takes no other batch than its largest."""
    import torch

    try:
        found = method([torch.zeros((1, *spec.shape[1:]), dtype=getattr(torch, spec.dtype)) for spec in inputs])
    except RuntimeError:
        return None
    return [tuple(tensor.shape) for tensor in found]


def _freed(spec: TensorSpec, one: Sequence[int]) -> TensorSpec:
    """With the sizes that follow the batch, from those of the largest batch and those of one row."""
    sizes = [size if size == row else "batch" if row == 1 else f"{row}*batch" for size, row in zip(spec.shape, one, strict=True)]
    return TensorSpec(spec.name, spec.dtype, tuple(sizes))


class ExecuTorchSession(Session):
    """One method of a program. ``largest`` is the batch that its memory is planned for, 0 where the batch is not free."""

    def __init__(self, program: Any, method: Any, signature: Signature, actual: Actual, *, largest: int) -> None:
        import torch

        # The method reads from the program.
        self._program, self._method, self._largest = program, method, largest
        self._tensor = torch.from_numpy
        self._axes = BatchAxes.of(signature)
        super().__init__(signature, actual)

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        batch = len(arrays[0]) if self._largest else 0
        if batch <= self._largest:
            return self._call(arrays)
        plan = [self._largest] * (batch // self._largest) + [batch % self._largest] * (batch % self._largest > 0)
        return in_parts(arrays, plan, self._axes, self._call, able=f"a batch of at most {self._largest}")

    def _call(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        # Copies: torch warns of an array that must not be written to, and takes no other order of axes than its own.
        results = self._method([self._tensor(np.array(array, order="C")) for array in arrays])
        return [np.ascontiguousarray(tensor.numpy()) for tensor in results]

    def _close(self) -> None:
        self._method = self._program = None


def _check(have: Sequence[TensorSpec], want: Sequence[TensorSpec], request: OpenRequest) -> None:
    """Raise `EngineError` unless the file's tensors are the signature's, whatever they are called."""
    if len(have) != len(want) or not all(map(_fits, have, want)):
        expected, got = (", ".join(map(str, specs)) for specs in (want, have))
        raise EngineError(f"'{request.file}' does not fit its signature", expected=expected, got=got)


def _fits(have: TensorSpec, want: TensorSpec) -> bool:
    return fits(have.shape, want.shape) and have.dtype == want.dtype
