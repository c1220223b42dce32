"""The smallest and largest values of an ONNX model's tensors over calibration samples: a batch at a time, nothing of it kept."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto

_LEAST, _MOST = "/least", "/most"


def save_min_max(model_file: Path, kinds: Collection[str], feeds: Iterable[Mapping[str, np.ndarray]], cache: Path) -> list[str]:
    """Measure what operators of these `kinds` read and give, and write it to `cache` as onnxruntime's quantizer keeps ranges.

    onnxruntime's own calibration of a recognizer with 900 operators took longer to prepare than to run: it searches the whole graph for
    each tensor, and runs it unoptimized.

    Returns:
        The names of nodes whose values are not finite on some sample, such as the logarithm of silence: no range holds them.
    """
    import onnx
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.quantize import save_tensors_data

    model = onnx.load(model_file)
    # The quantizer infers types as well: a tensor of a branch that was folded has none in the file.
    names = _tensors(onnx.shape_inference.infer_shapes(onnx.load(model_file, load_external_data=False)).graph, kinds)
    (measured := cache.with_suffix(".onnx")).write_bytes(_measuring(model, names).SerializeToString())
    least, most = _run(measured, names, feeds)
    measured.unlink()
    broken = {name for name in names if not (math.isfinite(least[name]) and math.isfinite(most[name]))}
    whole = {
        name: (np.float32(0), np.float32(1)) if name in broken else (np.float32(least[name]), np.float32(most[name])) for name in names
    }
    ranges = {name: (np.array(low), np.array(high)) for name, (low, high) in whole.items()}
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, ranges), cache, smooth_quant=False)
    return [node.name for node in model.graph.node if broken.intersection([*node.input, *node.output])]


def reaches(model_file: Path, feeds: Iterable[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """The largest absolute value of each real tensor of a model whose type is known, NaN where one is NaN."""
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(model_file))
    names = _tensors(model.graph, {node.op_type for node in model.graph.node})
    (measured := model_file.with_suffix(".measured")).write_bytes(_measuring(model, names).SerializeToString())
    least, most = _run(measured, names, feeds)
    measured.unlink()
    return {name: float(np.maximum(abs(least[name]), abs(most[name]))) for name in names}


def _tensors(graph: GraphProto, kinds: Collection[str]) -> list[str]:
    """The real tensors that are no weights, in the order in which they are met."""
    from onnx import TensorProto

    constant = {tensor.name for tensor in graph.initializer}
    real = {
        value.name
        for value in (*graph.input, *graph.output, *graph.value_info)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT and value.name not in constant
    }
    met = (name for node in graph.node if node.op_type in kinds for name in (*node.input, *node.output))
    return [name for name in dict.fromkeys(met) if name in real]


def _measuring(model: Any, names: Iterable[str]) -> Any:
    """The model with the smallest and largest value of each tensor as its outputs."""
    from onnx import TensorProto, helper

    del model.graph.output[:]
    for name in names:
        for suffix, kind in ((_LEAST, "ReduceMin"), (_MOST, "ReduceMax")):
            model.graph.node.append(helper.make_node(kind, [name], [name + suffix], name=name + suffix, keepdims=0))
            model.graph.output.append(helper.make_tensor_value_info(name + suffix, TensorProto.FLOAT, []))
    return model


def _run(file: Path, names: list[str], feeds: Iterable[Mapping[str, np.ndarray]]) -> tuple[dict[str, float], dict[str, float]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    wanted = [name + suffix for suffix in (_LEAST, _MOST) for name in names]
    least, most = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for feed in feeds:
        found = np.array(session.run(wanted, dict(feed)), dtype=np.float64)
        least, most = np.minimum(least, found[: len(names)]), np.maximum(most, found[len(names) :])  # NaN stays NaN.
    return dict(zip(names, least.tolist(), strict=True)), dict(zip(names, most.tolist(), strict=True))
