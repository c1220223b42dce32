"""OpenVINO in int8 with ranges fixed by calibration."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, Samples, Scalar
from toolkit.formats.parts.openvino_core import openvino_core
from toolkit.formats.parts.openvino_model import openvino_layers, read_model

from ..base import Node, Recipe
from ..batches import batches, calibration_batch
from ..ends import Graph, Operation
from ..noise import Exact
from ..openvino import import_nncf, save_model
from ..quantizer import Execution, StaticQuantizer, reduces_range
from ..recipes import Choices, Ranges

_FLOAT = "LSTMSequence"
# NNCF rounds what they read, and OpenVINO's CPU computes them in float all the same: noise for nothing, whatever is in float around them.
_NEVER = frozenset([
    "Divide", "Equal", "Exp", "FloorMod", "Greater", "GreaterEqual", "Less", "LessEqual", "Log", "LogicalAnd", "LogicalNot", "LogicalOr",
    "LogicalXor", "NormalizeL2", "NotEqual", "Power", "ReduceL2", "ReduceMax", "ReduceMin", "ReduceSum", "Sqrt", "SquaredDifference",
])  # fmt: skip
_INTEGERS = frozenset(["i8", "u8", "i4", "u4"])
_NO_OPERATIONS = frozenset(["Constant", "Parameter", "Result"])
_TOLD = frozenset(["layerType", "runtimePrecision", "originalLayersNames"])


class OpenvinoInt8(StaticQuantizer):
    """NNCF's post-training quantization over all calibration samples: symmetric weights per channel, activations symmetric or not as they
    are signed or not (the preset MIXED), biases corrected. A percentile is the mean of those of the single samples.

    Weights use half of their range: on x86 without VNNI sums of two products are kept in 16 bits, where those of full weights saturate
    (a detector lost 21 points of mAP). Networks that were trained with rounded weights keep their levels. LSTM layers stay float:
    quantized, they cost five to six points of accuracy.
    """

    name = "openvino_int8"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.INT8)
    extra = "convert"
    distributions = ("openvino", "nncf")
    settings = {"preset": "mixed", "ignored": _FLOAT, "reduce_range": True}  # noqa: RUF012 - read-only
    choices = {  # noqa: RUF012 - read-only
        "ranges": (Ranges.MEAN, Ranges.MINMAX, Ranges.PERCENTILE),
        "per_channel": (True, False),
        "symmetric": (False, True),
        "reduce_range": (True, False),
        "transformer": (False, True),
        "smooth_quant": (False, True),
        "accurate_bias": (False, True),
    }
    float_kinds = {  # noqa: RUF012 - read-only
        **dict.fromkeys((_FLOAT, "GRUSequence", "RNNSequence"), "recurrent layers stay float: in integers they cost several points"),
        "MatMul": "NNCF leaves products of two activations in float",
    }
    unfused = "OpenVINO's CPU chose a float kernel"

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """As every edge, with the preset that symmetric activations need."""
        return super().recipe_record(recipe) | ({"preset": "performance"} if recipe.choices.symmetric else {})

    def execution(self, file: Path) -> Execution:
        """As OpenVINO's CPU compiles the model for this machine."""
        compiled = openvino_core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        found: set[str] = set()
        conversions = 0
        for node in compiled.get_runtime_model().get_ordered_ops():
            told = {key: value.astype(str) for key, value in node.get_rt_info().items() if key in _TOLD}
            conversions += told.get("layerType") in {"FakeQuantize", "Convert", "Reorder"}
            if told.get("runtimePrecision") in _INTEGERS:
                # A product of matrices is known by the scaling behind it alone.
                found.update(name.partition("/Dequantization")[0] for name in told.get("originalLayersNames", "").split(","))
        return Execution(frozenset(found), conversions)

    def _calibrate(self, source: Artifact, samples: Samples, recipe: Recipe, work: Path) -> _Calibrated:  # noqa: ARG002 - NNCF leaves no files
        """The model with folded constants; NNCF calibrates in each call."""
        return _Calibrated(source, samples, recipe.choices)


