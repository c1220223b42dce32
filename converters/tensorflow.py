"""Keras files and SavedModels as TensorFlow functions of named tensors, and what becomes of such a function."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.core import ConversionError, Signature, words_of
from toolkit.formats.parts.onnx_graphs import inner_graphs
from toolkit.formats.savedmodel import check_savedmodel, serving_name
from toolkit.formats.tflite import read_graph

from .finite import refuse
from .onnx import read_model, rename, write_model
from .spectra import real_spectrum
from .tflite import Variant, as_written, check, in_order_of_graph, name_signatures, plain_name, quiet
from .tflite_signatures import name_operators

# More steps than this make a graph that takes minutes to convert.
_UNROLLED = 128

Function = Callable[[Mapping[str, Any]], Sequence[Any]]
"""Tensors by the signature's input names -> the outputs in the signature's order."""


def from_keras(file: Path, signature: Signature, *, unroll: bool = False) -> Function:
    """The network in a ``.keras`` file; code in it is refused. Its inputs and outputs are the signature's, in order.

    With `unroll` short sequences are no loops but a chain of steps.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    quiet()
    import keras

    model = keras.saving.load_model(file, compile=False, safe_mode=True)
    _check_finite({weight.path: weight.numpy() for weight in model.weights})
    _make_constant(model)
    if unroll and all(size <= _UNROLLED for tensor in model.inputs for size in tensor.shape[1:2] if size is not None):
        for layer in model._flatten_layers():
            if hasattr(layer, "unroll"):
                layer.unroll = True
    struct = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    names = [spec.name for spec in signature.inputs]

    def function(arrays: Mapping[str, Any]) -> Sequence[Any]:
        with _inlined_functions():
            outputs: Sequence[Any] = keras.tree.flatten(
                model(keras.tree.pack_sequence_as(struct, [arrays[name] for name in names]), training=False)
            )
        return outputs

    return function


@contextlib.contextmanager
def _inlined_functions() -> Iterator[None]:
    """While a model is traced, functions inside it become part of the graph: tf2onnx keeps a call of one that is to be compiled, as
    Keras' convolutions in groups are.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _make_constant(model: Any) -> None:
    """Keep as arrays the tensors that a layer has beside its weights, such as a normalization's mean: tf2onnx takes them for inputs."""
    import tensorflow as tf

    for layer in model._flatten_layers():
        for name, value in list(vars(layer).items()):
            if isinstance(value, tf.Tensor):
                setattr(layer, name, value.numpy())


def from_savedmodel(file: Path, signature: Signature) -> Function:
    """The serving function of the SavedModel whose ``saved_model.pb`` is `file`."""
    check_savedmodel(file)
    quiet()
    import tensorflow as tf

    loaded = tf.saved_model.load(str(file.parent))
    name = serving_name(tuple(loaded.signatures), file)
    _check_finite({variable.name: variable.numpy() for variable in loaded.signatures[name].variables})

    def function(arrays: Mapping[str, Any]) -> Sequence[Any]:
        found = loaded.signatures[name](**arrays)
        return [found[spec.name] for spec in signature.outputs]

    return function


def write_tflite(
    function: Callable[[Mapping[str, int]], Function], signature: Signature, variants: Sequence[Variant], target: Path
) -> Signature | None:
    """Write what `function` gives for the sizes of each variant as a TF Lite signature, ``b1``, ``b32``; weights become constants, stored
    once. Returns the file's signature where it is another one.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    names = [spec.name for spec in signature.inputs]

    def concrete(variant: Variant) -> Any:
        specs = [
            tf.TensorSpec(signature.shape(spec, variant.batch, sizes=variant.sizes), spec.dtype, name=plain_name("input", place))
            for place, spec in enumerate(signature.inputs)
        ]
        own = function(variant.sizes)
        traced = tf.function(lambda *arrays: tuple(own(dict(zip(names, arrays, strict=True))))).get_concrete_function(*specs)
        # A loop of a recurrent layer cannot read a variable in TF Lite.
        frozen = convert_variables_to_constants_v2(traced)
        return tf.function(
            lambda **arrays: {
                plain_name("output", place): value for place, value in enumerate(frozen(*(arrays[spec.name] for spec in specs)))
            }
        ).get_concrete_function(**{spec.name: spec for spec in specs})

    # The gradient of swish cannot be saved, and nobody asks for it.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(tf.Module(), folder, signatures={each.name: concrete(each) for each in variants}, options=options)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[each.name for each in variants])
        try:
            target.write_bytes(converter.convert())
        except Exception as error:
            if "TensorList" not in str(error):
                raise
            raise ConversionError(
                "TF Lite takes no loop whose batch is free, as a SavedModel keeps it", hint="convert the .keras file, or fix the batch"
            ) from error
    name_operators(target)
    name_signatures(target, signature)
    check(target, signature, variants)
    return as_written(target, signature, variants)


def write_onnx(function: Function, signature: Signature, target: Path, *, opset: int) -> None:
    """Write `function` as an ONNX graph with the signature's names; what is free stays free."""
    import tensorflow as tf
    import tf2onnx

    specs = [
        tf.TensorSpec([size if isinstance(size, int) else None for size in spec.shape], spec.dtype, name=f"input_{index}")
        for index, spec in enumerate(signature.inputs)
    ]
    names = [spec.name for spec in signature.inputs]
    traced = tf.function(
        lambda *arrays: tuple(tf.identity(value) for value in function(dict(zip(names, arrays, strict=True)))), input_signature=specs
    )
    traced = _without_captures(traced, specs)
    # tf2onnx has no rule for what TensorFlow makes of the exact GELU.
    rules: dict[str, Any] = {"Erfc": (_one_minus_erf, [])}
    proto, _ = tf2onnx.convert.from_function(traced, input_signature=specs, opset=opset, custom_op_handlers=rules)
    # tf2onnx sorts inputs by name, where input_10 comes before input_2.
    order = {spec.name: index for index, spec in enumerate(specs)}
    inputs = sorted(proto.graph.input, key=lambda value: order[value.name])
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    _write_as(proto, signature, target)


