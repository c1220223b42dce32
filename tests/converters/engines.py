"""Each engine called directly: what an artifact computes, without a session of ours between."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.core import Artifact, Format


def compute(artifact: Artifact, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by name; TF Lite takes batches of 32 and of 1, or of 1 only."""
    return _ENGINES[artifact.manifest.format](artifact, dict(inputs))


def _onnx(artifact: Artifact, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(artifact.model_file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def _openvino(artifact: Artifact, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import openvino

    compiled = openvino.Core().compile_model(artifact.model_file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(inputs)
    return {spec.name: found[spec.name] for spec in artifact.manifest.signature.outputs}


def _tflite(artifact: Artifact, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(artifact.model_file))
    runners = {size: interpreter.get_signature_runner(f"b{size}") for size in (1, 32) if f"b{size}" in interpreter.get_signature_list()}
    rows = len(next(iter(inputs.values())))
    parts = []
    start = 0
    while start < rows:
        size = 32 if rows - start >= 32 and 32 in runners else 1
        # Only int64 arrives as another type: a float cast to int8 would hide a border that was quantized by mistake.
        feed = {
            name: array[start : start + size].astype("int32") if array.dtype == np.int64 else array[start : start + size]
            for name, array in inputs.items()
        }
        if artifact.manifest.recipe.get("integer_io"):
            for name, detail in runners[size].get_input_details().items():
                scale, zero = detail["quantization"]
                limits = np.iinfo(detail["dtype"])
                feed[name] = np.clip(np.round(feed[name] / scale) + zero, limits.min, limits.max).astype(detail["dtype"])
        found = {name: array.copy() for name, array in runners[size](**feed).items()}
        if artifact.manifest.recipe.get("integer_io"):
            for name, detail in runners[size].get_output_details().items():
                scale, zero = detail["quantization"]
                found[name] = ((found[name].astype(np.float64) - zero) * scale).astype(np.float32)
        parts.append(found)
        start += size
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


_ENGINES = {Format.ONNX: _onnx, Format.OPENVINO: _openvino, Format.TFLITE: _tflite}
