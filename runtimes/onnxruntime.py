"""ONNX Runtime: runs ``.onnx`` files.

On the CPU a small call goes through bound buffers, one set for each thread and shape, which costs less than ``run``; larger
tensors go to ``run``, where the time to copy them would be more than what binding saves.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from toolkit.core import Dimension, EngineError, Format, Precision, Signature
from toolkit.core.free_sizes import Declared, is_named, name_sizes

from .base import Actual, Call, OpenRequest, Runtime, Session

_DTYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(bool)": "bool",
    "tensor(int8)": "int8", "tensor(int16)": "int16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(uint8)": "uint8", "tensor(uint16)": "uint16", "tensor(uint32)": "uint32", "tensor(uint64)": "uint64",
}  # fmt: skip
_PROVIDERS = {
    "gpu": (
        "CUDAExecutionProvider",
        "ROCMExecutionProvider",
        "MIGraphXExecutionProvider",
        "DmlExecutionProvider",
        "WebGpuExecutionProvider",
    ),
    "npu": ("QNNExecutionProvider", "VitisAIExecutionProvider", "CoreMLExecutionProvider"),
    "cpu": ("CPUExecutionProvider",),
}
_OPTIONS = {"CUDAExecutionProvider": {"use_tf32": "0"}}
"""What a provider would do otherwise: products of float32 numbers with 10 bits of precision in place of 23."""
_BOUND_BYTES = 64 * 1024
_BOUND_SHAPES = 8


class OnnxRuntime(Runtime):
    """Microsoft's engine for ONNX, the embedded default."""

    name = "onnxruntime"
    formats = frozenset({Format.ONNX})
    distribution = "onnxruntime"
    module = "onnxruntime"
    extra = "all"
    repairs: ClassVar = {
        "gpu": "for an NVIDIA GPU with its driver, run: pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'",
        "npu": "for a Qualcomm NPU, run: pip uninstall onnxruntime, then pip install onnxruntime-qnn",
    }

    def devices(self) -> tuple[str, ...]:
        """Devices of the execution providers that this build has; whether the driver is there shows when a session opens."""
        self.import_engine()
        import onnxruntime

        present = set(onnxruntime.get_available_providers())
        return tuple(device for device, names in _PROVIDERS.items() if present.intersection(names))

    def _open(self, request: OpenRequest) -> Session:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        if request.stored in {Precision.INT8, Precision.INT8_DYNAMIC}:
            # On x86 without VNNI the kernels for uint8 times int8 let sums of two products saturate; those for uint8 times uint8 are
            # exact. Of other files the engine makes ones that it cannot run: it gives weights without zero points a single one.
            options.add_session_config_entry("session.x64quantprecision", "1")
        elif request.stored in {Precision.INT8_WEIGHTS, Precision.INT4_WEIGHTS}:
            # Else a DequantizeLinear of constant weights runs in every call; so it is folded once, and the speed is that of fp32.
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        present = onnxruntime.get_available_providers()
        providers = [(name, _OPTIONS.get(name, {})) for name in _PROVIDERS[request.device] if name in present]
        session = onnxruntime.InferenceSession(str(request.file), options, providers=providers)
        return OnnxRuntimeSession(session, request, self.version())


