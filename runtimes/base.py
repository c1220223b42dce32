"""What an engine must be: a `Runtime` opens a model file, a `Session` runs it.

A new engine is one file in this folder with a `Runtime` and a `Session`; the public methods check, the underscored
ones work. ``tests/runtimes/contract.py`` is the test that every engine passes.
"""

from __future__ import annotations

import importlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self, final

import numpy as np

from toolkit.core import (
    Arrays,
    Artifact,
    ArtifactError,
    DeviceError,
    EngineError,
    Format,
    InputError,
    MissingDependencyError,
    Outputs,
    Precision,
    Signature,
    SignatureError,
    ToolkitError,
    UnknownNameError,
    available_threads,
    has_module,
    install_command,
    needs,
    outdated,
    this_system,
    version_of,
    without_telemetry,
    words_of,
)
from toolkit.core.states import growing_states, states_of
from toolkit.formats import format_of

from ._batcher import Batcher
from ._stream import Stream

_NDARRAY = np.ndarray  # One lookup less in each call.
DEVICES = ("cpu", "gpu", "npu", "auto")


@dataclass(frozen=True)
class SessionOptions:
    """How to open a model. ``threads`` None means all that this process may use; ``precision`` None means the artifact's own."""

    device: str = "cpu"
    threads: int | None = None
    precision: Precision | None = None


@dataclass(frozen=True)
class Actual:
    """What an engine really gave, read back from it where it tells.

    Args:
        device: one of cpu, gpu, npu.
        float_type: in which it computes what it does not compute in integers.
        threads: 0 where it cannot be known.
        detail: the engine's own wording.
        precision: of the artifact, what it stores; None for a model file without a manifest, which does not tell.
    """

    engine: str
    engine_version: str
    device: str
    float_type: Precision
    threads: int
    detail: str = ""
    precision: Precision | None = None

    @property
    def arithmetic(self) -> str:
        """What is stored and what is computed with, in words: ``int8 weights and activations, fp32 where an operator has no int8``."""
        stored = self.precision
        if stored is None:
            return f"{self.float_type} (the file does not say what it stores)"
        if stored is self.float_type:
            return str(self.float_type)
        if not stored.activations.startswith("int"):
            return f"{stored.weights if stored.is_quantized else stored} weights, computed in {self.float_type}"
        activations, _, when = stored.activations.partition(" ")
        names = f"{stored.weights} weights and {'' if stored.weights == activations else f'{activations} '}activations {when}".rstrip()
        return f"{names}, {self.float_type} where an operator has no {activations}"


@dataclass(frozen=True)
class OpenRequest:
    """A checked request to open one model file: what `Runtime._open` receives.

    Args:
        signature: None for a model without a manifest: the session then takes it from the file.
        device: resolved, never ``auto``.
        threads: at least 1.
        float_type: to compute in.
        stored: the artifact's own precision; None for a model without a manifest.
    """

    file: Path
    format: Format
    signature: Signature | None
    device: str
    threads: int
    float_type: Precision
    stored: Precision | None = None


Call = Callable[[np.ndarray], Iterable[np.ndarray]]
"""The shortest way through an engine for one input of one shape: the input -> the outputs in signature order, the caller's own."""


_NO_CALL: tuple[tuple[int, ...] | None, np.dtype | None, Call] = (None, None, lambda array: (array,))


