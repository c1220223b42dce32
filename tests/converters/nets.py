"""Small nets as .pt2 artifacts, walking the conversion graph from them, and each in every format that the tests ask for.

Run as a module it makes the latter: ``python -m tests.converters.nets digits FOLDER``, where the folder holds the exported net already.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.own_process import needs_tensorflow
from toolkit.converters.base import Node, Recipe
from toolkit.converters.planner import plan, reachable
from toolkit.converters.task import convert_isolated
from toolkit.core import MANIFEST, Artifact, Format, Manifest, Precision, Samples, Signature, TensorSpec, new_folder, sha256_of

if TYPE_CHECKING:
    from torch import nn

ROOT = Path(__file__).parents[2]
START = Node(Format.PT2, Precision.FP32)
FOREIGN = "foreign"
"""The folder of TF Lite files that the toolkit did not make."""


def digits() -> tuple[Samples, Samples]:
    """Calibration and evaluation samples ``[N, 1, 8, 8]`` float32 in [0, 1]; the first 1000 rows train the net."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images[:, None] / 16).astype(np.float32)
    return Samples({"image": images[:200]}, data.target[:200], "digits"), Samples({"image": images[1200:1600]}, data.target[1200:1600])


def digits_recipe() -> Recipe:
    """How the trained net is quantized unless a test says more: plainly, nothing tried beyond it."""
    return Recipe(calibration=digits()[0], batch_sizes=(1, 32), effort=0)


def trained() -> nn.Module:
    """The net that knows digits: images ``[B, 1, 8, 8]`` -> ``[B, 10]``."""
    import torch
    from sklearn.datasets import load_digits
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10),
    )  # fmt: skip
    data = load_digits()
    images, labels = torch.tensor(data.images[:1000, None] / 16, dtype=torch.float32), torch.tensor(data.target[:1000])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(8):
        for rows in torch.randperm(1000).split(100):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
    return net.eval()


def embedding() -> nn.Module:
    """A net of two inputs, one of them int64, and two outputs whose order is not alphabetical."""
    import torch
    from torch import nn

    class Embedding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 16)
            self.first = nn.Linear(16 + 4, 8)
            self.last = nn.Linear(8, 3)

        def forward(self, tokens: torch.Tensor, extra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = torch.relu(self.first(torch.cat([self.table(tokens).mean(1), extra], 1)))
            return self.last(hidden), hidden

    torch.manual_seed(1)
    return Embedding().eval()


def detector() -> nn.Module:
    """A net with outputs whose parts have other ranges, each in another layout, and one that it reads itself.

    Its heads give boxes in pixels and probabilities below 0.4 for the cells of one or two levels of features; the last output, and its
    labels, come from attention to the cells that no mask hides.
    """
    import torch
    from torch import nn

    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine, self.coarse = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)
            self.box, self.score, self.prior = nn.Conv2d(16, 4, 1), nn.Conv2d(16, 3, 1), nn.Conv2d(16, 4, 1)
            self.quality, self.attention, self.total = nn.Conv2d(16, 1, 1), nn.Conv2d(16, 1, 1), nn.Linear(16, 3)
            self.levels = nn.ModuleList([nn.Conv2d(8, 7, 1), nn.Conv2d(16, 7, 1)])
            with torch.no_grad():
                self.attention.weight.mul_(400)
                self.total.weight.mul_(4)
                for head, bias in ((self.score, -4.0), (self.prior, 0.0), *((level, -2.0) for level in self.levels)):
                    head.weight.mul_(6)
                    head.bias.add_(bias)
                self.prior.bias[0] += 8  # The background, which is far more probable than the other three.

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
            fine = torch.relu(self.fine(image))
            coarse = torch.relu(self.coarse(fine))
            boxes, scores = self.box(coarse).flatten(2).sigmoid() * 640, self.score(coarse).flatten(2).sigmoid()
            joined = torch.cat([boxes, scores], 1)
            classes = self.prior(coarse).flatten(2).transpose(1, 2).softmax(-1)[..., 1:]
            cells = torch.cat([head(level).flatten(2) for head, level in zip(self.levels, (fine, coarse), strict=True)], 2)
            offsets, chances = cells.transpose(1, 2).split((4, 3), 2)
            hidden = (coarse.mean(1, keepdim=True) < coarse.mean((1, 2, 3), keepdim=True)).flatten(2)
            weights = self.attention(coarse).flatten(2).masked_fill(hidden, -1e9).softmax(2)
            totals = self.total((weights * coarse.flatten(2)).sum(2))
            return (
                joined,
                (joined * self.quality(coarse).flatten(2).sigmoid()).transpose(1, 2),
                torch.cat([boxes.transpose(1, 2), classes], 2),
                torch.cat([offsets.exp() * 32, chances.sigmoid()], 2),
                totals,
                totals.topk(2).indices,
            )

    torch.manual_seed(0)
    return Detector().eval()


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


def export_digits(folder: Path) -> Artifact:
    """The trained net as ``.pt2``."""
    import torch

    signature = Signature((TensorSpec("image", "float32", ("batch", 1, 8, 8)),), (TensorSpec("logits", "float32", ("batch", 10)),))
    return export(folder, trained(), (torch.zeros(2, 1, 8, 8),), signature, "digits")


