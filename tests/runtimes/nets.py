"""Small nets with awkward signatures, and their conversion by each framework's own exporter: no converter of ours is under test here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.runtimes.contract import random_inputs
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Signature, TensorSpec, new_folder, sha256_of
from toolkit.runtimes import elsewhere

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH_SIGNATURES = (1, 4, 32)
"""The batches of the TF Lite files: 2, 3, 7 and 33 fit none of them. The last is the largest of the ExecuTorch files."""


def cnn(shape: tuple[int, int, int] = (1, 8, 8), *, classes: int = 10) -> nn.Module:
    """The smallest reference model, conv 16 - conv 32 - fc 128: images ``[B, C, H, W]`` -> logits ``[B, classes]``."""
    from torch import nn

    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * (height // 4) * (width // 4), 128), nn.ReLU(), nn.Linear(128, classes),
    )  # fmt: skip


def two_by_two() -> nn.Module:
    """Two inputs ``[B, 3]`` and ``[B, 5]``, two outputs ``[B, 4]`` and ``[B]``; the second is one number a row."""
    import torch
    from torch import nn

    class TwoByTwo(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(3, 4), nn.Linear(5, 4)

        def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            both = self.left(left) - self.right(right)
            return both, torch.tanh(both).sum(dim=1)

    return TwoByTwo()


def tokens() -> nn.Module:
    """Token numbers ``[B, 7]`` int64 -> scores ``[B, 3]``."""
    from torch import nn

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(20, 6), nn.Linear(6, 3)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.head(self.embedding(ids).amax(dim=1))
            return scores

    return Tokens()


@dataclass(frozen=True)
class Net:
    """A net and its signature."""

    name: str
    build: Callable[[], Any]
    signature: Signature

    def inputs(self, batch: int, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Seeded inputs by name."""
        return random_inputs(self.signature, batch, seed=seed)


def _signature(inputs: dict[str, tuple[str, tuple[int, ...]]], outputs: dict[str, tuple[int, ...]]) -> Signature:
    return Signature(
        tuple(TensorSpec(name, dtype, ("batch", *tail)) for name, (dtype, tail) in inputs.items()),
        tuple(TensorSpec(name, "float32", ("batch", *tail)) for name, tail in outputs.items()),
    )


NETS = {
    net.name: net
    for net in (
        Net("cnn", cnn, _signature({"image": ("float32", (1, 8, 8))}, {"logits": (10,)})),
        Net("cnn28", lambda: cnn((1, 28, 28)), _signature({"image": ("float32", (1, 28, 28))}, {"logits": (10,)})),
        Net(
            "two",
            two_by_two,
            _signature({"left": ("float32", (3,)), "right": ("float32", (5,))}, {"both": (4,), "total": ()}),
        ),
        Net("tokens", tokens, _signature({"ids": ("int64", (7,))}, {"scores": (3,)})),
    )
}