class Session(ABC):
    """An open model. Use it as a context manager; `run` may be called from several threads.

    ``concurrent`` says that the engine itself allows calls at the same time; otherwise they take turns. ``clock`` counts the nanoseconds
    by whose difference a call is timed: the time of day, unless the engine lives elsewhere and tells how long it worked, so that the way
    there is no part of its figures.
    """

    concurrent: ClassVar[bool] = False

    def __init__(self, signature: Signature, actual: Actual) -> None:
        self.signature = signature
        self.actual = actual
        self.clock: Callable[[], int] = time.perf_counter_ns
        self._lock = threading.Lock()
        self._closed = False
        self._outputs = Outputs.named([spec.name for spec in signature.outputs])
        self._acquire, self._release = self._lock.acquire, self._lock.release
        # Most calls repeat the shape of the last one: the shape and dtype of a single input, and the call for arrays like that.
        # It is one tuple, so that other threads see all of it or nothing.
        self._last = _NO_CALL

    @final
    def run(self, inputs: Arrays) -> Outputs:
        """Run the model once.

        Args:
            inputs: one array, arrays in signature order, or arrays by name; shapes and dtypes as in `signature`.

        Returns:
            The outputs by place and by name (`Outputs`): ``logits, value = ...``, ``...["logits"]``, ``dict(...)``. The arrays are the
            caller's: no later call changes them.

        Raises:
            SignatureError: a name, dtype or shape does not fit.
            EngineError: the engine failed, or the session is closed.
        """
        shape, dtype, call = last = self._last
        try:
            if type(inputs) is _NDARRAY and inputs.shape == shape and inputs.dtype is dtype:
                if self.concurrent:
                    return self._outputs(call(inputs))
                self._acquire()  # `with` costs twice as much.
                try:
                    if self._last is last:  # Else another thread came in between, with another shape or to close.
                        return self._outputs(call(inputs))
                finally:
                    self._release()
            arrays = self.signature.check(inputs, may_be_empty=self._may_be_empty)
            if self.concurrent:
                return self._first_of_shape(arrays)
            with self._lock:
                return self._first_of_shape(arrays)
        except ToolkitError:
            raise
        except Exception as error:
            raise EngineError(f"{self.actual.engine} failed: {words_of(error)}", hint=_hint_of(error)) from error

    def _first_of_shape(self, arrays: list[np.ndarray]) -> Outputs:
        if self._closed:
            raise EngineError("the session is closed", hint="open the model again")
        if len(arrays) != 1:
            return self._outputs(self._run(arrays))
        (array,) = arrays
        self._last = _NO_CALL  # A `_bind` that fails leaves nothing that could be called.
        call = self._bind(array)
        outputs = self._outputs(call(array))
        self._last = (array.shape, np.dtype(self.signature.inputs[0].dtype), call)
        return outputs

    def _bind(self, array: np.ndarray) -> Call:  # noqa: ARG002 - engines that bind buffers need the shape
        """The call for inputs of this shape, valid until the next `_bind`; of a ``concurrent`` session any number, each in any thread."""
        return lambda array: self._run([array])

    @abstractmethod
    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Outputs in signature order for checked inputs in signature order; the arrays returned must not be reused."""

    def memory_bytes(self) -> int | None:
        """The peak that an engine elsewhere tells of itself; None for one in this process, whose own memory is looked at."""
        return None

    def _close(self) -> None:  # noqa: B027 - most engines release everything with their last reference
        """Release what the engine holds."""

    @final
    def stream(self, *, states: Mapping[str, str] | None = None, start: Mapping[str, float | np.ndarray] | None = None) -> Stream:
        """One sequence of calls with a memory, such as one microphone's: `Stream`, whose arguments these are; raises `SignatureError`."""
        stream = Stream(self, states, start)
        if states is not None:
            self._growing = self._growing | stream.growing
        return stream

    @cached_property
    def _growing(self) -> dict[str, tuple[int, ...]]:
        """By state the axes along which it grows from nothing; looked for where an input is empty."""
        return growing_states(self.signature, states_of(self.signature))

    def _may_be_empty(self, name: str) -> tuple[int, ...]:
        return self._growing.get(name, ())

    @final
    def batcher(self, *, most: int = 32, delay_s: float = 0.0, waiting: int = 1024) -> Batcher:
        """Futures and coroutines for callers that wait, who are answered together: `Batcher`, whose arguments these are; raises
        `SignatureError`.
        """
        return Batcher(self, most=most, delay_s=delay_s, waiting=waiting)

    @final
    def close(self) -> None:
        """Release the engine's memory; a later `run` raises `EngineError`."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._last = _NO_CALL
                self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class Runtime(ABC):
    """An inference engine. ``distribution`` is its package's name on the index, ``module`` what is imported, ``extra`` the extra of
    this project that installs it. ``sets_threads`` is False where the number of threads is the process's, decided by its first session,
    or always one.
    ``in_process`` is False where the engine lives elsewhere, in a browser. ``for_apps`` is False where it is measured as any other, but an
    app that loads a model into its own process gets it only when it asks for it by name: it lives elsewhere, or has to compile first.
    ``framework`` is what it imports besides, which it shares with other engines: `toolkit doctor` imports that once for all of them.
    ``repairs`` says for a device what to do where it is missing. ``systems`` are the only systems that it exists for, none if for all.
    ``some_processors`` are the precisions that it computes in where the processor does.
    """

    name: ClassVar[str]
    formats: ClassVar[frozenset[Format]]
    distribution: ClassVar[str]
    module: ClassVar[str]
    extra: ClassVar[str]
    sets_threads: ClassVar[bool] = True
    in_process: ClassVar[bool] = True
    for_apps: ClassVar[bool] = True
    framework: ClassVar[str] = ""
    repairs: ClassVar[Mapping[str, str]] = {}
    systems: ClassVar[tuple[str, ...]] = ()
    some_processors: ClassVar[frozenset[Precision]] = frozenset()

    def missing(self) -> str:
        """Empty when all that the engine needs can be found and is new enough. Else ``for macOS only``; "not installed", with what that is
        where it is more than a package; or which version is here and which is needed.
        """
        if not self.is_for_this_system:
            return f"for {' and '.join(self.systems)} only"
        return outdated(self.distribution) if has_module(self.module) else "not installed"

    @final
    @property
    def is_for_this_system(self) -> bool:
        """Whether it exists for the system that this process runs on."""
        return not self.systems or this_system() in self.systems

    @final
    def elsewhere(self, format: Format, precision: Precision) -> str:
        """Why it runs artifacts of this kind on other machines only, such as ``coreml is for macOS only``; empty where that is not so."""
        if not self.is_for_this_system:
            return f"{self.name} is {self.missing()}"
        if precision in self.some_processors and self.is_installed() and precision not in self.precisions(format):
            return f"{self.name} computes in {precision} only on a processor that does"
        return ""

    @final
    def is_installed(self) -> bool:
        """Whether all that the engine needs can be found on this system; nothing is imported."""
        return not self.missing()

    def install_command(self) -> str:
        """The command that brings what is missing; empty where nothing does, on another system."""
        return install_command(self.extra) if self.is_for_this_system else ""

    def version(self) -> str:
        """The installed version; empty when it is not installed."""
        return version_of(self.distribution) or ""

    def import_engine(self) -> None:
        """Import all that `open` needs: what a process pays once, whatever it opens. Raises `MissingDependencyError`."""
        without_telemetry()
        with needs(self.extra):
            importlib.import_module(self.module)

    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """The devices that this engine can use here, the best one first, out of cpu, gpu, npu."""

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002 - for engines that differ by format
        """The precisions of artifacts that this engine can run in `format`; all but bf16 unless it says otherwise."""
        return frozenset(Precision) - {Precision.BF16}

    def runs(self, format: Format, precision: Precision) -> bool:
        """Whether `precisions` holds this one. It imports the engine at most for one of ``some_processors``."""
        return precision in self.precisions(format)

    def complete(self, file: Path, inputs: Signature) -> Signature:  # noqa: ARG002 - for formats that do not say what their inputs are
        """The signature of a bare file with those `inputs` and the outputs that they give; runs the file.

        Raises:
            ArtifactError: the file is not whole, or not of a format that this engine runs.
            InputError: the file says itself what its inputs are, or takes others.
            MissingDependencyError: the engine is not installed.
        """
        raise InputError(f"'{file.name}' has its own inputs", expected="--input only with Python code, such as model.py:make_model")

    def renewed(self, file: Path, folder: Path) -> Path:  # noqa: ARG002 - for formats whose files were others once
        """A bare file as an artifact of its format holds it: `file`, or one made in `folder` where it is as an earlier format had it.

        Raises:
            EngineError: the engine does not read it.
            MissingDependencyError: the engine is not installed.
        """
        return file

    @final
    def open(self, model: Artifact | Path, options: SessionOptions | None = None) -> Session:
        """Open an artifact, or a bare model file whose signature the engine then tells.

        Raises:
            MissingDependencyError: the engine is not installed.
            ArtifactError: the file is missing, truncated or not a model.
            DeviceError: the device asked for is not here, or the engine fell back to another one.
            EngineError: the engine refused the model.
        """
        request = self._checked(model, options or SessionOptions())
        try:
            with needs(self.extra):
                session = self._open(request)
        except ToolkitError:
            raise
        except Exception as error:
            if request.file.stat().st_size == 0:
                raise ArtifactError(f"'{request.file}' is empty", expected=f"a {request.format} model", got="0 bytes") from error
            hint = _hint_of(error) or "is the file complete? convert it again"
            raise EngineError(f"{self.name} cannot open '{request.file}': {words_of(error)}", hint=hint) from error
        actual = session.actual
        try:
            session.signature.check_itself()
        except SignatureError as error:
            session.close()
            raise EngineError(f"{self.name} cannot run '{request.file}': {error}") from error
        if actual.device != request.device:
            session.close()
            hint = self.repairs.get(request.device, "")
            raise DeviceError(f"{self.name} did not use the device asked for", expected=request.device, got=actual.device, hint=hint)
        if actual.float_type != request.float_type:
            session.close()
            raise EngineError(
                f"{self.name} does not compute in the precision asked for",
                expected=request.float_type,
                got=actual.float_type,
                hint="choose another precision or engine",
            )
        session.actual = replace(actual, precision=request.stored)
        return session

    def _checked(self, model: Artifact | Path, options: SessionOptions) -> OpenRequest:
        if missing := self.missing():
            command = self.install_command()
            raise MissingDependencyError(f"engine '{self.name}' is {missing}", hint=f"run: {command}" if command else "")
        file = model.model_file if isinstance(model, Artifact) else model
        if not file.is_file():
            raise ArtifactError(f"no model file '{file}'", expected="an existing file")
        format = format_of(file)
        if format not in self.formats:
            raise InputError(f"engine '{self.name}' does not run '{file.name}'", expected=", ".join(sorted(self.formats)), got=format)
        stored = model.manifest.precision if isinstance(model, Artifact) else None
        if stored is not None and stored not in self.precisions(format):
            problem = self.elsewhere(format, stored) or f"engine '{self.name}' has no {stored} for {format}"
            raise EngineError(problem, hint="choose another engine or precision")
        if options.threads is not None and options.threads < 1:
            raise InputError("threads", expected="at least 1", got=str(options.threads))
        return OpenRequest(
            file=file,
            format=format,
            signature=model.manifest.signature if isinstance(model, Artifact) else None,
            device=self._resolve(options.device),
            threads=options.threads or available_threads(),
            float_type=options.precision or (Precision.BF16 if stored is Precision.BF16 else Precision.FP32),
            stored=stored,
        )

    @abstractmethod
    def _open(self, request: OpenRequest) -> Session:
        """Open the model; any exception becomes an `EngineError`."""

    def _resolve(self, device: str) -> str:
        check_device(device)
        here = self.devices()
        if device == "auto":
            return here[0]
        if device not in here:
            raise DeviceError(
                f"engine '{self.name}' has no device '{device}' here",
                expected=f"one of {', '.join(here)}",
                hint=self.repairs.get(device, "run: toolkit doctor"),
            )
        return device


def _hint_of(error: Exception) -> str:
    """What to do where an engine says that a device's memory is used up; empty for other errors."""
    used_up = any(words in str(error).lower() for words in ("out of memory", "failed to allocate memory"))
    return "run a smaller batch, or end other programs on the device" if used_up else ""


def check_device(name: str) -> None:
    """Raise `UnknownNameError` unless `name` is one of `DEVICES`; whether such a device is here, an engine says."""
    if name not in DEVICES:
        raise UnknownNameError("device", name, DEVICES)
