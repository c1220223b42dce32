"""The TF Lite interpreter inside TensorFlow: runs ``.tflite`` files where TensorFlow is installed and LiteRT is not."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.formats.tflite import check_tflite, read_graphs

from ._tflite import TfLiteRuntime, TfLiteSession
from .base import OpenRequest


class TensorFlow(TfLiteRuntime):
    """TensorFlow's own TF Lite interpreter."""

    name = "tensorflow"
    distribution = "tensorflow"
    module = "tensorflow"
    extra = "tensorflow"
    framework = "tensorflow"

    def _interpreter(self, file: str, threads: int) -> Any:
        check_tflite(Path(file))
        from tensorflow.lite.python.interpreter import Interpreter, OpResolverType

        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if _needs_plain_kernels(Path(file)) else OpResolverType.AUTO
        with warnings.catch_warnings():
            # It recommends LiteRT, which is an engine of its own here.
            warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            return Interpreter(model_path=file, num_threads=threads, experimental_op_resolver_type=kernels)

    def _session(self, interpreter: Any, request: OpenRequest) -> TfLiteSession:
        session = super()._session(interpreter, request)
        if _needs_plain_kernels(request.file):
            session.actual = replace(session.actual, detail=f"{session.actual.detail}; without XNNPACK, whose int8 BATCH_MATMUL is wrong")
        return session


def _needs_plain_kernels(file: Path) -> bool:
    """Whether XNNPACK would compute a product of two int8 tensors wrongly: the one in TensorFlow 2.21 takes the second's zero point for 0,
    which LiteRT's does not.
    """
    products = [(graph, node) for graph in read_graphs(file) for node in graph.nodes if node.type == "BATCH_MATMUL"]
    seconds = [graph.tensors[node.inputs[1]] for graph, node in products]
    return any(tensor.type == "INT8" and tensor.zero_point for tensor in seconds)