def seeded(net: Net) -> nn.Module:
    """The net with the weights that all its artifacts have."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(int(hashlib.sha256(net.name.encode()).hexdigest()[:8], 16))
        module: nn.Module = net.build().eval().requires_grad_(False)
    return module


def here() -> tuple[Format, ...]:
    """The formats that some engine runs on this system."""
    return tuple(format for format in Format if not elsewhere(format))


def make_artifacts(net: Net, folder: Path, formats: tuple[Format, ...] | None = None) -> dict[Format, Artifact]:
    """The net as one fp32 artifact a format, by default of each of `here`, in folders below `folder`."""
    module = seeded(net)
    formats = here() if formats is None else formats
    writers = {
        Format.PT2: _write_pt2,
        Format.ONNX: _write_onnx,
        Format.OPENVINO: _write_openvino,
        Format.TFLITE: _write_tflite,
        Format.KERAS: write_keras,
        Format.SAVEDMODEL: write_savedmodel,
        Format.NCNN: _write_ncnn,
        Format.COREML: _write_coreml,
        Format.EXECUTORCH: _write_executorch,
        Format.TORCHSCRIPT: _write_torchscript,
    }
    return {format: make_artifact(net, folder / f"{format}-fp32", format, partial(writers[format], net, module)) for format in formats}


def make_artifact(net: Net, path: Path, format: Format, write: Callable[[Path], object]) -> Artifact:
    """An artifact around the file that `write` makes."""
    with new_folder(path) as work:
        write(work / format.file_name)
        manifest = Manifest(
            model=net.name,
            format=format,
            precision=Precision.FP32,
            signature=net.signature,
            files={file.relative_to(work).as_posix(): sha256_of(file) for file in sorted(work.rglob("*")) if file.is_file()},
            edge="test",
        )
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(path)


def _tensors(net: Net, batch: int) -> tuple[torch.Tensor, ...]:
    import torch

    return tuple(torch.from_numpy(array) for array in net.inputs(batch).values())


def _write_pt2(net: Net, module: nn.Module, target: Path) -> None:
    import torch

    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(module, _tensors(net, 2), dynamic_shapes=tuple({0: batch} for _ in net.signature.inputs))
    torch.export.save(program, target)


def _write_torchscript(net: Net, module: nn.Module, target: Path) -> None:
    import torch

    torch.jit.save(torch.jit.trace(module, _tensors(net, 2)), target)


def _write_executorch(net: Net, module: nn.Module, target: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import ExecutorchBackendConfig, to_edge_transform_and_lower
    from executorch.exir.passes.sym_shape_eval_pass import ConstraintBasedSymShapeEvalPass

    largest = max(BATCH_SIGNATURES)
    batch = torch.export.Dim("batch", min=1, max=largest)
    program = torch.export.export(module, _tensors(net, largest), dynamic_shapes=tuple({0: batch} for _ in net.signature.inputs))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    plan = ExecutorchBackendConfig(sym_shape_eval_pass=ConstraintBasedSymShapeEvalPass())
    target.write_bytes(lowered.to_executorch(plan).buffer)


def _write_onnx(net: Net, module: nn.Module, target: Path) -> None:
    import torch

    torch.onnx.export(
        module,
        _tensors(net, 2),
        target,
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=[spec.name for spec in net.signature.inputs],
        output_names=[spec.name for spec in net.signature.outputs],
        dynamic_shapes=tuple({0: torch.export.Dim("batch")} for _ in net.signature.inputs),
    )


def _write_openvino(net: Net, module: nn.Module, target: Path) -> None:
    import openvino

    onnx = target.with_suffix(".onnx")
    _write_onnx(net, module, onnx)
    openvino.save_model(openvino.Core().read_model(onnx), target, compress_to_fp16=False)
    onnx.unlink()


def _write_tflite(net: Net, module: nn.Module, target: Path) -> None:
    import litert_torch

    converter: Any = litert_torch
    for batch in BATCH_SIGNATURES:
        converter = converter.signature(f"b{batch}", module, _tensors(net, batch))
    converter.convert().export(str(target))


def _write_ncnn(net: Net, module: nn.Module, target: Path) -> None:
    """Written by hand in ncnn's own layers: the weights lie behind each other, before each matrix or kernel its type, 0 for float32."""
    inputs = [f"Input {spec.name} 0 1 {spec.name} {_ncnn_sizes(spec.shape[1:])}" for spec in net.signature.inputs]
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    lines = [
        *inputs,
        *(line.format(**{name.replace(".", "_"): array.size for name, array in weights.items()}) for line in _NCNN[net.name[:3]]),
    ]
    blobs = sum(int(line.split()[3]) for line in lines)
    target.write_text("\n".join(["7767517", f"{len(lines)} {blobs}", *lines, ""]))
    content = b"".join((bytes(4) if array.ndim > 1 else b"") + array.tobytes() for array in weights.values())
    target.with_suffix(".bin").write_bytes(content)


def _ncnn_sizes(shape: tuple[int | str, ...]) -> str:
    return " ".join(f"{key}={size}" for key, size in zip({1: "0", 3: "210"}[len(shape)], shape, strict=True))