class _Calibrated:
    """NNCF."""

    file_name = Format.OPENVINO.file_name

    def __init__(self, source: Artifact, samples: Samples, choices: Choices) -> None:
        self._choices = choices
        self._reduce_range = reduces_range(choices, source)
        self._source = source
        self._samples = samples
        signature = source.manifest.signature
        self._exact = not signature.has_free_batch
        self._batch = calibration_batch(signature, self._samples)
        self._model = read_model(source.model_file)
        first = next(batches(self._samples, self._batch if self._exact else 1, exact=self._exact))
        self.layers = openvino_layers(self._model, {name: array.shape for name, array in first.items()})
        self.exact = Exact(lambda: self.outputs(source.model_file))

    def graph(self) -> Graph:
        """That of the model which is quantized."""
        nodes = [node for node in self._model.get_ordered_ops() if node.get_type_name() not in _NO_OPERATIONS]
        numbers = {node.get_friendly_name(): number for number, node in enumerate(nodes)}
        results = [(spec.name, self._model.output(spec.name).get_node()) for spec in self._source.manifest.signature.outputs]
        return Graph(
            tuple(Operation(node.get_friendly_name(), _read(node, numbers)) for node in nodes),
            {name: number for name, result in results for number in _read(result, numbers)},
        )

    def applies(self, choice: str) -> bool:
        """A network without a softmax is no transformer."""
        kinds = {node.get_type_name() for node in self._model.get_ops()}
        return bool(kinds & {"transformer": {"Softmax"}, "smooth_quant": {"MatMul"}}.get(choice, kinds))

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Quantize."""
        save_model(self._quantized(keep_float), target, self._source)

    def _quantized(self, keep_float: Collection[str]) -> Any:
        nncf = import_nncf()
        # One sample at a time where the batch is free: NNCF's statistics are means over calls.
        size = self._batch if self._exact else 1
        starts = range(0, len(self._samples), size)
        types = sorted({node.get_type_name() for node in self._model.get_ops()} & {_FLOAT, *_NEVER})
        presets, choices = nncf.QuantizationPreset, self._choices
        return nncf.quantize(
            self._model,
            nncf.Dataset(starts, lambda start: next(batches(self._samples, size, start=start, exact=self._exact))),
            preset=presets.PERFORMANCE if choices.symmetric else presets.MIXED,
            subset_size=len(starts),
            fast_bias_correction=not choices.accurate_bias,
            model_type=nncf.ModelType.TRANSFORMER if choices.transformer or choices.smooth_quant else None,
            ignored_scope=nncf.IgnoredScope(names=list(keep_float), types=types) if types or keep_float else None,
            advanced_parameters=_advanced(choices, reduce_range=self._reduce_range),
        )

    def outputs(self, file: Path) -> Iterator[dict[str, np.ndarray]]:
        """By OpenVINO's CPU in float32 where it is not in integers."""
        compiled = openvino_core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        names = [spec.name for spec in self._source.manifest.signature.outputs]
        for feed in batches(self._samples, self._batch, exact=self._exact):
            found: Any = compiled(feed)
            yield {name: np.array(found[name]) for name in names}


def _read(node: Any, numbers: Mapping[str, int]) -> tuple[int, ...]:
    names = [value.get_node().get_friendly_name() for value in node.input_values()]
    return tuple(numbers[name] for name in names if name in numbers)


def _advanced(choices: Choices, *, reduce_range: bool) -> Any:
    """NNCF's parameters for what a recipe chooses."""
    from nncf.quantization import advanced_parameters as advanced
    from nncf.quantization import range_estimator as estimator

    parameters: dict[str, Any] = {"overflow_fix": advanced.OverflowFix.ENABLE if reduce_range else advanced.OverflowFix.FIRST_LAYER}
    if not choices.smooth_quant:
        # With SmoothQuant the accuracy of an attention net fell from .81 to .20.
        parameters["smooth_quant_alphas"] = advanced.AdvancedSmoothQuantParameters(matmul=-1, convolution=-1)
    if choices.per_channel is False:
        parameters["weights_quantization_params"] = advanced.QuantizationParameters(per_channel=False)
    if choices.ranges is Ranges.MINMAX:
        parameters["activations_range_estimator_params"] = estimator.RangeEstimatorParametersSet.MINMAX
    elif choices.percentile is not None:
        side = estimator.StatisticsCollectorParameters(
            statistics_type=estimator.StatisticsType.QUANTILE,
            aggregator_type=estimator.AggregatorType.MEAN,
            quantile_outlier_prob=(100 - choices.percentile) / 200,
        )
        parameters["activations_range_estimator_params"] = estimator.RangeEstimatorParameters(min=side, max=side)
    return advanced.AdvancedQuantizationParameters(**parameters)
