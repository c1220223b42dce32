"""Making .pt2 artifacts and walking the conversion graph from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.converters.base import Node, Recipe
from toolkit.converters.planner import plan
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Signature, new_folder, sha256_of

if TYPE_CHECKING:
    from torch import nn

START = Node(Format.PT2, Precision.FP32)


def export(folder: Path, net: nn.Module, example: tuple[Any, ...], signature: Signature, model: str) -> Artifact:
    """A .pt2 artifact with a free batch."""
    import torch

    batch = torch.export.Dim("batch", min=1)
    with new_folder(folder) as work:
        program = torch.export.export(net.eval(), example, dynamic_shapes=tuple({0: batch} for _ in example))
        torch.export.save(program, work / "model.pt2")
        manifest = Manifest(
            model, Format.PT2, Precision.FP32, signature, {"model.pt2": sha256_of(work / "model.pt2")}, "train", labels=tuple("0123456789")
        )
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(folder)


def convert_all(source: Artifact, targets: set[Node], recipe: Recipe) -> dict[Node, Artifact]:
    made = {START: source}
    for target in sorted(targets, key=lambda node: (len(plan(START, node)), str(node))):
        for converter in plan(START, target):
            if converter.target not in made:
                out = source.path.parent / str(converter.target)
                made[converter.target] = converter.convert(made[converter.source], out, recipe)
    return made


def from_keras(folder: Path, signature: Signature) -> dict[Node, Artifact]:
    """A Keras net of images ``[B, 1, 8, 8]`` -> ``[B, 10]`` as a ``.keras`` file and as a SavedModel, made in a process of its own."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", _KERAS, str(folder)], check=True, capture_output=True)
    made = {}
    for format in (Format.KERAS, Format.SAVEDMODEL):
        path = folder / f"{format}-{Precision.FP32}"
        files = {file.relative_to(path).as_posix(): sha256_of(file) for file in path.rglob("*") if file.is_file()}
        manifest = Manifest("digits", format, Precision.FP32, signature, files, "import", labels=tuple("0123456789"))
        (path / MANIFEST).write_bytes(manifest.to_json())
        made[Node(format, Precision.FP32)] = Artifact.load(path)
    return made


_KERAS = """
import pathlib, sys
import keras
import tensorflow as tf
folder = pathlib.Path(sys.argv[1])
keras.utils.set_random_seed(0)
layers = keras.layers
image = keras.Input((1, 8, 8), name="image")
hidden = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Permute((2, 3, 1))(image))
hidden = layers.BatchNormalization()(layers.MaxPooling2D()(hidden))
hidden = layers.Dense(32, activation="relu")(layers.Flatten()(hidden))
model = keras.Model({"image": image}, {"logits": layers.Dense(10)(hidden)})
(folder / "keras-fp32").mkdir()
model.save(folder / "keras-fp32" / "model.keras")
spec = tf.TensorSpec([None, 1, 8, 8], tf.float32, name="image")
serving = tf.function(lambda image: model({"image": image}, training=False)).get_concrete_function(spec)
tf.saved_model.save(model, str(folder / "savedmodel-fp32"), signatures={"serving_default": serving})
"""
