"""Each engine called directly: what an artifact computes, without a session of ours between."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.core import Artifact, Format, Precision


def compute(artifact: Artifact, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by name; TF Lite takes batches of 32 and of 1, or of 1 only, ExecuTorch up to 32."""
    return ENGINES[artifact.manifest.format](artifact, dict(inputs))


def _onnx(artifact: Artifact, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if artifact.manifest.precision in {Precision.INT8, Precision.INT8_DYNAMIC}:
        options.add_session_config_entry("session.x64quantprecision", "1")  # Sums of int8 products saturate on x86 without VNNI.
    session = onnxruntime.InferenceSession(str(artifact.model_file), options, providers=["CPUExecutionProvider"])
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


def _ncnn(artifact: Artifact, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import ncnn

    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(artifact.model_file)) == net.load_model(str(artifact.path / "model.bin")) == 0
    rows: dict[str, list[np.ndarray]] = {spec.name: [] for spec in artifact.manifest.signature.outputs}
    for row in range(len(next(iter(inputs.values())))):
        extractor = net.create_extractor()
        for name, array in inputs.items():
            values = array[row].astype(np.int32).view(np.float32) if array.dtype == np.int64 else array[row]
            extractor.input(name, ncnn.Mat(np.ascontiguousarray(values)).clone())
        for spec in artifact.manifest.signature.outputs:
            code, found = extractor.extract(spec.name)
            assert code == 0
            rows[spec.name].append(np.array(found).reshape(spec.concrete(1)[1:]))
    return {name: np.stack(parts) for name, parts in rows.items()}


def _executorch(artifact: Artifact, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import torch
    from executorch.extension.pybindings import _C

    program = _C._load_program(
        str(artifact.model_file),
        enable_etdump=False,
        debug_buffer_size=0,
        program_verification=_C.Verification.InternalConsistency,
        data_path=None,
    )
    method = program.load_method("forward")
    given = [torch.from_numpy(np.array(inputs[spec.name])) for spec in artifact.manifest.signature.inputs]
    parts = [method(list(rows)) for rows in zip(*(tensor.split(32) for tensor in given), strict=True)]
    whole = [torch.cat(tensors).numpy() for tensors in zip(*parts, strict=True)]
    return {spec.name: array for spec, array in zip(artifact.manifest.signature.outputs, whole, strict=True)}


ENGINES = {Format.ONNX: _onnx, Format.OPENVINO: _openvino, Format.TFLITE: _tflite, Format.EXECUTORCH: _executorch, Format.NCNN: _ncnn}
"""All but Core ML, which no engine runs where these tests run."""