def export_embedding(folder: Path) -> Artifact:
    """The net of two inputs as ``.pt2``."""
    import torch

    signature = Signature(
        (TensorSpec("tokens", "int64", ("batch", 12)), TensorSpec("extra", "float32", ("batch", 4))),
        (TensorSpec("logits", "float32", ("batch", 3)), TensorSpec("hidden", "float32", ("batch", 8))),
    )
    return export(folder, embedding(), (torch.zeros(2, 12, dtype=torch.int64), torch.zeros(2, 4)), signature, "embedding")


def export_detector(folder: Path) -> Artifact:
    """The net of mixed outputs as ``.pt2``."""
    import torch

    shapes = {"joined": (7, 16), "masked": (16, 7), "classes": (16, 7), "levels": (80, 7), "totals": (3,)}
    outputs = (
        *(TensorSpec(name, "float32", ("batch", *shape)) for name, shape in shapes.items()),
        TensorSpec("best", "int64", ("batch", 2)),
    )
    signature = Signature((TensorSpec("image", "float32", ("batch", 3, 16, 16)),), outputs)
    return export(folder, detector(), (torch.zeros(2, 3, 16, 16),), signature, "detector")


def convert_all(source: Artifact, targets: set[Node], recipe: Recipe) -> dict[Node, Artifact]:
    """The source and its conversions beside it, in this process but for those that call TensorFlow."""
    made = {START: source}
    for target in sorted(targets, key=lambda node: (len(plan(START, node)), str(node))):
        for converter in plan(START, target):
            if converter.target not in made:
                out = source.path.parent / str(converter.target)
                given = made[converter.source]
                isolated = needs_tensorflow(converter.distributions)
                made[converter.target] = (
                    convert_isolated(converter, given, out, recipe) if isolated else converter.convert(given, out, recipe)
                )
    return made


def from_keras(folder: Path, signature: Signature) -> dict[Node, Artifact]:
    """A Keras net of images ``[B, 1, 8, 8]`` -> ``[B, 10]`` as a ``.keras`` file and as a SavedModel, made in a process of its own;
    below ``foreign`` as TF Lite files of one signature with a free batch, as people ship them.
    """
    np.save(folder / "images.npy", digits()[0].inputs["image"][:50])
    subprocess.run([sys.executable, "-W", "ignore", "-c", _KERAS, str(folder)], check=True, capture_output=True)
    made = {}
    for format in (Format.KERAS, Format.SAVEDMODEL):
        path = folder / f"{format}-{Precision.FP32}"
        files = {file.relative_to(path).as_posix(): sha256_of(file) for file in path.rglob("*") if file.is_file()}
        manifest = Manifest("digits", format, Precision.FP32, signature, files, "import", labels=tuple("0123456789"))
        (path / MANIFEST).write_bytes(manifest.to_json())
        made[Node(format, Precision.FP32)] = Artifact.load(path)
    for precision in (Precision.FP32, Precision.INT8, Precision.INT8_DYNAMIC):
        path = folder / FOREIGN / str(Node(Format.TFLITE, precision))
        files = {Format.TFLITE.file_name: sha256_of(path / Format.TFLITE.file_name)}
        manifest = Manifest("digits", Format.TFLITE, precision, signature, files, "import", labels=tuple("0123456789"))
        (path / MANIFEST).write_bytes(manifest.to_json())
    return made


def from_torchscript(folder: Path, signature: Signature) -> Artifact:
    """The trained net as a TorchScript artifact."""
    import torch

    path = folder / f"{Format.TORCHSCRIPT}-{Precision.FP32}"
    with new_folder(path) as work:
        file = work / Format.TORCHSCRIPT.file_name
        torch.jit.save(torch.jit.script(trained()), file)
        files = {file.name: sha256_of(file)}
        manifest = Manifest("digits", Format.TORCHSCRIPT, Precision.FP32, signature, files, "import", labels=tuple("0123456789"))
        (work / MANIFEST).write_bytes(manifest.to_json())
    return Artifact.load(path)


_KERAS = """
import pathlib, sys
import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
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
images = np.load(folder / "images.npy")
for precision in ("fp32", "int8", "int8-dynamic"):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(serving)])
    converter.optimizations = [] if precision == "fp32" else [tf.lite.Optimize.DEFAULT]
    if precision == "int8":
        converter.representative_dataset = lambda: ([image[None]] for image in images)
    path = folder / "foreign" / f"tflite-{precision}"
    path.mkdir(parents=True)
    (path / "model.tflite").write_bytes(converter.convert())
"""


def make(payload: dict[str, str]) -> None:
    """One of the nets, ``digits``, ``detector`` or ``embedding``, in the formats that the tests ask for, in `folder`: an isolated task."""
    folder = Path(payload["folder"])
    if payload["name"] == "digits":
        source = Artifact.load(folder / str(START))
        convert_all(source, reachable(START), digits_recipe())
        from_keras(folder, source.manifest.signature)
        from_torchscript(folder, source.manifest.signature)
    elif payload["name"] == "detector":
        floats = {Node(format, Precision.FP32) for format in (Format.ONNX, Format.OPENVINO, Format.TFLITE)}
        convert_all(export_detector(folder / str(START)), floats, Recipe(batch_sizes=(1,)))
    else:
        formats = (Format.ONNX, Format.OPENVINO, Format.TFLITE, Format.EXECUTORCH, Format.NCNN)
        convert_all(export_embedding(folder / str(START)), {Node(format, Precision.FP32) for format in formats}, Recipe())