class _Bound:
    """Input and output buffers of one shape, bound to a session."""

    def __init__(self, session: Any, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
        self.binding = session.io_binding()
        self.inputs, self.outputs = inputs, outputs
        for port, array in zip(session.get_inputs(), inputs, strict=True):
            self.binding.bind_input(port.name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for port, array in zip(session.get_outputs(), outputs, strict=True):
            self.binding.bind_output(port.name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


class _OfThread(threading.local):
    """The buffers of one thread for one set of shapes."""

    bound: _Bound | None = None


class OnnxRuntimeSession(Session):
    """A session of ONNX Runtime, which lets several threads run at once."""

    concurrent = True

    def __init__(self, session: Any, request: OpenRequest, version: str) -> None:
        self._session = session
        declared = [_declared(port, request) for port in session.get_outputs()]
        inputs, outputs = name_sizes([_declared(port, request) for port in session.get_inputs()], declared)
        self._input_names = [spec.name for spec in inputs]
        self._output_names = [spec.name for spec in outputs]
        self._file_inputs, self._file_outputs = inputs, outputs
        provider = session.get_providers()[0]
        symbols = {size for spec in inputs for size in spec.shape if isinstance(size, str)}
        # Of an unnamed size nobody knows what it will be, and no shape may be an unknown one.
        self._bindable = provider == "CPUExecutionProvider" and all(
            port.shape and all(size in symbols if is_named(size) else isinstance(size, int) for size in port.shape) for port in declared
        )
        self._bound: dict[tuple[object, ...], _OfThread | None] = {}
        super().__init__(
            request.signature or Signature(inputs, outputs),
            Actual(
                engine="onnxruntime",
                engine_version=version,
                device=next((device for device, names in _PROVIDERS.items() if provider in names), provider),
                float_type=Precision.FP32,
                threads=session.get_session_options().intra_op_num_threads,
                detail=", ".join(session.get_providers()),
            ),
        )

    def _bind(self, array: np.ndarray) -> Call:
        own = self._buffers_for([array])
        if own is None or len(self._file_outputs) != 1:
            return super()._bind(array)
        run, example = self._session.run_with_iobinding, np.empty(array.shape, array.dtype)

        def call(array: np.ndarray) -> Iterable[np.ndarray]:
            bound = own.bound
            if bound is None:
                bound = own.bound = self._new_buffers([example])
            bound.inputs[0][...] = array
            run(bound.binding)
            return (bound.outputs[0].copy(),)

        return call

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        own = self._buffers_for(arrays)
        if own is None:
            outputs: list[np.ndarray] = self._session.run(self._output_names, dict(zip(self._input_names, arrays, strict=True)))
            return outputs
        bound = own.bound = own.bound or self._new_buffers(arrays)
        for buffer, array in zip(bound.inputs, arrays, strict=True):
            buffer[...] = array
        self._session.run_with_iobinding(bound.binding)
        return [buffer.copy() for buffer in bound.outputs]

    def _buffers_for(self, arrays: list[np.ndarray]) -> _OfThread | None:
        """Where each thread keeps its buffers for the shapes of `arrays`; None where `run` is the better way."""
        key = tuple([array.shape for array in arrays])
        try:
            return self._bound[key]
        except KeyError:
            if len(self._bound) >= _BOUND_SHAPES:
                self._bound = {}
            own = self._bound[key] = _OfThread() if self._fits(arrays) else None
            return own

    def _output_specs(self, arrays: Sequence[np.ndarray]) -> list[tuple[tuple[int, ...], np.dtype]]:
        sizes: dict[Dimension, int] = {}
        for spec, array in zip(self._file_inputs, arrays, strict=True):
            sizes.update(zip(spec.shape, array.shape, strict=True))
        shapes = [tuple(size if isinstance(size, int) else sizes[size] for size in spec.shape) for spec in self._file_outputs]
        return [(shape, np.dtype(spec.dtype)) for shape, spec in zip(shapes, self._file_outputs, strict=True)]

    def _fits(self, arrays: Sequence[np.ndarray]) -> bool:
        """Whether the outputs' shapes are known before the engine says them, and all is small enough to be copied."""
        if not self._bindable:
            return False
        outputs = sum(math.prod(shape) * dtype.itemsize for shape, dtype in self._output_specs(arrays))
        return sum(array.nbytes for array in arrays) + outputs <= _BOUND_BYTES

    def _new_buffers(self, arrays: Sequence[np.ndarray]) -> _Bound:
        return _Bound(
            self._session,
            [np.empty(array.shape, array.dtype) for array in arrays],
            [np.empty(shape, dtype) for shape, dtype in self._output_specs(arrays)],
        )

    def _close(self) -> None:
        self._bound = {}
        self._session = None


def _declared(port: Any, request: OpenRequest) -> Declared:
    if port.type not in _DTYPES:
        raise EngineError(f"'{request.file}' has '{port.name}' of type {port.type}", expected="a tensor of numbers")
    return Declared(port.name, _DTYPES[port.type], tuple(port.shape))
