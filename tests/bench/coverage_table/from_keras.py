"""Keras' own applications with random weights and small images, saved as ``.keras``."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from toolkit.core import Samples

from .architectures import Architecture, Size, draw

# The smallest image that each takes; 75 and 331 are fixed by the network.
APPLICATIONS = {
    "MobileNet": 32, "MobileNetV2": 32, "MobileNetV3Small": 32, "MobileNetV3Large": 32, "ResNet50": 32, "ResNet50V2": 32, "ResNet101": 32,
    "DenseNet121": 32, "EfficientNetB0": 32, "EfficientNetV2B0": 32, "ConvNeXtTiny": 32, "Xception": 71, "InceptionV3": 75,
    "InceptionResNetV2": 75, "NASNetMobile": 32, "VGG16": 32,
}  # fmt: skip


def architectures() -> list[Architecture]:
    """One for each of `APPLICATIONS`."""
    few = Size(32, 96)
    return [
        Architecture(name.lower(), "keras", f"keras.applications.{name}", functools.partial(make, name, side), few)
        for name, side in APPLICATIONS.items()
    ]


def make(name: str, side: int, folder: Path, size: Size) -> tuple[Path, Samples]:
    """Build with seeded weights and save to ``<name>.keras``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    keras.utils.set_random_seed(0)
    # Classes are few, so that VGG's last layer is small; pixels are made what each network wants by itself or not at all.
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=10)
    file = folder / f"{name.lower()}.keras"
    model.save(file)
    pixels = draw(size.calibration + size.evaluation, (side, side, 3), "float32", seed=0)
    return file, Samples({model.input_names[0]: pixels}, None, "random")
