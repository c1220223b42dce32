"""OpenVINO: runs its own ``.xml`` with ``.bin``, and ``.onnx`` files as they are.

On CPUs with bf16 the engine would compute in it unasked: the precision is always set, and read back. Inputs are bound once for a
shape and copied into, because setting a tensor in each call costs several times the call itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from toolkit.core import ArtifactError, Format, Precision, Signature
from toolkit.core.free_sizes import Declared, name_sizes
from toolkit.formats.parts.openvino_core import openvino_core

from ._quiet import quiet
from .base import Actual, Call, OpenRequest, Runtime, Session

_PRECISIONS = {"f32": Precision.FP32, "f16": Precision.FP16, "bf16": Precision.BF16}


class OpenVino(Runtime):
    """Intel's engine."""

    name = "openvino"
    formats = frozenset({Format.OPENVINO, Format.ONNX})
    distribution = "openvino"
    module = "openvino"
    extra = "openvino"
    repairs: ClassVar = {
        "gpu": "for a GPU of Intel's, install its driver: apt-get install intel-opencl-icd",
        "npu": "for an NPU of Intel's, install its driver: https://github.com/intel/linux-npu-driver/releases",
    }

    some_processors = frozenset({Precision.BF16})

    @cached_property
    def _core(self) -> Any:
        self.import_engine()
        return openvino_core()

    def devices(self) -> tuple[str, ...]:
        """The kinds of the devices that the engine's plug-ins find."""
        found = {name.partition(".")[0].lower() for name in self._core.available_devices}
        return tuple(device for device in ("gpu", "npu", "cpu") if device in found)

    def precisions(self, format: Format) -> frozenset[Precision]:
        """All, bf16 only where the processor computes in it."""
        has_bf16 = self.is_installed() and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return super().precisions(format) | ({Precision.BF16} if has_bf16 else frozenset())

    def runs(self, format: Format, precision: Precision) -> bool:
        """As `Runtime.runs`: the engine is asked about bf16 alone."""
        return precision in (self.precisions(format) if precision in self.some_processors else super().precisions(format))

    def _open(self, request: OpenRequest) -> Session:
        _check_start(request)
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": {p: hint for hint, p in _PRECISIONS.items()}[request.float_type],
        }
        if request.device == "cpu":
            # Pinned threads of several processes or sessions would share one core while others idle.
            settings |= {"INFERENCE_NUM_THREADS": request.threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
        with quiet():  # A file that ONNX's importer refuses is given to TensorFlow's, which complains at length.
            model = self._core.read_model(request.file)
        compiled = self._core.compile_model(model, request.device.upper(), settings)
        return OpenVinoSession(compiled, request.signature or _signature(model, compiled), self.version())


class OpenVinoSession(Session):
    """One inference request with bound inputs."""

    def __init__(self, compiled: Any, signature: Signature, version: str) -> None:
        self._request = compiled.create_infer_request()
        self._buffers: list[np.ndarray] = []
        executed = compiled.get_property("EXECUTION_DEVICES")
        cpu = all(name.startswith("CPU") for name in executed)
        super().__init__(
            signature,
            Actual(
                engine="openvino",
                engine_version=version,
                device=executed[0].partition(".")[0].lower(),
                float_type=_PRECISIONS[compiled.get_property("INFERENCE_PRECISION_HINT").to_string()],
                threads=compiled.get_property("INFERENCE_NUM_THREADS") if cpu else 0,
                detail=", ".join(executed),
            ),
        )

    def _bind(self, array: np.ndarray) -> Call:
        import openvino

        (buffer,) = self._set_inputs([array])
        # The class of the package wraps this one and looks in each call for inputs that are bound already.
        infer = super(openvino.InferRequest, self._request).infer  # type: ignore[misc]
        nothing: dict[int, Any] = {}

        def call(array: np.ndarray) -> Iterable[np.ndarray]:
            buffer[...] = array
            # Copies of the outputs, so they are the caller's.
            outputs: Iterable[np.ndarray] = infer(nothing, share_outputs=False, decode_strings=True).values()
            return outputs

        return call

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if [array.shape for array in arrays] != [buffer.shape for buffer in self._buffers]:
            self._set_inputs(arrays)
        for buffer, array in zip(self._buffers, arrays, strict=True):
            buffer[...] = array
        return [*self._request.infer().values()]

    def _set_inputs(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        import openvino

        self._buffers = []  # Nothing is bound until all are.
        buffers = [np.empty(array.shape, array.dtype) for array in arrays]
        for index, buffer in enumerate(buffers):
            self._request.set_input_tensor(index, openvino.Tensor(buffer, shared_memory=True))
        self._buffers = buffers
        return buffers

    def _close(self) -> None:
        self._request, self._buffers = None, []


def _check_start(request: OpenRequest) -> None:
    """Refuse a file that is no XML: the engine would hand it to every other importer that it has, each with messages of its own."""
    if request.format is not Format.OPENVINO:
        return
    with request.file.open("rb") as stream:
        start = stream.read(64)
    if not start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"<?xml", b"<net")):
        got = "0 bytes" if not start else f"a file that begins with {start[:8]!r}"
        raise ArtifactError(f"'{request.file}' is no OpenVINO model", expected="XML", got=got, hint="convert it again")


def _signature(model: Any, compiled: Any) -> Signature:
    """Names as in the file: what the compiler moves, such as a squeeze behind a product, leaves an output the name of its source too."""
    inputs, outputs = name_sizes(
        [_declared(*ports, f"input_{index}") for index, ports in enumerate(zip(model.inputs, compiled.inputs, strict=True))],
        [_declared(*ports, f"output_{index}") for index, ports in enumerate(zip(model.outputs, compiled.outputs, strict=True))],
    )
    return Signature(inputs, outputs)


def _declared(named: Any, port: Any, unnamed: str) -> Declared:
    sizes = (dimension.get_length() if dimension.is_static else None for dimension in port.get_partial_shape())
    names = sorted(named.get_names())
    return Declared(names[0] if names else unnamed, np.dtype(port.get_element_type().to_dtype()).name, tuple(sizes))
