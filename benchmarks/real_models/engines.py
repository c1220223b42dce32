"""The engines as their own documents call them, without a line of the toolkit: what a network's own package runs it with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .base import Arrays, Call

THREADS = 2


def opened(file: Path) -> Call:
    """A call of the network in ``file`` by the engine that its format is made for."""
    return {".onnx": _onnxruntime, ".tflite": _litert, ".xml": _openvino}.get(file.suffix, _savedmodel)(file)


def _onnxruntime(file: Path) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = THREADS, 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]

    def call(inputs: Arrays) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return call


def _litert(file: Path) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=THREADS)
    if interpreter.get_signature_list():
        runner = interpreter.get_signature_runner()
        return lambda inputs: dict(runner(**inputs))
    interpreter.allocate_tensors()

    def call(inputs: Arrays) -> dict[str, np.ndarray]:
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], inputs[detail["name"]])
        interpreter.invoke()
        return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}

    return call


def _openvino(file: Path) -> Call:
    import openvino

    compiled = openvino.compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": THREADS})

    def call(inputs: Arrays) -> dict[str, np.ndarray]:
        found = compiled(dict(inputs))
        return {port.any_name: found[port] for port in compiled.outputs}

    return call


def by_place(call: Call, file: Path) -> Call:
    """As `call`, for a file whose maker has changed names and put channels last: inputs and outputs are taken in order, and turned where
    only that fits.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file))
    plain = {detail["name"]: detail for detail in interpreter.get_input_details()}
    details = interpreter.get_signature_runner().get_input_details() if interpreter.get_signature_list() else plain
    shapes = {name: detail["shape"] for name, detail in details.items()}

    def turned(inputs: Arrays) -> dict[str, np.ndarray]:
        pairs = zip(shapes.items(), inputs.values(), strict=True)
        return call({name: a if a.shape == tuple(shape) else np.ascontiguousarray(np.moveaxis(a, 1, -1)) for (name, shape), a in pairs})

    return turned


def _savedmodel(folder: Path) -> Call:
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    function = model.signatures["serving_default"]

    def call(inputs: Arrays) -> dict[str, np.ndarray]:
        return {name: array.numpy() for name, array in function(**{k: tf.constant(v) for k, v in inputs.items()}).items()}

    return call
