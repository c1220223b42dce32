"""Reading and writing ONNX files for the edges that start or end at them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, ConversionError, Signature, first_line, rename_symbols

from .finite import broken, refuse
from .onnx_branches import fold_branches
from .onnx_complete import complete
from .onnx_inner import own_constants

_CHANNEL_SCALES = 13
"""The operator set in which DequantizeLinear got an axis, and in which Softmax lost the axes behind its own."""
OWN_WEIGHTS = 4
"""The version of the file in which a weight need not be an input."""
_BATCH = "batch"


def read_model(file: Path) -> Any:
    """The `onnx.ModelProto` in `file`, with what `complete` adds.

    Raises:
        ArtifactError: the file is truncated.
        InputError: a weight is NaN or infinite.
    """
    import onnx

    try:
        model = onnx.load(file)
        complete(model)
        onnx.checker.check_model(model)
    except Exception as error:
        if not _runs(file):
            text = first_line(error)
            raise ArtifactError(f"'{file}' is no valid ONNX model: {text}", hint="is the file complete? convert it again") from error
    for tensor in model.graph.initializer:
        refuse(tensor.name, broken(onnx.numpy_helper.to_array(tensor)))
    return model


def _runs(file: Path) -> bool:
    """Whether ONNX Runtime takes a file of which `onnx.checker` complains."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True


def read_modern(file: Path) -> Any:
    """As `read_model`, in an operator set that has a scale for each channel and softmax along one axis, and weights that are neither inputs
    nor, as Paddle writes them, nodes.

    Raises:
        ConversionError: an operator of an old file has no equivalent.
    """
    import onnx

    model = read_model(file)
    if any(not entry.domain and entry.version < _CHANNEL_SCALES for entry in model.opset_import):
        try:
            model = onnx.version_converter.convert_version(model, _CHANNEL_SCALES)
        except Exception as error:
            text = first_line(error)
            raise ConversionError(f"the ONNX file cannot be brought to operator set {_CHANNEL_SCALES}: {text}") from error
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(inputs)
    _lift_constants(model.graph)
    model.ir_version = max(model.ir_version, OWN_WEIGHTS)
    return model


def _lift_constants(graph: Any) -> None:
    """Initializers in place of the nodes that hold a tensor each, but for outputs."""
    outputs = {value.name for value in graph.output}
    kept = []
    for node in graph.node:
        tensor = next((each.t for each in node.attribute if each.name == "value"), None) if node.op_type == "Constant" else None
        if tensor is None or node.domain or node.output[0] in outputs:
            kept.append(node)
        else:
            own = graph.initializer.add()
            own.CopyFrom(tensor)
            own.name = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)


def fix_sizes(model: Any, sizes: Mapping[str, int]) -> None:
    """Numbers in place of some free sizes of the inputs, in place; what followed from them is forgotten."""
    if not sizes:
        return
    for value in model.graph.input:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in sizes:
                size.dim_value = sizes[size.dim_param]
    for value in model.graph.output:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param and size.dim_param != _BATCH:
                size.ClearField("dim_param")
    del model.graph.value_info[:]


def exact_sums() -> Any:
    """`onnxruntime.SessionOptions` with which a quantized file computes the same on every processor.

    On x86 without VNNI the kernels for uint8 times int8 let sums of two products saturate; those for uint8 times uint8 are exact.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def write_model(model: Any, target: Path) -> None:
    """Write `model` with neither notes nor unused operator sets, so that the same network gives the same bytes.

    torch's notes hold the stack trace of every operator, and with it the paths of the machine that made the file.
    """
    for owner in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        owner.ClearField("metadata_props")
        owner.ClearField("doc_string")
    for tensor in model.graph.initializer:
        tensor.ClearField("metadata_props")
        tensor.ClearField("doc_string")
    # torch describes initializers twice; a quantizer that replaces one then finds the old shape beside the new.
    weights = {tensor.name for tensor in model.graph.initializer}
    described = [value for value in model.graph.value_info if value.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(described)
    used = {node.domain for node in model.graph.node} | {node.domain for function in model.functions for node in function.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    target.write_bytes(model.SerializeToString(deterministic=True))


def folded(file: Path, work: Path, *, sizes: Mapping[str, int] | None = None, signature: Signature | None = None) -> Path:
    """The model of `read_modern` with its shapes inferred and its constants folded, in the folder `work`; with numbers for some of its
    free sizes, and of branches that these decide, if a `signature` is given, the one that is taken.

    Symbolic shape inference is left out: torch's exporter wrote the shapes already, and it would import torch.
    """
    from onnxruntime.quantization.shape_inference import quant_pre_process

    clean, target = work / "clean.onnx", work / "folded.onnx"
    model = read_modern(file)
    if signature is not None:
        fold_branches(model, signature, sizes or {})
    fix_sizes(model, sizes or {})
    write_model(model, clean)
    quant_pre_process(str(clean), str(target), skip_symbolic_shape=True)
    return target


def prepared(file: Path, work: Path) -> Path:
    """The model as the quantizers want it, in the folder `work`: folded, with weights that no two nodes share and a name for each node."""
    target = folded(file, work)
    model = read_model(target)
    taken = {node.name for node in model.graph.node}
    for number, node in enumerate(model.graph.node):
        if not node.name:
            node.name = next(name for count in itertools.count() if (name := f"{node.op_type}_{number}{'_' * count}") not in taken)
    own_constants(model.graph)
    _own_weights(model.graph)
    _flat_biases(model.graph)
    write_model(model, target)
    return target


def _own_weights(graph: Any) -> None:
    """Give each node a copy of a weight that several use.

    The quantizer would give all of them the scales of one matrix, along its axis; and where a session of ours makes its sums exact,
    onnxruntime rewrites an int8 weight for each of its readers under one name, and stops at the second. torch's exporter shares what
    is equal, such as the ones of all normalizations in a network that was not trained.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer if tensor.dims and tensor.data_type == tensor.FLOAT}
    seen: set[str] = set()
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name in weights and name in seen:
                own = graph.initializer.add()
                own.CopyFrom(weights[name])
                own.name = node.input[place] = f"{name}/{node.name or node.output[0]}/{place}"
            seen.add(name)


