"""Intermediate values of a ``.tflite`` file: the file is rewritten with every tensor as an output, and run by LiteRT without delegates.

Integers with a scale are answered as the floats that they stand for.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import Format, InputError, Signature
from toolkit.formats.tflite import IDENTIFIER, check_identifier

from .._quiet import quiet
from .base import Constants, Cut, Step, Trace, Tracer, Values

_KEY = "part"


class LiteRtTracer(Tracer):
    """TF Lite by LiteRT."""

    name = "litert"
    format = Format.TFLITE
    extra = "tflite"

    def open(self, file: Path, signature: Signature, batch: int) -> Trace:
        """The trace of one signature of a TF Lite file: the one of this batch."""
        check_identifier(file)
        return _TfLiteTrace(file.read_bytes(), signature, batch)


class _TfLiteTrace(Trace):
    def __init__(self, content: bytes, signature: Signature, batch: int) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._model = schema.ModelT.InitFromPackedBuf(bytearray(content))
        for buffer in self._model.buffers:
            if buffer.offset > 1:  # Data behind the flatbuffer, as AI Edge Quantizer writes it: brought into it.
                buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
                buffer.offset = buffer.size = 0
        chosen = _chosen(self._model, signature, batch)
        self._index = chosen.subgraphIndex
        graph = self._model.subgraphs[self._index]
        self._tensors = graph.tensors
        inputs = {_text(entry.name): entry.tensorIndex for entry in chosen.inputs}
        outputs = {_text(entry.name): entry.tensorIndex for entry in chosen.outputs}
        self._numbers: dict[str, int] = {}
        names = [self._named(index) for index in range(len(graph.tensors))]
        self.inputs = tuple(names[inputs[spec.name]] for spec in signature.inputs)
        self.outputs = tuple(names[outputs[spec.name]] for spec in signature.outputs)
        produced = {index for op in graph.operators for index in op.outputs}
        fed = set(inputs.values()) | produced
        self.weights = {names[i]: values for i in range(len(names)) if i not in fed and (values := self._constant(i)) is not None}
        kinds = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
        constants = Constants(self.weights)
        found = []
        self._operators: dict[str, Any] = {}
        for op in graph.operators:
            code = self._model.operatorCodes[op.opcodeIndex]
            kind = kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
            for index in op.outputs:
                self._operators[names[index]] = op
                own = tuple(names[i] for i in op.inputs if i >= 0)
                found.append(constants.fold(Step(names[index], kind, own, aliases=(_text(graph.tensors[index].name),))))
        self.steps = tuple(step for step in found if step is not None)

    def run(self, rounds: Sequence[Sequence[np.ndarray]], forced: Values) -> Values:
        """One rewritten file a call, because the graph is another one with every set of replaced tensors."""
        names = [step.name for step in self.steps]
        model = self._shallow()
        graph = model.subgraphs[self._index]
        replaced = {self._numbers[name]: len(graph.tensors) + place for place, name in enumerate(forced)}
        for number in replaced:
            tensor = copy.copy(graph.tensors[number])
            tensor.name = f"{_text(tensor.name)}/replaced"
            graph.tensors.append(tensor)
        for op in graph.operators:
            op.inputs = np.array([replaced.get(int(index), int(index)) for index in op.inputs], np.int32)
        inputs = [self._numbers[name] for name in self.inputs]
        outputs = [self._numbers[name] for name in names]
        content = _packed(model, self._index, inputs=[*inputs, *replaced.values()], outputs=outputs)
        fed = [*inputs, *(self._numbers[name] for name in forced)]
        feeds = [
            {f"i{place}": self._stored(number, array) for place, (number, array) in enumerate(zip(fed, arrays, strict=True))}
            for arrays in ([*own, *(each[index] for each in forced.values())] for index, own in enumerate(rounds))
        ]
        answers = _run(content, feeds)
        return {
            name: [self._floats(number, answer[f"o{place}"]) for answer in answers]
            for place, (name, number) in enumerate(zip(names, outputs, strict=True))
        }

    def cut(self, sources: Sequence[str], target: str, values: Mapping[str, np.ndarray], folder: Path) -> Cut:
        """A file with the operators between, and only the tensors that they touch."""
        model = self._shallow()
        graph = model.subgraphs[self._index]
        needed, pending = set(), [target]
        while pending:
            name = pending.pop()
            if name in self._operators and name not in sources and id(self._operators[name]) not in needed:
                needed.add(id(self._operators[name]))
                pending += [self._name_of(index) for index in self._operators[name].inputs if index >= 0]
        original = self._model.subgraphs[self._index].operators
        graph.operators = [op for op, old in zip(graph.operators, original, strict=True) if id(old) in needed]
        inputs, outputs = [self._numbers[name] for name in sources], [self._numbers[target]]
        _drop_unused(model, graph, [*inputs, *outputs])
        inputs, outputs = [graph.moved[index] for index in inputs], [graph.moved[index] for index in outputs]
        (folder / Format.TFLITE.file_name).write_bytes(_packed(model, self._index, inputs=inputs, outputs=outputs))
        others = len(model.subgraphs) - 1
        return Cut(
            inputs={f"i{place}": self._stored(self._numbers[name], values[name]) for place, name in enumerate(sources)},
            expected=self._stored(self._numbers[target], values[target]),
            lines=(
                "import numpy; from ai_edge_litert.interpreter import Interpreter",
                f'part = Interpreter("{Format.TFLITE.file_name}").get_signature_runner("{_KEY}")',
                'got = part(**inputs)["o0"]',
            ),
            note=f"{others} other subgraphs of the file are kept: its operators may call them" if others else "",
        )

    def _named(self, index: int) -> str:
        """A tensor's name in its file; with its number where two tensors have the same."""
        name = _text(self._tensors[index].name)
        name = f"{name}#{index}" if name in self._numbers or not name else name
        self._numbers[name] = index
        return name

    def _name_of(self, index: int) -> str:
        return next(name for name, number in self._numbers.items() if number == index)

    def _constant(self, index: int) -> np.ndarray | None:
        """The values of a constant tensor; None for one without data."""
        tensor = self._tensors[index]
        data = self._model.buffers[tensor.buffer].data
        dtype = _dtype(tensor)
        if data is None or not len(data) or dtype is None:
            return None
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype)

    def _scale(self, index: int) -> tuple[float, int] | None:
        found = self._tensors[index].quantization
        if found is None or found.scale is None or len(found.scale) != 1:
            return None
        return float(found.scale[0]), int(found.zeroPoint[0]) if found.zeroPoint is not None and len(found.zeroPoint) else 0

    def _floats(self, index: int, array: np.ndarray) -> np.ndarray:
        scale = self._scale(index)
        return array if scale is None or array.dtype.kind == "f" else (array.astype(np.float32) - scale[1]) * np.float32(scale[0])

    def _stored(self, index: int, array: np.ndarray) -> np.ndarray:
        """The values in the tensor's own type."""
        dtype, scale = _dtype(self._tensors[index]), self._scale(index)
        if dtype is None or dtype.kind == "f" or scale is None:
            return np.ascontiguousarray(array, dtype)
        limits = np.iinfo(dtype)
        return np.clip(np.round(array / scale[0]) + scale[1], limits.min, limits.max).astype(dtype)

    def _shallow(self) -> Any:
        """A copy whose lists can be changed; the buffers are shared."""
        model = copy.copy(self._model)
        model.subgraphs = list(model.subgraphs)
        graph = model.subgraphs[self._index] = copy.copy(model.subgraphs[self._index])
        graph.tensors, graph.operators = list(graph.tensors), [copy.copy(op) for op in graph.operators]
        return model


