"""The exporters under the converters, called directly on a source file: what can be reached at all without this project.

A cell counts as reached when the exporter writes a file and that file's engine gives the source's numbers at the example's batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import TOLERANCE
from toolkit.formats.parts.pt2_plain import plain_pt2

ROWS = 2


def reach(source: Path, target: str, samples: Mapping[str, np.ndarray]) -> str:
    """Convert `source` to the format `target` and run it on the first rows of `samples`; the reason why not, empty when it is right."""
    export = _EXPORTERS.get((source.suffix, target))
    if export is None:
        return "no raw exporter"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, got = export(source, {name: array[:ROWS] for name, array in samples.items()})
    return _difference(expected, got)


def _difference(expected: Sequence[np.ndarray], got: Sequence[np.ndarray]) -> str:
    if len(expected) != len(got):
        return f"{len(got)} outputs instead of {len(expected)}"
    for place, (one, other) in enumerate(zip(expected, got, strict=True)):
        if one.shape != other.shape:
            return f"output {place} is {list(other.shape)} instead of {list(one.shape)}"
        error = np.abs(one.astype(np.float64) - other)
        if not (error <= TOLERANCE.atol + TOLERANCE.rtol * np.abs(one)).all():
            return f"output {place} is wrong by {error.max():.1e}"
    return ""


Arrays = Mapping[str, np.ndarray]
Answer = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]


def _program(source: Path, inputs: Arrays) -> tuple[Any, dict[str, Any], list[np.ndarray]]:
    """The exported program, its example as tensors by name, and what torch answers."""
    import torch

    # With plain containers in the place of the classes of `transformers`, which torch does not know.
    program = torch.export.load(plain_pt2(source))
    example = {name: torch.from_numpy(array.copy()) for name, array in inputs.items()}
    with torch.no_grad():
        answer = program.module()(**example)
    leaves = [leaf.numpy() for leaf in torch.utils._pytree.tree_leaves(answer) if isinstance(leaf, torch.Tensor)]
    return program, example, leaves


def _onnx_of_pt2(source: Path, inputs: Arrays) -> Answer:
    import onnxruntime
    import torch

    program, _, expected = _program(source, inputs)
    target = source.with_name("raw.onnx")
    torch.onnx.export(program, dynamo=True, verbose=False).save(target)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    return expected, session.run(None, {port.name: inputs[port.name] for port in session.get_inputs()})


def _openvino_of_pt2(source: Path, inputs: Arrays) -> Answer:
    import openvino

    program, _, expected = _program(source, inputs)
    compiled = openvino.compile_model(openvino.convert_model(program), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return expected, list(compiled(list(inputs.values())).values())


def _tflite_of_pt2(source: Path, inputs: Arrays) -> Answer:
    import litert_torch
    import torch

    program, example, expected = _program(source, inputs)
    module = program.module()
    module.training = False
    with torch.no_grad():
        model = litert_torch.convert(module, sample_kwargs=example)
        # Its files hold int32 where the network has int64.
        got = model(**{name: array.int() if array.dtype is torch.int64 else array for name, array in example.items()})
    return expected, list(got) if isinstance(got, list | tuple) else list(got.values()) if isinstance(got, dict) else [got]


def _openvino_of_onnx(source: Path, inputs: Arrays) -> Answer:
    import onnxruntime
    import openvino

    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    # A batch that the file fixes is taken as it is.
    feed = {port.name: inputs[port.name][: port.shape[0] if isinstance(port.shape[0], int) else ROWS] for port in session.get_inputs()}
    compiled = openvino.compile_model(openvino.convert_model(source), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return session.run(None, feed), list(compiled(feed).values())


def _keras(source: Path, inputs: Arrays) -> tuple[Any, list[np.ndarray], list[np.ndarray]]:
    import keras

    model = keras.models.load_model(source, compile=False)
    arrays = list(inputs.values())
    return model, arrays, [np.asarray(model(*arrays, training=False))]


def _openvino_of_keras(source: Path, inputs: Arrays) -> Answer:
    import openvino

    model, arrays, expected = _keras(source, inputs)
    folder = source.with_name("raw-saved-model")
    model.export(folder, format="tf_saved_model", verbose=False)
    compiled = openvino.compile_model(openvino.convert_model(folder), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return expected, list(compiled(arrays).values())


def _onnx_of_keras(source: Path, inputs: Arrays) -> Answer:
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    model, arrays, expected = _keras(source, inputs)
    shapes = [tf.TensorSpec((None, *array.shape[1:]), array.dtype, name=name) for name, array in inputs.items()]
    target = source.with_name("raw.onnx")
    tf2onnx.convert.from_function(tf.function(lambda x: model(x, training=False)), shapes, opset=18, output_path=str(target))
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    return expected, session.run(None, {port.name: array for port, array in zip(session.get_inputs(), arrays, strict=True)})


def _tflite_of_keras(source: Path, inputs: Arrays) -> Answer:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model, arrays, expected = _keras(source, inputs)
    interpreter = Interpreter(model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert())
    runner = interpreter.get_signature_runner()
    return expected, list(runner(**dict(zip(runner.get_input_details(), arrays, strict=True))).values())


_EXPORTERS: Mapping[tuple[str, str], Callable[[Path, Arrays], Answer]] = {
    (".pt2", "onnx"): _onnx_of_pt2,
    (".pt2", "openvino"): _openvino_of_pt2,
    (".pt2", "tflite"): _tflite_of_pt2,
    (".onnx", "openvino"): _openvino_of_onnx,
    (".keras", "onnx"): _onnx_of_keras,
    (".keras", "openvino"): _openvino_of_keras,
    (".keras", "tflite"): _tflite_of_keras,
}
