"""The TF Lite interpreter inside TensorFlow: runs ``.tflite`` files where TensorFlow is installed and LiteRT is not."""

from __future__ import annotations

import mmap
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from ._flatbuffer import check_tflite
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
    from tensorflow.lite.python import schema_py_generated as schema

    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        model = schema.Model.GetRootAs(data)
        listed = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
        codes = [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in listed]  # An old file has only the second.
        if schema.BuiltinOperator.BATCH_MATMUL not in codes:
            return False
        graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
        operators = [(graph, graph.Operators(index)) for graph in graphs for index in range(graph.OperatorsLength())]
        products = [pair for pair in operators if codes[pair[1].OpcodeIndex()] == schema.BuiltinOperator.BATCH_MATMUL]
        seconds = [graph.Tensors(operator.Inputs(1)) for graph, operator in products]
        return any(tensor.Type() == schema.TensorType.INT8 and _zero_point(tensor) for tensor in seconds)


def _zero_point(tensor: Any) -> int:
    quantization = tensor.Quantization()
    return int(quantization.ZeroPoint(0)) if quantization is not None and quantization.ZeroPointLength() else 0
