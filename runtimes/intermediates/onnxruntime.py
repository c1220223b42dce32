"""Intermediate values of an ``.onnx`` file, computed by ONNX Runtime without its optimizations, so that no operator is fused away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Format, Signature

from .base import Constants, Cut, Step, Trace, Tracer, Values

_COMPUTED = "/computed"


class OnnxTracer(Tracer):
    """ONNX by ONNX Runtime."""

    name = "onnxruntime"
    format = Format.ONNX
    extra = "convert"

    def open(self, file: Path, signature: Signature, batch: int) -> Trace:  # noqa: ARG002 - a free batch takes any
        """The trace of an ONNX file."""
        return _OnnxTrace(file, signature)


class _OnnxTrace(Trace):
    def __init__(self, file: Path, signature: Signature) -> None:
        import onnx

        self._model = onnx.load(file)
        graph = self._model.graph
        self.weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.weights |= {
            node.output[0]: onnx.numpy_helper.to_array(attribute.t)
            for node in graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }
        constants = Constants(self.weights)
        steps = (constants.fold(step) for node in graph.node if node.op_type != "Constant" for step in _steps(node))
        self.steps = tuple(step for step in steps if step is not None)
        self.inputs = tuple(spec.name for spec in signature.inputs)
        self.outputs = tuple(spec.name for spec in signature.outputs)
        self._dtypes: dict[str, np.dtype] = {}

    def run(self, rounds: Sequence[Sequence[np.ndarray]], forced: Values) -> Values:
        """One session a call: the graph is another one with every set of replaced tensors."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        for node in model.graph.node:
            for index, name in enumerate(node.output):
                if name in forced:
                    node.output[index] = name + _COMPUTED
        for name, arrays in forced.items():
            dtype = onnx.helper.np_dtype_to_tensor_dtype(self._dtypes[name])
            model.graph.input.append(onnx.helper.make_tensor_value_info(name, dtype, arrays[0].shape))
        del model.graph.output[:]
        del model.graph.value_info[:]
        wanted = {step.name: step.name + _COMPUTED if step.name in forced else step.name for step in self.steps}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted.values())
        session = _session(model.SerializeToString())
        found: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
        for index, inputs in enumerate(rounds):
            feeds = dict(zip(self.inputs, inputs, strict=True))
            feeds |= {name: arrays[index].astype(self._dtypes[name]) for name, arrays in forced.items()}
            for name, array in zip(wanted, session.run(list(wanted.values()), feeds), strict=True):
                if isinstance(array, np.ndarray):  # A sequence or an optional value is none.
                    found[name].append(array)
        self._dtypes.update({name: arrays[0].dtype for name, arrays in found.items() if arrays})
        return {name: arrays for name, arrays in found.items() if len(arrays) == len(rounds)}

    def cut(self, sources: Sequence[str], target: str, values: Mapping[str, np.ndarray], folder: Path) -> Cut:
        """By onnx's own extractor."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        known = {value.name for value in (*model.graph.input, *model.graph.output, *model.graph.value_info)}
        for name in (*sources, target):
            if name not in known:
                dtype = onnx.helper.np_dtype_to_tensor_dtype(self._dtypes[name])
                model.graph.value_info.append(onnx.helper.make_tensor_value_info(name, dtype, values[name].shape))
        part = onnx.utils.Extractor(model).extract_model(list(sources), [target])
        onnx.save(part, folder / Format.ONNX.file_name)
        feeds = {name: values[name].astype(self._dtypes.get(name, values[name].dtype)) for name in (*sources, target)}
        return Cut(
            inputs={name: feeds[name] for name in sources},
            expected=feeds[target],
            lines=(
                "import numpy, onnxruntime",
                f'session = onnxruntime.InferenceSession("{Format.ONNX.file_name}")',
                "got = session.run(None, dict(inputs))[0]",
            ),
        )


def _steps(node: Any) -> list[Step]:
    inputs = tuple(name for name in node.input if name)
    return [Step(name, node.op_type, inputs, aliases=(node.name,)) for name in node.output if name]


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