def _flat_biases(graph: Any) -> None:
    """Give the bias of a product one dimension: with ``[1, N]``, as fusing an addition leaves it, the quantizer stops."""
    added = {node.input[2] for node in graph.node if node.op_type == "Gemm" and len(node.input) > 2}
    elsewhere = {name for node in graph.node for place, name in enumerate(node.input) if node.op_type != "Gemm" or place != 2}
    for tensor in graph.initializer:
        if tensor.name in added - elsewhere and len(tensor.dims) > 1 and all(size == 1 for size in tensor.dims[:-1]):
            size = tensor.dims[-1]
            del tensor.dims[:]
            tensor.dims.append(size)


def rename(program: Any, signature: Signature) -> None:
    """Give an `onnx_ir.Model` the names and the symbols of `signature`.

    Raises:
        ConversionError: another number of inputs or outputs, another rank, or a dimension that is fixed though it should be free.
    """
    symbols: dict[str, str] = {}
    for values, specs, kind in ((program.graph.inputs, signature.inputs, "input"), (program.graph.outputs, signature.outputs, "output")):
        if len(values) != len(specs):
            raise ConversionError(f"the ONNX graph has another number of {kind}s", expected=str(len(specs)), got=str(len(values)))
        for value, spec in zip(values, specs, strict=True):
            if value.shape is None or len(value.shape) != len(spec.shape):
                raise ConversionError(f"{kind} '{spec.name}' has another rank in ONNX", expected=str(spec), got=str(value.shape))
            for size, wanted in zip(value.shape, spec.shape, strict=True):
                if isinstance(wanted, str) == isinstance(size, int) or (isinstance(size, int) and size != wanted):
                    raise ConversionError(
                        f"{kind} '{spec.name}' has another shape in ONNX",
                        expected=str(spec),
                        got=str(value.shape),
                        hint="export the model with an example batch of 2 and a dynamic batch",
                    )
                if isinstance(wanted, str) and kind == "input":
                    symbols[str(size)] = wanted
    _rename_values(program, signature)
    _rename_symbols(program, symbols)


def _rename_values(program: Any, signature: Signature) -> None:
    values = [*program.graph.inputs, *program.graph.outputs]
    names = [spec.name for spec in (*signature.inputs, *signature.outputs)]
    if len({id(value) for value in values}) != len(values):
        raise ConversionError("one tensor is returned twice", hint="return each output once, or a copy of it")
    everything = [*program.graph.inputs, *program.graph.initializers.values(), *(out for node in program.graph for out in node.outputs)]
    for value in everything:
        if value.name in names and all(value is not own for own in values):
            value.name = f"{value.name}.inner"
    for index, value in enumerate(values):
        value.name = f"signature.{index}"  # So that two values may swap their names.
    for value, name in zip(values, names, strict=True):
        value.name = name


def _rename_symbols(program: Any, symbols: dict[str, str]) -> None:
    values = [*program.graph.inputs, *(out for node in program.graph for out in node.outputs)]
    for value in values:
        for axis, size in enumerate(value.shape or ()):
            if not isinstance(size, int) and size.value is not None:
                value.shape[axis] = rename_symbols(str(size.value), symbols)
