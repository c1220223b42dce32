"""The good files that are damaged: one small net in every format, its samples, a recipe, and what a training leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.tiny import CLASSES, FEATURES, tiny_artifact, with_parity
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Preprocessing, Signature, TensorSpec, new_folder, sha256_of


@dataclass(frozen=True)
class Seeds:
    """``net/`` is a bundle of onnx, openvino and tflite, verified; ``pt2/`` one with a .pt2; ``x.npy``, ``samples.npz``, ``recipe.json``
    and ``weights.safetensors`` (of the perceptron on digits) lie beside them.
    """

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


def make_seeds(folder: Path) -> Seeds:
    """The seeds in `folder`, made anew unless they are there already."""
    if folder.exists():
        return Seeds(folder)
    with new_folder(folder) as work:
        _bundle(work / "net")
        _exported(work / "pt2")
        random = np.random.default_rng(0)
        x = random.standard_normal((40, FEATURES)).astype(np.float32)
        np.save(work / "x.npy", x[:1])
        np.savez(work / "samples.npz", x=x, targets=random.integers(0, CLASSES, 40))
        _report(work)
        _packed(work)
        _training(work)
    return Seeds(folder)


def _bundle(bundle: Path) -> None:
    from toolkit.converters.base import Recipe
    from toolkit.converters.planner import all_converters

    first = tiny_artifact(bundle)
    about = {"labels": tuple("abcdefghij"), "preprocessing": Preprocessing(1 / 255, (0.5,), (0.5,), "NCHW"), "details": {"komi": 7.0}}
    trained = replace(first, manifest=replace(first.manifest, root="", edge="import", **about))  # type: ignore[arg-type]
    with_parity(trained.with_evidence(()), reference=first.manifest.content_sha256)
    (to_openvino,) = (c for c in all_converters() if c.name == "openvino_from_onnx")
    to_openvino.convert(Artifact.load(bundle / "onnx-fp32"), bundle / "openvino-fp32", Recipe())
    signature = Signature((TensorSpec("x", "float32", (1, FEATURES)),), (TensorSpec("logits", "float32", (1, CLASSES)),))
    _artifact(bundle / "tflite-fp32", Format.TFLITE, signature, tflite_net(), root=first.manifest.content_sha256)


def _report(folder: Path) -> None:
    from toolkit.core import Bundle, Samples
    from toolkit.core.measurement import BENCHMARK, Protocol
    from toolkit.pipeline.benchmark import benchmark_bundle

    protocol = Protocol(rounds=1, min_seconds=0.001, min_calls=2, warmup_seconds=0.0, warmup_calls=1)
    found = benchmark_bundle(Bundle.load(folder / "net"), Samples.load(folder / "samples.npz"), protocol=protocol)
    (folder / BENCHMARK).write_bytes(found.to_json())


def _packed(folder: Path) -> None:
    from toolkit.core import Bundle, Samples
    from toolkit.pipeline.bundle import pack

    pack(Bundle.load(folder / "net"), Samples.load(folder / "samples.npz"), folder / "field.zip", names=("openvino-fp32",))


def _artifact(folder: Path, format: Format, signature: Signature, content: bytes, *, root: str = "") -> None:
    with new_folder(folder) as work:
        file = work / format.file_name
        file.write_bytes(content)
        files = {file.name: sha256_of(file)}
        manifest = Manifest("tiny", format, Precision.FP32, signature, files, "by hand", parent=root, root=root)
        (work / MANIFEST).write_bytes(manifest.to_json())


def tflite_net() -> bytes:
    """A layer ``[1, 64]`` -> ``[1, 10]`` as a TF Lite file."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    weights = np.random.default_rng(0).standard_normal((CLASSES, FEATURES)).astype(np.float32)
    model.buffers = [_made(schema.BufferT()), _made(schema.BufferT(), data=np.frombuffer(weights.tobytes(), np.uint8))]
    shapes = {"x": (1, FEATURES), "w": (CLASSES, FEATURES), "logits": (1, CLASSES)}
    graph.tensors = [
        _made(schema.TensorT(), name=name, shape=list(shape), type=schema.TensorType.FLOAT32, buffer=int(name == "w"))
        for name, shape in shapes.items()
    ]
    kind = schema.BuiltinOperator.FULLY_CONNECTED
    options = schema.BuiltinOptions.FullyConnectedOptions
    graph.operators = [
        _made(
            schema.OperatorT(),
            opcodeIndex=0,
            inputs=[0, 1, -1],
            outputs=[2],
            builtinOptionsType=options,
            builtinOptions=schema.FullyConnectedOptionsT(),
        )
    ]
    graph.inputs, graph.outputs, graph.name = [0], [2], "main"
    model.version, model.subgraphs = 3, [graph]
    model.operatorCodes = [_made(schema.OperatorCodeT(), builtinCode=kind, deprecatedBuiltinCode=kind, version=1)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _made(value: Any, **fields: Any) -> Any:
    for name, field in fields.items():
        setattr(value, name, field)
    return value


def _exported(bundle: Path) -> None:
    import torch

    from toolkit.models.training import export_pt2

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(FEATURES, 8), torch.nn.ReLU(), torch.nn.Linear(8, CLASSES)).eval()
    signature = Signature((TensorSpec("x", "float32", ("batch", FEATURES)),), (TensorSpec("logits", "float32", ("batch", CLASSES)),))
    export_pt2(net, signature=signature, out=bundle / "pt2-fp32", model="tiny")


def _training(folder: Path) -> None:
    """One epoch of the smallest model on the built-in data, for its checkpoint and its weights."""
    import torch
    from safetensors.torch import save_file

    from toolkit.models import find_model
    from toolkit.models.data import find_data
    from toolkit.models.training import train
    from toolkit.models.training.recipes import encode_recipe

    model, data = find_model("perceptron"), find_data("digits")
    recipe = replace(model.recipe(data.name), epochs=1)
    (folder / "recipe.json").write_bytes(encode_recipe(recipe))
    train(model, data, recipe=recipe, out=folder / "perceptron")
    from toolkit.models.training.checkpoint import CHECKPOINT, Checkpoint

    (checkpoint,) = (folder / "perceptron").rglob(CHECKPOINT)
    save_file(
        {name: value.contiguous() for name, value in Checkpoint.load(checkpoint).group("model").items()}, folder / "weights.safetensors"
    )
    torch.save(Checkpoint.load(checkpoint).group("model"), folder / "weights.pt")
