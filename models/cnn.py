"""A small convolutional network, the fastest way through the whole toolkit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import needs

from ._layers import check_sizes, initialise
from .base import ImageClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import nn


class Cnn(ImageClassifier):
    """Two convolutions of 16 and 32 channels, each with a ReLU and a 2 x 2 max pool, then 128 hidden units with dropout
    (Srivastava et al. 2014).
    """

    name = "cnn"
    summary = "conv 16 - conv 32 - fc 128"
    paper = "LeCun, Bottou, Bengio and Haffner 1998, Gradient-Based Learning Applied to Document Recognition"

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for images of at least 4 x 4 pixels, which are halved twice."""
        check_sizes(input_shape, classes, least=4)
        with needs("train"):
            from torch import nn
        channels, height, width = input_shape
        last = nn.Linear(128, classes)
        module = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * (height // 4) * (width // 4), 128),
            nn.ReLU(),
            nn.Dropout(0.25),
            last,
        )
        initialise(module, last)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """Clothes may be mirrored, digits may not; digits of 8 x 8 pixels need many passes over few images."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=3e-3, weight_decay=1e-2, shift=1)
        if data == "fashion-mnist":
            return TrainingRecipe(epochs=10, learning_rate=4e-3, weight_decay=1e-2, flip=True)
        return TrainingRecipe(epochs=10, learning_rate=4e-3, weight_decay=1e-2, shift=2)
