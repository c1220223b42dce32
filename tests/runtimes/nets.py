"""Small nets with awkward signatures, and their conversion by each framework's own exporter: no converter of ours is under test here."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.runtimes.contract import random_inputs
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Signature, TensorSpec, new_folder, sha256_of

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH_SIGNATURES = (1, 4, 32)
"""The batches of the TF Lite files: 2, 3, 7 and 33 fit none of them."""


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


def make_artifacts(net: Net, folder: Path, formats: tuple[Format, ...] = tuple(Format)) -> dict[Format, Artifact]:
    """The net as one fp32 artifact a format, in folders below `folder`."""
    module = seeded(net)
    writers = {
        Format.PT2: _write_pt2,
        Format.ONNX: _write_onnx,
        Format.OPENVINO: _write_openvino,
        Format.TFLITE: _write_tflite,
        Format.KERAS: write_keras,
        Format.SAVEDMODEL: write_savedmodel,
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


if __name__ == "__main__":
    for name in sys.argv[2:]:
        make_artifacts(NETS[name], Path(sys.argv[1]) / name)
