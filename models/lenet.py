"""LeNet-5 with today's parts: ReLU and max pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import needs

from ._layers import check_sizes, initialise
from .base import ImageClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import nn


class LeNet(ImageClassifier):
    """Two 5 x 5 convolutions of 6 and 16 channels, each with a 2 x 2 max pool, then 120 and 84 hidden units (section II.B)."""

    name = "lenet"
    summary = "conv 6 - conv 16 - fc 120 - fc 84, 5 x 5 kernels"
    paper = "LeCun, Bottou, Bengio and Haffner 1998, Gradient-Based Learning Applied to Document Recognition"

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for images of at least 4 x 4 pixels in any number of channels; edges are padded, so that small ones fit."""
        check_sizes(input_shape, classes, least=4)
        with needs("train"):
            from torch import nn
        channels, height, width = input_shape
        last = nn.Linear(84, classes)
        module = nn.Sequential(
            nn.Conv2d(channels, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * (height // 4) * (width // 4), 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            last,
        )
        initialise(module, last)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """Clothes may be mirrored, digits may not; digits of 8 x 8 pixels need many passes over few images."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=4e-3, weight_decay=1e-2, shift=1)
        flip = data == "fashion-mnist"
        return TrainingRecipe(epochs=12, learning_rate=4e-3, weight_decay=1e-2, shift=0 if flip else 2, flip=flip)
