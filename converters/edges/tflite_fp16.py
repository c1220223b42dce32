"""TF Lite in half precision."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Artifact, Format, Precision
from toolkit.formats import find_format

from ..base import Converter, Made, Node, Recipe
from ..half import Halves, few, leaves_range, write_half
from ..noise import Exact
from ..tflite import outputs, quantize
from ..tflite_prepared import prepare
from ..tflite_static import stays_float


class TfliteFp16(Converter):
    """Weights stored in float16, each behind a DEQUANTIZE; a GPU computes in float16, a processor in float32. Layers with weights beyond
    65504, float16's largest number, keep float32, and on calibration samples, where there are some, runs of layers that lose too much.
    """

    name = "tflite_fp16"
    source = Node(Format.TFLITE, Precision.FP32)
    target = Node(Format.TFLITE, Precision.FP16)
    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    settings = {"algorithm": "float_casting", "beyond": "float32"}  # noqa: RUF012 - read-only
    uses_samples = True

    def _convert(self, source: Artifact, target: Path, recipe: Recipe) -> Made:
        with tempfile.TemporaryDirectory(dir=target.parent) as work:
            file = prepare(source.model_file, source.manifest.signature, Path(work) / "prepared.tflite")
            return self._of(file, source, target, recipe)

    def _of(self, model: Path, source: Artifact, target: Path, recipe: Recipe) -> Made:
        rules = _rules()
        large = _large_weights(model)
        signature = source.manifest.signature

        def write(file: Path, kept: Collection[str]) -> None:
            quantize(model, file, [*rules, *map(stays_float, sorted(kept))], signature=signature)

        samples = self.samples_of(source, recipe)
        if samples is None:
            write(target, large)
            return Made()
        samples = few(samples)

        def run(file: Path) -> Iterator[Mapping[str, np.ndarray]]:
            return outputs(file, samples)

        layers = find_format(Format.TFLITE).layers(model)
        names = [layer.name for layer in layers if layer.multiply_adds]
        return write_half(target, Halves(names, frozenset(large), write, run, Exact(lambda: run(model))))


def _rules() -> list[dict[str, Any]]:
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe_manager

    manager = recipe_manager.RecipeManager()
    manager.add_quantization_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
            compute_precision=qtyping.ComputePrecision.FLOAT,
            explicit_dequantize=True,
        ),
    )
    rules: list[dict[str, Any]] = manager.get_quantization_recipe()
    return rules


def _large_weights(file: Path) -> set[str]:
    """The names of layers with a weight beyond float16's range."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils

    from toolkit.formats.tflite import layer_name, read_graph

    model = tfl_flatbuffer_utils.read_model(str(file))
    tensors = model.subgraphs[0].tensors

    def is_large(number: int) -> bool:
        data = model.buffers[tensors[number].buffer].data if number >= 0 else None
        return data is not None and tensors[number].type == 0 and leaves_range(np.frombuffer(bytes(data), np.float32))

    graph = read_graph(file)
    return {layer_name(graph, node) for node in graph.nodes if any(is_large(number) for number in node.inputs)}
