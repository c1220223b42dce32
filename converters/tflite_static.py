"""What the edges to TF Lite with integer activations share: AI Edge Quantizer's static quantization."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from toolkit.core import Artifact, Format, Samples, Scalar
from toolkit.formats import find_format
from toolkit.formats.tflite import CONVERSIONS, layer_name, output_tensors, read_graph, read_graphs, signature_graphs

from .base import Recipe
from .ends import Graph, Operation
from .noise import Exact
from .quantizer import Execution, StaticQuantizer
from .recipes import WeightRanges
from .tflite import calibrate, outputs, quantize
from .tflite_prepared import prepare
from .tflite_signatures import float_too

_INTEGER = frozenset({"INT8", "UINT8", "INT16"})
_WEIGHTS = {WeightRanges.MSE: "MSE", WeightRanges.OCTAV: "OCTAV"}
"""AI Edge Quantizer's names of algorithms that cut off large weights."""
_LAYERS = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
_TRANSPOSED, _SPLIT = "CONV_2D_TRANSPOSE", "SPLIT"


class TfliteStatic(StaticQuantizer):
    """Every operator that AI Edge Quantizer can, with symmetric int8 weights and activations of ``bits`` per tensor; inputs and outputs
    stay float32 outside, quantized at the border, unless a recipe wants integers there. Transposed convolutions stay float32 where the
    quantizer would break the file with them; sums, products, choices and squashing functions do where that gives less noise and the
    outputs had too much on the calibration samples: a recurrence rounds its state at each of them in each step, and a mask of -1e9 leaves
    one value to all that it does not hide.
    """

    extra = "convert"
    distributions = ("ai-edge-quantizer", "ai-edge-litert")
    fragile = frozenset({"ADD", "SUB", "MUL", "TANH", "LOGISTIC", "SELECT_V2", "SOFTMAX"})
    float_kinds = {  # noqa: RUF012 - read-only
        "TRANSPOSE_CONV": "AI Edge Quantizer breaks the file with the addition behind it",
        "DIV": "LiteRT stops where a divisor is rounded to zero",
    }
    unfused = "AI Edge Quantizer has no rule for it"
    bits: ClassVar[int]

    def recipe_record(self, recipe: Recipe) -> dict[str, Scalar]:
        """As every edge, with what the file's inputs and outputs are."""
        return super().recipe_record(recipe) | ({"border": "integers"} if self.choice(recipe, "integer_io") else {})

    def execution(self, file: Path) -> Execution:
        """As the file says: an interpreter has no choice."""
        graph = read_graph(file)
        nodes = [node for node in graph.nodes if node.type not in CONVERSIONS]
        integers = [node for node in nodes if all(graph.tensors[tensor].type in _INTEGER for tensor in (node.inputs[0], node.outputs[0]))]
        return Execution(frozenset(layer_name(graph, node) for node in integers), len(graph.nodes) - len(nodes))

    def _calibrate(self, source: Artifact, samples: Samples, recipe: Recipe, work: Path) -> _Calibrated:
        from ai_edge_quantizer import qtyping
        from ai_edge_quantizer.recipe_manager import RecipeManager

        manager = RecipeManager()
        granularity = qtyping.QuantGranularity.CHANNELWISE if self.choice(recipe, "per_channel") else qtyping.QuantGranularity.TENSORWISE
        weights = _WEIGHTS.get(recipe.choices.weight_ranges or WeightRanges.MINMAX)
        for key, operations in [(None, ("ALL_SUPPORTED",)), *([(weights, _LAYERS)] if weights else [])]:
            for operation in operations:
                manager.add_static_config(
                    regex=".*",
                    operation_name=qtyping.TFLOperationName[operation],
                    activation_num_bits=self.bits,
                    weight_num_bits=8,
                    weight_granularity=granularity,
                    **({"algorithm_key": key} if key else {}),
                )
        rules = manager.get_quantization_recipe()
        if recipe.choices.symmetric:
            for rule in rules:
                rule["op_config"]["activation_tensor_config"]["symmetric"] = True
        return _Calibrated(source, samples, rules, work, integer_io=bool(self.choice(recipe, "integer_io")))


class _Calibrated:
    """AI Edge Quantizer."""

    file_name = Format.TFLITE.file_name

    def __init__(self, source: Artifact, samples: Samples, rules: list[dict[str, Any]], work: Path, *, integer_io: bool) -> None:
        self._signature = source.manifest.signature
        self._model = prepare(source.model_file, source.manifest.signature, work / "prepared.tflite")
        self._samples = samples
        self._integer_io = integer_io
        # Without the last two the files' own inputs and outputs become integers.
        self._recipe = [*rules, *(_float(operation) for operation in ("DIV", *(() if integer_io else ("INPUT", "OUTPUT"))))]
        self._recipe += _called(self._model)
        self._ranges = calibrate(self._model, self._recipe, samples, self._signature)
        self.layers = find_format(Format.TFLITE).layers(self._model)
        self.exact = Exact(lambda: self.outputs(self._model))

    def graph(self) -> Graph:
        """That of the file which is quantized."""
        graph = read_graph(self._model)
        makers = {tensor: number for number, node in enumerate(graph.nodes) for tensor in node.outputs}
        operations = tuple(
            Operation(layer_name(graph, node), tuple(makers[tensor] for tensor in node.inputs if tensor in makers)) for node in graph.nodes
        )
        return Graph(operations, {name: makers[tensor] for name, tensor in output_tensors(self._model).items() if tensor in makers})

    def write(self, target: Path, keep_float: Collection[str]) -> None:
        """Quantize."""
        kept = [stays_float(name) for name in sorted({*keep_float, *float_too(self._model, keep_float)})]
        rules = [*self._recipe, *kept]
        try:
            self._quantize(target, rules)
        except ValueError:
            # It takes what is added behind a transposed convolution for its bias, and gives it one scale for each channel of the
            # weights: no interpreter opens such a file.
            self._quantize(target, [*rules, _float(_TRANSPOSED)])
        except RuntimeError as error:
            # A split of which one part is not read gets no scale for it, and no interpreter opens such a file.
            if _SPLIT not in str(error):
                raise
            self._quantize(target, [*rules, _float(_SPLIT)])

    def _quantize(self, target: Path, rules: list[dict[str, Any]]) -> None:
        quantize(self._model, target, rules, signature=self._signature, ranges=self._ranges, integer_io=self._integer_io)

    def applies(self, choice: str) -> bool:  # noqa: ARG002 - each of them may
        """Every choice of this format changes any model."""
        return True

    def outputs(self, file: Path) -> Iterator[dict[str, np.ndarray]]:
        """By LiteRT."""
        return outputs(file, self._samples)


def _called(file: Path) -> list[dict[str, Any]]:
    """Rules by which what loops and branches call stays float: the quantizer measures no ranges there, and asks for them."""
    signatures = signature_graphs(file)
    called = [graph for graph in read_graphs(file) if graph not in signatures]
    return [stays_float(layer_name(graph, node)) for graph in called for node in graph.nodes if node.outputs]


def stays_float(name: str) -> dict[str, Any]:
    """The rule by which a layer stays as it is: the quantizer knows an operator by its outputs' names, each followed by a semicolon."""
    return _float("*", rf"(^|;)(b\d+[^;/]*/)?{re.escape(name)}(;|$)")


def _float(operation: str, scope: str = ".*") -> dict[str, Any]:
    """The rule by which an operation stays as it is."""
    return {"regex": scope, "operation": operation, "algorithm_key": "no_quantize", "op_config": {}}
