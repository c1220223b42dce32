"""OpenVINO in int8 with ranges fixed by calibration."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision, Samples, Scalar
from toolkit.formats import find_format
from toolkit.formats.parts.openvino_model import read_model

from ..base import Node, Recipe
from ..batches import batches, calibration_batch
from ..ends import Graph, Operation
from ..noise import Exact, quieter
from ..openvino import import_nncf, import_openvino, save_model
from ..quantizer import Execution, StaticQuantizer
from ..recipes import Choices, Ranges

_FLOAT = "LSTMSequence"
_INTEGERS = frozenset(["i8", "u8", "i4", "u4"])
_NO_OPERATIONS = frozenset(["Constant", "Parameter", "Result"])
_EMULATED = {"LP_TRANSFORMS_MODE": "NO"}
_TOLD = frozenset(["layerType", "runtimePrecision", "originalLayersNames"])


class OpenvinoInt8(StaticQuantizer):
    """NNCF's post-training quantization over all calibration samples: symmetric weights per channel, activations symmetric or not as they
    are signed or not (the preset MIXED), biases corrected. A percentile is the mean of those of the single samples. Of the first
    convolutions, with ``reduce_range`` of all layers, the weights use half of their range.

    LSTM layers stay float: quantized, they cost five to six points of accuracy. A network with a softmax is quantized as a transformer if
    that gives less noise and the outputs had too much on the calibration samples: sums that mask scores stay float then. Noise is measured
    with integers emulated in float, so that a processor without VNNI, whose sums saturate, makes the same file as any other.
    """

    name = "openvino_int8"
    source = Node(Format.OPENVINO, Precision.FP32)
    target = Node(Format.OPENVINO, Precision.INT8)
    extra = "convert"
    distributions = ("openvino", "nncf")
    settings = {"preset": "mixed", "ignored": _FLOAT, "noisy": "transformer"}  # noqa: RUF012 - read-only
    choices = {  # noqa: RUF012 - read-only
        "ranges": (Ranges.MEAN, Ranges.MINMAX, Ranges.PERCENTILE),
        "per_channel": (True, False),
        "symmetric": (False, True),
        "reduce_range": (False, True),
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
        compiled = import_openvino().Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
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
        self._transformer: bool | None = None
        self._whole: Any = None
        self._source = source
        self._samples = samples
        signature = source.manifest.signature
        self._exact = not signature.has_free_batch
        self._batch = calibration_batch(signature)
        self._model = read_model(source.model_file)
        self.layers = find_format(Format.OPENVINO).layers(source.model_file)
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

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Quantize; the first call decides whether as a transformer."""
        if self._transformer is None:
            self._transformer = self._is_quieter_as_transformer()
        model = None if keep_float else self._whole
        save_model(model or self._quantized(keep_float, transformer=self._transformer), target, self._source)

    def _is_quieter_as_transformer(self) -> bool:
        """With every layer in integers; that model is kept, because most often it is the one that is asked for."""
        if not any(node.get_type_name() == "Softmax" for node in self._model.get_ops()):
            return False  # A network without attention pays for no second attempt.
        plain = (False, self._quantized((), transformer=False))
        chosen, self._whole = quieter(
            plain, ratio=lambda way: self._ratio(way[1]), again=lambda: (True, self._quantized((), transformer=True))
        )
        return chosen

    def _ratio(self, model: Any) -> float:
        noisy = self._run(model, _EMULATED)
        return min(self.exact.ratios(noisy).values())

    def _quantized(self, keep_float: Collection[str], *, transformer: bool) -> Any:
        nncf = import_nncf()
        # One sample at a time where the batch is free: NNCF's statistics are means over calls.
        size = self._batch if self._exact else 1
        starts = range(0, len(self._samples), size)
        types = [_FLOAT] if any(layer.kind == _FLOAT for layer in self.layers) else []
        presets = nncf.QuantizationPreset
        return nncf.quantize(
            self._model,
            nncf.Dataset(starts, lambda start: next(batches(self._samples, size, start=start, exact=self._exact))),
            preset=presets.PERFORMANCE if self._choices.symmetric else presets.MIXED,
            subset_size=len(starts),
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
            ignored_scope=nncf.IgnoredScope(names=list(keep_float), types=types) if types or keep_float else None,
            advanced_parameters=_advanced(self._choices, transformer=transformer),
        )

    def outputs(self, file: Path, *, exact_sums: bool = False) -> Iterator[dict[str, np.ndarray]]:
        """By OpenVINO's CPU in float32 where it is not in integers."""
        return self._run(file, _EMULATED if exact_sums else {})

    def _run(self, model: Any, properties: Mapping[str, str]) -> Iterator[dict[str, np.ndarray]]:
        openvino = import_openvino()
        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", **properties})
        names = [spec.name for spec in self._source.manifest.signature.outputs]
        for feed in batches(self._samples, self._batch, exact=self._exact):
            found: Any = compiled(feed)
            yield {name: np.array(found[name]) for name in names}


def _read(node: Any, numbers: Mapping[str, int]) -> tuple[int, ...]:
    names = [value.get_node().get_friendly_name() for value in node.input_values()]
    return tuple(numbers[name] for name in names if name in numbers)


def _advanced(choices: Choices, *, transformer: bool) -> Any:
    """NNCF's parameters for what a recipe chooses; None for its own defaults."""
    from nncf.quantization import advanced_parameters as advanced
    from nncf.quantization import range_estimator as estimator

    parameters: dict[str, Any] = {}
    if transformer:
        # With SmoothQuant the accuracy of an attention net fell from .81 to .20.
        parameters["smooth_quant_alphas"] = advanced.AdvancedSmoothQuantParameters(matmul=-1, convolution=-1)
    if choices.reduce_range:
        parameters["overflow_fix"] = advanced.OverflowFix.ENABLE
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
    return advanced.AdvancedQuantizationParameters(**parameters) if parameters else None
