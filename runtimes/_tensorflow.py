"""What the engines that run TensorFlow itself share: the references for Keras files and SavedModels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from toolkit.core import EngineError, Format, Precision, Signature
from toolkit.core.free_sizes import Declared

from .base import Actual, OpenRequest, Runtime, Session


class TensorFlowRuntime(Runtime):
    """TensorFlow on the CPU, in fp32. Its threads are the process's and fixed by the first call."""

    extra = "tensorflow"
    framework = "tensorflow"
    sets_threads = False

    def devices(self) -> tuple[str, ...]:
        """Only the CPU: the reference."""
        return ("cpu",)

    def precisions(self, format: Format) -> frozenset[Precision]:  # noqa: ARG002
        """Only fp32: the reference."""
        return frozenset({Precision.FP32})


class TensorFlowSession(Session):
    """A function of tensors in signature order."""

    def __init__(self, function: Callable[..., Sequence[Any]], file_signature: Signature, request: OpenRequest, runtime: Runtime) -> None:
        import tensorflow as tf

        self._device = tf.device("/CPU:0")
        self._function: Any = function
        super().__init__(
            request.signature or file_signature,
            Actual(
                engine=runtime.name,
                engine_version=runtime.version(),
                device="cpu",
                float_type=Precision.FP32,
                threads=tf.config.threading.get_intra_op_parallelism_threads(),
                detail="threads are set for the whole process, 0 means all",
            ),
        )

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        with self._device:
            # Copies: TensorFlow may keep an array that it was given, and give away memory of its own.
            return [np.array(value) for value in self._function(*[np.array(array, order="C") for array in arrays])]

    def _close(self) -> None:
        self._function = None


def declared(name: str, tensor: Any, request: OpenRequest) -> Declared:
    """A tensor of TensorFlow or Keras."""
    dtype = str(getattr(tensor.dtype, "name", tensor.dtype))
    shape = getattr(tensor.shape, "as_list", lambda: list(tensor.shape))() if getattr(tensor.shape, "rank", 0) is not None else None
    try:
        known = np.dtype(dtype).kind in "fiub"
    except TypeError:
        known = False
    if shape is None or not known:
        raise EngineError(
            f"'{request.file}' has '{name}' of type {dtype}",
            expected="a tensor of numbers with a known rank",
            got="no rank" if known else dtype,
        )
    return Declared(name, dtype, tuple(shape))


def set_threads(threads: int) -> None:
    """Let TensorFlow use so many threads, if nothing has run in this process yet."""
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # It has started: the number stays.
        return
