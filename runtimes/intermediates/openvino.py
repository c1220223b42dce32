"""Intermediate values of OpenVINO's own format: every tensor becomes a result of the model, which keeps the engine from fusing it away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Format, Signature
from toolkit.formats.parts.openvino_core import openvino_core

from .base import Constants, Cut, Step, Trace, Tracer, Values

_NO_STEPS = frozenset({"Parameter", "Constant", "Result"})


class OpenVinoTracer(Tracer):
    """OpenVINO's XML by OpenVINO, in fp32."""

    name = "openvino"
    format = Format.OPENVINO
    extra = "openvino"

    def open(self, file: Path, signature: Signature, batch: int) -> Trace:  # noqa: ARG002 - a free batch takes any
        """The trace of an OpenVINO model."""
        return _OpenVinoTrace(file, signature)


class _OpenVinoTrace(Trace):
    def __init__(self, file: Path, signature: Signature) -> None:
        self._model = openvino_core().read_model(file)
        ordered = self._model.get_ordered_ops()
        self.weights = {node.get_friendly_name(): node.get_data() for node in ordered if node.get_type_name() == "Constant"}
        self.inputs = tuple(self._model.input(spec.name).get_node().get_friendly_name() for spec in signature.inputs)
        self.outputs = tuple(_name(self._model.output(spec.name).get_node().input_value(0)) for spec in signature.outputs)
        constants = Constants(self.weights)
        steps = (constants.fold(step) for node in ordered if node.get_type_name() not in _NO_STEPS for step in _steps(node))
        self.steps = tuple(step for step in steps if step is not None)

    def run(self, rounds: Sequence[Sequence[np.ndarray]], forced: Values) -> Values:
        """One compiled model a call: the graph is another one with every set of replaced tensors."""
        import openvino

        model, ports = self._copy()
        parameters = _feed(ports, {name: arrays[0] for name, arrays in forced.items()})
        names = [step.name for step in self.steps]
        made = {parameter.get_friendly_name(): name for name, parameter in parameters.items()}
        results = [openvino.opset13.result(ports[name]) for name in names]
        model = openvino.Model(results, [*model.get_parameters(), *parameters.values()], "all")
        request = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
        values: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for index, arrays in enumerate(rounds):
            feeds: dict[Any, np.ndarray] = {}
            for port in request.model_inputs:
                name = port.get_node().get_friendly_name()
                array = arrays[self.inputs.index(name)] if name in self.inputs else forced[made[name]][index]
                feeds[port] = np.ascontiguousarray(array, port.get_element_type().to_dtype())
            request.infer(feeds)
            for place, name in enumerate(names):
                values[name].append(request.get_output_tensor(place).data.copy())
        return values

    def cut(self, sources: Sequence[str], target: str, values: Mapping[str, np.ndarray], folder: Path) -> Cut:
        """The model between new parameters and one result."""
        import openvino

        model, ports = self._copy()
        kept = {node.get_friendly_name(): node for node in model.get_parameters()}
        made = _feed(ports, {name: values[name] for name in sources if name not in kept})
        parameters = [kept[name] if name in kept else made[name] for name in sources]
        result = openvino.opset13.result(ports[target])
        openvino.save_model(openvino.Model([result], parameters, "part"), folder / Format.OPENVINO.file_name, compress_to_fp16=False)
        feeds = (
            np.ascontiguousarray(values[name], port.get_element_type().to_dtype()) for name, port in zip(sources, parameters, strict=True)
        )
        return Cut(
            inputs={f"input_{index:02}": array for index, array in enumerate(feeds)},
            expected=values[target].astype(ports[target].get_element_type().to_dtype()),
            lines=(
                "import numpy, openvino",
                f'part = openvino.compile_model("{Format.OPENVINO.file_name}", "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})',
                "got = part([inputs[name] for name in sorted(inputs)])[0]",
            ),
        )

    def _copy(self) -> tuple[Any, dict[str, Any]]:
        """A copy of the model, and its tensors by the names of the steps."""
        model = self._model.clone()
        nodes = [node for node in model.get_ordered_ops() if node.get_type_name() not in _NO_STEPS]
        return model, {_name(port): port for node in nodes for port in node.outputs()}


def _feed(ports: Mapping[str, Any], forced: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Give the readers of each replaced tensor a new parameter; the parameters by the names of the tensors."""
    import openvino

    made = {}
    for index, (name, array) in enumerate(forced.items()):
        port = ports[name]
        made[name] = openvino.opset13.parameter(list(array.shape), port.get_element_type(), f"replaced_{index}")
        for reader in port.get_target_inputs():
            reader.replace_source_output(made[name].output(0))
    return made


def _name(port: Any) -> str:
    """The node's name, with a number for what is not its first output."""
    name: str = port.get_node().get_friendly_name()
    return f"{name}:{port.get_index()}" if port.get_index() else name


def _steps(node: Any) -> list[Step]:
    inputs = tuple(_name(port) for port in node.input_values())
    return [
        Step(_name(port), node.get_type_name(), inputs, aliases=(*sorted(port.get_names()), node.get_friendly_name()))
        for port in node.outputs()
    ]