def onnx_of_tflite(file: Path, signature: Signature, target: Path, *, opset: int) -> None:
    """Write the first graph of a TF Lite file as an ONNX graph with the signature's names.

    Raises:
        ConversionError: an operator that tf2onnx has no rule for, by its name.
    """
    import tf2onnx

    graph = read_graph(file)
    names = [[graph.tensors[number].name for number in numbers] for numbers in (graph.inputs, graph.outputs)]
    try:
        rules: dict[str, Any] = {"RFFT2D": (real_spectrum, [])}
        proto, _ = tf2onnx.convert.from_tflite(
            str(file), input_names=names[0], output_names=names[1], opset=opset, custom_op_handlers=rules
        )
    except Exception as error:
        raise ConversionError(f"tf2onnx cannot convert the file: {words_of(error)}") from error
    own = in_order_of_graph(file, signature)
    for values, tensors, there, specs in (
        (proto.graph.input, names[0], own.inputs, signature.inputs),
        (proto.graph.output, names[1], own.outputs, signature.outputs),
    ):
        tensor_of = {spec.name: tensor for spec, tensor in zip(there, tensors, strict=True)}
        by_tensor = {value.name: value for value in values}
        ordered = [by_tensor[tensor_of[spec.name]] for spec in specs]
        del values[:]
        values.extend(ordered)
    _write_as(proto, signature, target)


def _write_as(proto: Any, signature: Signature, target: Path) -> None:
    """Write a graph of tf2onnx, whose inputs and outputs are in the signature's order, with the signature's names."""
    import onnx_ir

    # Its symbols have another name in each tensor.
    del proto.graph.value_info[:]
    _number_anew(proto.graph)
    model = onnx_ir.from_proto(proto)
    for value in (*model.graph.inputs, *(out for node in model.graph for out in node.outputs)):
        value.shape = onnx_ir.Shape(value.shape) if value.shape is not None else None  # What is read from a file is frozen.
    rename(model, signature)
    for value, spec in zip(model.graph.outputs, signature.outputs, strict=True):
        value.shape = onnx_ir.Shape(spec.shape)
    write_model(onnx_ir.to_proto(model), target)
    read_model(target)


def _without_captures(traced: Any, specs: Sequence[Any]) -> Any:
    """The function with constants in place of tensors that it holds beside its variables: tf2onnx takes those for inputs."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    concrete = traced.get_concrete_function(*specs)
    if all(tensor.dtype == tf.resource for tensor in concrete.captured_inputs):
        return traced
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    return tf.function(lambda *arrays: tuple(tf.identity(value) for value in frozen(*arrays)), input_signature=specs)


def _one_minus_erf(graph: Any, node: Any, _name: str, _arguments: Sequence[Any]) -> Any:
    """Replace an Erfc node of tf2onnx's graph; the difference is wrong by a float32's last digit of 1 at most."""
    import numpy as np
    from tf2onnx.utils import map_onnx_to_numpy_type

    (source,), (target,) = node.input, node.output
    dtype, shape = graph.get_dtype(target), graph.get_shape(target)
    one = graph.make_const(f"{node.name}_one", np.ones((), map_onnx_to_numpy_type(dtype)))
    erf = graph.make_node("Erf", [source])
    graph.remove_node(node.name)
    return graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=[target], name=node.name, shapes=[shape], dtypes=[dtype])


def _number_anew(graph: Any) -> None:
    """Names and order by first use: tf2onnx counts through the whole process, and its constants come in any order."""
    names: dict[str, str] = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    constants = {tensor.name for tensor in graph.initializer}
    seen: Counter[str] = Counter(names)
    kinds: Counter[str] = Counter()

    def renamed(name: str) -> str:
        if name not in names:
            plain: str = "constant" if name in constants and "/" not in name else re.sub(r"__\d+", "", name)
            names[name] = f"{plain}.{seen[plain]}" if seen[plain] else plain
            seen[plain] += 1
        return names[name]

    def visit(part: Any) -> None:
        for node in part.node:
            kinds[node.op_type] += 1
            node.name = f"{node.op_type}_{kinds[node.op_type]}"
            node.input[:] = [renamed(name) for name in node.input]
            for inner in inner_graphs(node):
                visit(inner)
            node.output[:] = [renamed(name) for name in node.output]
        for value in (*part.input, *part.output, *part.value_info, *part.initializer):
            value.name = renamed(value.name)

    visit(graph)
    order = {name: index for index, name in enumerate(names.values())}
    weights = sorted(graph.initializer, key=lambda tensor: order[tensor.name])
    del graph.initializer[:]
    graph.initializer.extend(weights)


def _check_finite(weights: Mapping[str, Any]) -> None:
    import numpy as np

    for name, values in weights.items():
        if np.issubdtype(values.dtype, np.floating):
            refuse(name, int((~np.isfinite(values)).sum()))