def _chosen(model: Any, signature: Signature, batch: int) -> Any:
    """The signature of the file whose first input has this batch; the only one where there is but one."""
    found: dict[int, Any] = {}
    axes = {spec.name: signature.batch_axis(spec) for spec in signature.inputs}
    counted = next((name for name, axis in axes.items() if axis is not None), signature.inputs[0].name)
    for entry in model.signatureDefs or ():
        tensors = model.subgraphs[entry.subgraphIndex].tensors
        names = {_text(each.name): each.tensorIndex for each in entry.inputs}
        if set(names) == {spec.name for spec in signature.inputs} and all(
            _takes(tensors[names[spec.name]].shape, spec.shape) for spec in signature.inputs
        ):
            # Of several sizes the first, as that of the samples.
            found.setdefault(int(tensors[names[counted]].shape[axes[counted] or 0]), entry)
    if batch not in found and len(found) != 1:
        raise InputError("the TF Lite file has no such batch", expected=f"one of {', '.join(map(str, sorted(found)))}", got=str(batch))
    return found.get(batch) or next(iter(found.values()))


def _takes(shape: Sequence[int], wanted: Sequence[int | str]) -> bool:
    """Whether a tensor has the numbers that a signature has."""
    return all(isinstance(size, str) or int(own) == size for own, size in zip(shape, wanted, strict=True))


def _drop_unused(model: Any, graph: Any, kept: Iterable[int]) -> None:
    """Leave only the tensors that `graph` still needs, and their data; where operators call other subgraphs, those stay."""
    used = sorted({*kept, *(int(i) for op in graph.operators for i in (*op.inputs, *op.outputs) if i >= 0)})
    graph.moved = {old: new for new, old in enumerate(used)}
    graph.tensors = [graph.tensors[old] for old in used]
    for op in graph.operators:
        op.inputs = np.array([graph.moved.get(int(i), -1) for i in op.inputs], np.int32)
        op.outputs = np.array([graph.moved[int(i)] for i in op.outputs], np.int32)
    calls = any(word in name.lower() for op in graph.operators for name in vars(op.builtinOptions or op) for word in ("subgraph",))
    if not calls:
        model.subgraphs = [each if each is graph else None for each in model.subgraphs]
    touched = {tensor.buffer for each in model.subgraphs if each is not None for tensor in each.tensors}
    model.buffers = [buffer if index in touched or index == 0 else type(buffer)() for index, buffer in enumerate(model.buffers)]


def _packed(model: Any, index: int, *, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """The file whose only signature takes the tensors `inputs` as i0, i1, … and gives `outputs` as o0, o1, …"""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[index]
    model.subgraphs = [each for each in model.subgraphs if each is not None]
    graph.inputs, graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    entry = schema.SignatureDefT()
    entry.signatureKey, entry.subgraphIndex = _KEY, model.subgraphs.index(graph)
    entry.inputs = [_entry(schema, f"i{place}", number) for place, number in enumerate(inputs)]
    entry.outputs = [_entry(schema, f"o{place}", number) for place, number in enumerate(outputs)]
    model.signatureDefs = [entry]
    model.metadata, model.metadataBuffer = None, None
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _entry(schema: Any, name: str, number: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, number
    return entry


def _run(content: bytes, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    with quiet():
        interpreter = Interpreter(
            model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, num_threads=1
        )
        runner = interpreter.get_signature_runner(_KEY)
        return [runner(**feed) for feed in feeds]


def _dtype(tensor: Any) -> np.dtype | None:
    """The NumPy type of a tensor; None for what NumPy has none for, such as 4-bit integers."""
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name.lower() for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
    found: np.dtype | None = None
    with contextlib.suppress(TypeError):
        found = np.dtype(names[tensor.type])
    return found


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""