_NCNN = {
    "cnn": (
        "Convolution c 1 1 image c 0=16 1=3 4=1 5=1 6={0_weight} 9=1",
        "Pooling p 1 1 c p 1=2 2=2",
        "Convolution d 1 1 p d 0=32 1=3 4=1 5=1 6={3_weight} 9=1",
        "Pooling q 1 1 d q 1=2 2=2",
        "InnerProduct e 1 1 q e 0=128 1=1 2={7_weight} 9=1",
        "InnerProduct f 1 1 e logits 0=10 1=1 2={9_weight} -23330=4,1,10,1,1",
    ),
    "two": (
        "InnerProduct l 1 1 left l 0=4 1=1 2={left_weight}",
        "InnerProduct r 1 1 right r 0=4 1=1 2={right_weight}",
        "BinaryOp d 2 1 l r d 0=1",
        "Split s 1 2 d both t -23330=8,1,4,1,1,1,4,1,1",
        "TanH u 1 1 t u",
        "Reduction v 1 1 u total 1=1 5=1 -23330=4,0,1,1,1",
    ),
    "tok": (
        "Embed e 1 1 ids e 0=6 1=20 3={embedding_weight}",
        "Reduction m 1 1 e m 0=4 1=0 -23303=1,0 5=1",
        "InnerProduct h 1 1 m scores 0=3 1=1 2={head_weight} -23330=4,1,3,1,1",
    ),
}


def _write_coreml(net: Net, module: nn.Module, target: Path) -> None:
    """On a Mac only, where an engine runs it."""
    import coremltools
    import torch

    batch = coremltools.RangeDim(1, 64, default=1)
    dtypes = {"float32": np.float32, "int64": np.int32}
    coremltools.convert(
        torch.jit.trace(module, _tensors(net, 2)),
        inputs=[coremltools.TensorType(spec.name, (batch, *spec.shape[1:]), dtypes[spec.dtype]) for spec in net.signature.inputs],
        outputs=[coremltools.TensorType(spec.name) for spec in net.signature.outputs],
        compute_precision=coremltools.precision.FLOAT32,
        minimum_deployment_target=coremltools.target.iOS16,
    ).save(str(target.parents[2]))


def keras_network(net: Net, module: nn.Module) -> Any:
    """The same network with the same weights, built of Keras's layers, its inputs and outputs by the signature's names."""
    import keras

    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    inputs = {spec.name: keras.Input(spec.shape[1:], dtype=spec.dtype, name=spec.name) for spec in net.signature.inputs}
    layers, ops = keras.layers, keras.ops
    if net.name == "two":
        left, right = layers.Dense(4, name="left_dense"), layers.Dense(4, name="right_dense")
        both = left(inputs["left"]) - right(inputs["right"])
        outputs = {"both": both, "total": ops.sum(ops.tanh(both), axis=1)}
        made = [(left, "left"), (right, "right")]
    elif net.name == "tokens":
        embedding, head = layers.Embedding(20, 6), layers.Dense(3)
        outputs = {"scores": head(ops.max(embedding(inputs["ids"]), axis=1))}
        embedding.set_weights([weights.pop("embedding.weight")])
        made = [(head, "head")]
    else:
        convolutions = [layers.Conv2D(size, 3, padding="same", activation="relu") for size in (16, 32)]
        dense = [layers.Dense(128, activation="relu"), layers.Dense(10)]
        hidden = layers.Permute((2, 3, 1))(inputs["image"])
        for layer in convolutions:
            hidden = layers.MaxPooling2D()(layer(hidden))
        hidden = layers.Flatten()(layers.Permute((3, 1, 2))(hidden))
        outputs = {"logits": dense[1](dense[0](hidden))}
        made = list(zip([*convolutions, *dense], ("0", "3", "7", "9"), strict=True))
    model = keras.Model(inputs, outputs)
    for layer, name in made:
        kernel = weights[f"{name}.weight"]
        layer.set_weights([kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T, weights[f"{name}.bias"]])
    return model


def write_keras(net: Net, module: nn.Module, target: Path) -> None:
    keras_network(net, module).save(target)


def write_savedmodel(net: Net, module: nn.Module, target: Path) -> None:
    """Into the folder of `target`: a function with the signature's names, as TensorFlow saves it."""
    import tensorflow as tf

    model = keras_network(net, module)
    specs = {spec.name: tf.TensorSpec([None, *spec.shape[1:]], spec.dtype, name=spec.name) for spec in net.signature.inputs}
    serving = tf.function(lambda **arrays: model(arrays, training=False)).get_concrete_function(**specs)
    tf.saved_model.save(model, str(target.parent), signatures={"serving_default": serving})


def make(payload: dict[str, Any]) -> None:
    """Those nets in those formats, each net in a folder of its name: an isolated task."""
    for name in payload["names"]:
        make_artifacts(NETS[name], Path(payload["folder"]) / name, tuple(map(Format.parse, payload["formats"])))
