"""Networks without convolutions: one layer, and one with hidden units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import needs

from ._layers import check_sizes, initialise
from .base import ImageClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import nn

HIDDEN = 128


class Perceptron(ImageClassifier):
    """One layer from pixels to logits: with a softmax it is multinomial logistic regression."""

    name = "perceptron"
    summary = "one layer, no hidden units"
    paper = "Rosenblatt 1958, The Perceptron: A Probabilistic Model for Information Storage and Organization in the Brain"

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for images of at least 2 x 2 pixels."""
        check_sizes(input_shape, classes, least=2)
        with needs("train"):
            from torch import nn
        channels, height, width = input_shape
        last = nn.Linear(channels * height * width, classes)
        module = nn.Sequential(nn.Flatten(), last)
        initialise(module, last)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """It cannot learn by heart, so nothing holds it back."""
        if data == "digits":
            return TrainingRecipe(epochs=40, batch_size=32, learning_rate=2e-2)
        return TrainingRecipe(epochs=8, learning_rate=2e-3)


class Mlp(ImageClassifier):
    """One hidden layer of 128 units with a ReLU and dropout (Srivastava et al. 2014)."""

    name = "mlp"
    summary = "128 hidden units"
    paper = "Rumelhart, Hinton and Williams 1986, Learning Representations by Back-propagating Errors"

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for images of at least 2 x 2 pixels."""
        check_sizes(input_shape, classes, least=2)
        with needs("train"):
            from torch import nn
        channels, height, width = input_shape
        last = nn.Linear(HIDDEN, classes)
        module = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, HIDDEN), nn.ReLU(), nn.Dropout(0.1), last)
        initialise(module, last)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """Clothes may be mirrored, digits may not; digits of 8 x 8 pixels need many passes over few images."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=5e-3, weight_decay=1e-2)
        return TrainingRecipe(epochs=15, learning_rate=3e-3, weight_decay=1e-2, flip=data == "fashion-mnist")
