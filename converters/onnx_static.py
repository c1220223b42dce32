"""What the edges to ONNX with integer activations share: onnxruntime's static quantizer."""

from __future__ import annotations

import contextlib
import tempfile
from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Samples, without_telemetry
from toolkit.formats import find_format

from .base import Recipe
from .batches import calibration_batch, calibration_feeds
from .ends import Graph, Operation
from .noise import Exact
from .onnx import exact_sums as with_exact_sums
from .onnx import prepared, write_model
from .onnx_complete import put_in_order
from .onnx_moves import moves_in_float
from .onnx_outputs import bends_at_outputs, float_outputs
from .onnx_prelu import of_prelu
from .onnx_ranges import save_min_max
from .quantizer import Execution, StaticQuantizer
from .recipes import Ranges

_INTEGER = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "DynamicQuantize", "QAttention")
_RECURRENT = ("LSTM", "GRU", "RNN")
# Engines compute them in float; with a scale for each of their weights onnxruntime's quantizer writes graphs that it cannot open, or stops.
_NORMALIZATIONS = frozenset({"BatchNormalization", "InstanceNormalization", "LayerNormalization"})


class OnnxStatic(StaticQuantizer):
    """Every operator that onnxruntime can quantize, as QuantizeLinear/DequantizeLinear pairs; int8 weights, activations per tensor. The
    outputs themselves are not rounded. Sums, products and squashing functions stay float32 where that gives less noise and the outputs
    had too much on the calibration samples: what masks a score with -10,000 leaves one step of 256 for all the others.
    """

    extra = "convert"
    distributions = ("onnx", "onnxruntime")
    fragile = frozenset({"Add", "Mul", "Sigmoid", "Softmax"})
    float_kinds = {  # noqa: RUF012 - read-only
        **dict.fromkeys(_RECURRENT, "onnxruntime's quantizer leaves recurrent layers alone"),
        **dict.fromkeys(_NORMALIZATIONS, "onnxruntime has no integer kernel for it"),
        "ConvTranspose": "onnxruntime has no integer kernel for it on the CPU",
    }
    unfused = "onnxruntime did not fuse it with the conversions around it, so it computes in float on rounded values"

    def execution(self, file: Path) -> Execution:
        """As onnxruntime optimizes the graph for this machine."""
        import onnx
        import onnxruntime

        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            options = with_exact_sums()
            options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
            # One level below all: the last one rearranges memory for this processor, which needs new names.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
            options.log_severity_level = 3
            onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
            nodes = onnx.load(options.optimized_model_filepath).graph.node
        return Execution(
            frozenset(node.name for node in nodes if node.op_type.startswith(_INTEGER)),
            sum(node.op_type in {"QuantizeLinear", "DequantizeLinear"} for node in nodes),
        )

    @abstractmethod
    def _options(self, source: Artifact, recipe: Recipe) -> Options:
        """What a recipe asks for, in onnxruntime's terms."""

    def _calibrate(self, source: Artifact, samples: Samples, recipe: Recipe, work: Path) -> _Calibrated:
        return _Calibrated(source, samples, work, self._options(source, recipe))


@dataclass(frozen=True)
class Options:
    """``activations`` is onnxruntime's name of a type; with ``symmetric`` its zero is the middle."""

    activations: str
    per_channel: bool
    symmetric: bool
    ranges: Ranges = Ranges.MINMAX
    percentile: float | None = None
    reduce_range: bool = False


