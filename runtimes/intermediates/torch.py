"""Intermediate values of a ``.pt2`` file: its graph, run node by node. What knows the most: the path of each module and each weight."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Format, InputError, Signature
from toolkit.formats.parts.pt2_archive import check_pt2
from toolkit.formats.parts.pt2_plain import torch_reads

from .base import Constants, Cut, Step, Trace, Tracer, Values


class TorchTracer(Tracer):
    """Exported programs by torch."""

    name = "torch"
    format = Format.PT2
    extra = "train"

    def open(self, file: Path, signature: Signature, batch: int) -> Trace:  # noqa: ARG002 - its batch is free, or the only one
        """The trace of an exported program, checked before torch reads it."""
        check_pt2(file)
        return _TorchTrace(file)


class _TorchTrace(Trace):
    def __init__(self, file: Path) -> None:
        import torch

        with torch_reads():
            self._program = torch.export.load(file)
        held = {**self._program.state_dict, **self._program.constants}
        placeholders = [node.name for node in self._program.graph.nodes if node.op == "placeholder"]
        specs = self._program.graph_signature.input_specs
        self._targets = [spec.target if spec.target in held else None for spec in specs]
        tensors = {target: held[target].detach() for target in self._targets if target is not None}
        self._held = tensors
        self.weights = {target: tensor.numpy() for target, tensor in tensors.items()}
        origins = {name: target for name, target in zip(placeholders, self._targets, strict=True) if target is not None}
        self.inputs = tuple(self._program.graph_signature.user_inputs)
        self.outputs = tuple(self._program.graph_signature.user_outputs)
        constants = Constants(self.weights)
        steps = (constants.fold(_step(node, origins)) for node in self._program.graph.nodes if node.op == "call_function")
        self.steps = tuple(step for step in steps if step is not None)

    def run(self, rounds: Sequence[Sequence[np.ndarray]], forced: Values) -> Values:
        """The values of all tensors; a node that gives several is seen through those who take them out."""
        import torch

        values: dict[str, list[np.ndarray]] = {}

        class Recorder(torch.fx.Interpreter):  # type: ignore[misc]
            def run_node(self, node: Any) -> Any:
                result = super().run_node(node)
                if node.op == "call_function" and isinstance(result, torch.Tensor):
                    seen = values.setdefault(node.name, [])
                    seen.append(result.detach().numpy().copy())
                    if node.name in forced:
                        return torch.from_numpy(forced[node.name][len(seen) - 1]).to(result.dtype)
                return result

        with torch.no_grad():
            for arrays in rounds:
                given = iter(arrays)
                inputs = [torch.from_numpy(next(given)) if target is None else self._held[target] for target in self._targets]
                Recorder(self._program.graph_module).run(*inputs)
        return values

    def cut(self, sources: Sequence[str], target: str, values: Mapping[str, np.ndarray], folder: Path) -> Cut:  # noqa: ARG002
        """Not offered: an exported program is what others are compared with."""
        raise InputError("a part of a .pt2 file cannot be written", expected="an artifact in another format")


def _step(node: Any, origins: Mapping[str, str]) -> Step:
    kind = str(getattr(node.target, "__name__", node.target)).partition(".")[0]
    source = node
    while source.target is operator.getitem:
        source = source.all_input_nodes[0]
        kind = str(getattr(source.target, "__name__", source.target)).partition(".")[0]
    stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    inputs = tuple(origins.get(argument.name, argument.name) for argument in node.all_input_nodes)
    return Step(node.name, kind, inputs, module=stack[-1] if stack and not stack[-1].startswith("_") else "")
