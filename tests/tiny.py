"""The smallest real ONNX artifacts, written node by node: for tests of what stands on sessions, not of conversion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.core import (
    MANIFEST,
    Artifact,
    Format,
    Manifest,
    ParityReport,
    Precision,
    Samples,
    Signature,
    TaskMetric,
    TensorSpec,
    Verdict,
    new_folder,
    sha256_of,
)

FEATURES, CLASSES = 64, 10


def tiny_artifact(
    bundle: Path,
    precision: Precision = Precision.FP32,
    *,
    noise: bool = False,
    nan: bool = False,
    batch: int | str = "batch",
    seed: int = 0,
) -> Artifact:
    """A perceptron ``[B, 64]`` -> ``[B, 10]`` in ``bundle/onnx-<precision>``; the file is fp32, whatever the name says.

    Args:
        bundle: the folder to put it in.
        precision: only named, so that several can stand in a bundle.
        noise: adds random numbers, so that no two calls agree.
        nan: makes every output NaN.
        batch: the first dimension.
        seed: of the weights.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    weights = {
        "w1": random.standard_normal((FEATURES, 16)).astype(np.float32),
        "w2": random.standard_normal((16, CLASSES)).astype(np.float32),
        "b": np.full(CLASSES, np.nan if nan else 0.5, dtype=np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b"], ["g"]),
    ]
    if noise:
        nodes.append(helper.make_node("RandomNormalLike", ["g"], ["n"], scale=1.0))
    nodes.append(helper.make_node("Add" if noise else "Identity", ["g", "n"] if noise else ["g"], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, FEATURES])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder = bundle / f"onnx-{precision}"
    with new_folder(folder) as work:
        file = work / Format.ONNX.file_name
        onnx.save(model, file)
        signature = Signature((TensorSpec("x", "float32", (batch, FEATURES)),), (TensorSpec("logits", "float32", (batch, CLASSES)),))
        files = {file.name: sha256_of(file)}
        manifest = Manifest("tiny", Format.ONNX, precision, signature, files, "by hand", root="trained", task="classification")
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)


def as_trained(artifact: Artifact) -> Artifact:
    """The artifact as the start of a path."""
    (artifact.path / MANIFEST).write_bytes(replace(artifact.manifest, root="").to_json())
    return Artifact.load(artifact.path)


def with_parity(
    artifact: Artifact, verdict: Verdict = Verdict.PASSED, *, drop: float = 0.1, reference: str = "trained", engine: str = "onnxruntime"
) -> Artifact:
    """The artifact with evidence for an engine on the CPU."""
    task = TaskMetric("accuracy", 1000, 0.9, 0.9 - drop / 100, drop, drop - 0.2, drop + 0.2, 3)
    report = ParityReport(
        candidate=artifact.manifest.content_sha256,
        reference=reference,
        edge="by hand",
        engine=engine,
        engine_version="1",
        device="cpu",
        execution_precision="fp32",
        verdict=verdict,
        reason=f"drop {drop}",
        rule="",
        batch_sizes=(1,),
        samples_sha256="",
        outputs=(),
        task=task,
    )
    return artifact.with_evidence((*artifact.manifest.evidence, report))


def tiny_samples(count: int = 20) -> Samples:
    """Random samples under the artifact's input name."""
    return Samples({"x": np.random.default_rng(1).standard_normal((count, FEATURES)).astype(np.float32)}, origin="random")