class _Calibrated:
    """onnxruntime's quantizer, which keeps the ranges in a file."""

    file_name = Format.ONNX.file_name

    def __init__(self, source: Artifact, samples: Samples, work: Path, options: Options) -> None:
        without_telemetry()
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

        self._signature = source.manifest.signature
        self._samples = samples
        self._work = work
        self._options = options
        self._clean = prepared(source.model_file, work)
        self._kinds = sorted({*QDQRegistry, *QLinearOpsRegistry} - _NORMALIZATIONS)
        self._never = _never_in_integers(self._clean)
        known = {*self._kinds, *_RECURRENT}
        self.layers = tuple(layer for layer in find_format(Format.ONNX).layers(self._clean) if layer.kind in known)
        self.exact = Exact(lambda: self.outputs(self._clean))

    @cached_property
    def _graph(self) -> Any:
        """That of the file which is quantized, without weights beside it."""
        import onnx

        return onnx.load(self._clean, load_external_data=False).graph

    def graph(self) -> Graph:
        """That of the file which is quantized."""
        graph = self._graph
        makers = {name: number for number, node in enumerate(graph.node) for name in node.output if name}
        return Graph(
            tuple(Operation(node.name, tuple(makers[name] for name in node.input if name in makers)) for node in graph.node),
            {value.name: makers[value.name] for value in graph.output if value.name in makers},
        )

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Quantize; the first call calibrates."""
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

        options = self._options
        method = {
            Ranges.MINMAX: CalibrationMethod.MinMax,
            Ranges.ENTROPY: CalibrationMethod.Entropy,
            Ranges.PERCENTILE: CalibrationMethod.Percentile,
        }[options.ranges]
        extra: dict[str, Any] = {"ActivationSymmetric": True} if options.symmetric else {}
        if options.ranges is not Ranges.MINMAX:
            # A histogram is fed one batch at a time: it would hold every tensor of all batches, whatever this option's name says.
            extra["CalibStridedMinMax"] = 1
        if options.percentile is not None:
            extra["CalibPercentile"] = options.percentile
        ranges = self._work / "ranges.json"
        if options.ranges is Ranges.MINMAX and not ranges.exists():
            self._never += save_min_max(self._clean, self._kinds, self._feeds(), ranges)
        with _quick_renaming():
            quantize_static(
                str(self._clean),
                str(quantized := self._work / "integers.onnx"),
                self._reader(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=self._kinds,
                nodes_to_exclude=[*keep_float, *self._never, *self._moved_in_float(keep_float)],
                per_channel=options.per_channel,
                reduce_range=options.reduce_range,
                activation_type=QuantType[options.activations],
                weight_type=QuantType.QInt8,
                calibrate_method=method,
                calibration_cache_path=str(ranges),
                extra_options=extra,
            )
        model = onnx.load(quantized)
        put_in_order(model.graph)
        float_outputs(model.graph)
        write_model(model, target)

    def _moved_in_float(self, keep_float: Collection[str]) -> list[str]:
        """What moves values between two operations of which one stays in float: the quantizer would round some of it (Concat, Pad) whatever
        stands around it.
        """
        integers = {layer.name for layer in self.layers} - {*keep_float, *self._never}
        return moves_in_float(self._graph, integers)

    def _reader(self) -> Any:
        from onnxruntime.quantization import CalibrationDataReader

        feeds, count = self._feeds(), -(-len(self._samples) // calibration_batch(self._signature, self._samples))

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            left = count

            def __len__(self) -> int:
                return count

            def set_range(self, start_index: int, end_index: int) -> None:
                """So many batches until the next call; it is called in order."""
                self.left = end_index - start_index

            def get_next(self) -> dict[str, Any] | None:
                self.left -= 1
                return next(feeds, None) if self.left >= 0 else None

        return Reader()

    def applies(self, choice: str) -> bool:  # noqa: ARG002 - each of them may
        """Every choice of this format changes any model."""
        return True

    def outputs(self, file: Path) -> Iterator[dict[str, np.ndarray]]:
        """By onnxruntime."""
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), with_exact_sums(), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        for feed in self._feeds():
            yield dict(zip(names, session.run(names, feed), strict=True))

    def _feeds(self) -> Iterator[dict[str, np.ndarray]]:
        return calibration_feeds(self._samples, self._signature)


@contextlib.contextmanager
def _quick_renaming() -> Iterator[None]:
    """The quantizer of onnxruntime looks at each input of each node for each tensor, in Python: a third of its time."""
    from onnxruntime.quantization.onnx_model import ONNXModel

    def replace(self: Any, old: str, new: str) -> None:
        for node in self.model.graph.node:
            if old in node.input:
                ONNXModel.replace_node_input(node, old, new)

    slow = ONNXModel.replace_input_of_all_nodes
    ONNXModel.replace_input_of_all_nodes = replace
    try:
        yield
    finally:
        ONNXModel.replace_input_of_all_nodes = slow


def _never_in_integers(file: Path) -> list[str]:
    """The names of products with a weight of one dimension, which has no axis of channels, or with a bias for each row; of what stands for
    a PRelu; and of what cuts values off before an output.
    """
    import onnx

    graph = onnx.load(file).graph
    rank = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type in {"MatMul", "Gemm"}]
    odd = [
        node.name for node in products if any(rank.get(name, 2) < 2 for name in node.input[:2]) or rank.get([*node.input, "", ""][2], 1) > 1
    ]
    return [*odd, *of_prelu(graph), *bends_at_outputs(graph)]
