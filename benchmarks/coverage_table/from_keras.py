"""Keras' own applications with random weights and small images, saved as ``.keras``."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage_table.architectures import Architecture, Size, draw
from toolkit.core import Samples

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
    model = getattr(keras.applications, name)(weights=None, input_shape=(side, side, 3), classes=10, classifier_activation=None)
    pixels = draw(size.calibration + size.evaluation, (side, side, 3), "float32", seed=0)
    draw_weights(model, pixels[:8])
    file = folder / f"{name.lower()}.keras"
    model.save(file)
    return file, Samples({model.layers[0].name: pixels}, None, "random")


def draw_weights(model: Any, pixels: np.ndarray) -> None:
    """Seeded random weights with which the scores of `pixels` have a standard deviation of 1.

    With Keras' own start signals shrink from layer to layer, until every error is within an absolute tolerance.
    """
    random = np.random.default_rng(0)
    kernels = [weight for weight in model.weights if len(weight.shape) > 1]
    for kernel in kernels:
        *window, before, after = kernel.shape
        # A kernel of a depthwise convolution has one input.
        fan_in = np.prod(window) * (1 if window and after == 1 else before)
        kernel.assign(random.normal(0.0, (2 / fan_in) ** 0.5, kernel.shape))
    kernels[-1].assign(kernels[-1] / np.asarray(model(pixels, training=False)).std())
