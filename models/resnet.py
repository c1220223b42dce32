"""A small residual network with batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.core import needs

from ._layers import check_sizes, initialise
from .base import ImageClassifier, TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

WIDTHS = (32, 64, 128)


class ResNet(ImageClassifier):
    """A stem, a pool, and stages of basic blocks, each stage but the first halving the image and doubling the channels."""

    name = "resnet"
    summary = "3 residual blocks of 32, 64 and 128 channels, batch norm"
    paper = "He et al. 2015, Deep Residual Learning for Image Recognition"

    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """The network for images of at least 2 x 2 pixels; every image is averaged over its pixels at the end."""
        check_sizes(input_shape, classes, least=2)
        with needs("train"):
            from torch import nn

        class Block(nn.Module):  # type: ignore[misc]
            """Two convolutions beside a shortcut, which is projected where the shape changes (section 3.3, option B)."""

            def __init__(self, channels: int, width: int, stride: int) -> None:
                super().__init__()
                self.body = nn.Sequential(
                    nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                    nn.Conv2d(width, width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                )
                self.shortcut: nn.Module = nn.Identity()
                if channels != width:
                    self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
                self.relu = nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                return self.relu(self.body(x) + self.shortcut(x))

        stem = [nn.Conv2d(input_shape[0], WIDTHS[0], 3, padding=1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.ReLU(), nn.MaxPool2d(2)]
        blocks = []
        channels = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            blocks.append(Block(channels, width, 1 if stage == 0 else 2))
            channels = width
        last = nn.Linear(channels, classes)
        module = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
        initialise(module, last)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """Clothes may be mirrored, digits may not; digits of 8 x 8 pixels need many passes over few images, clean ones few passes."""
        if data == "digits":
            return TrainingRecipe(epochs=30, batch_size=32, learning_rate=3e-3, weight_decay=5e-2, shift=1)
        flip = data == "fashion-mnist"
        epochs = 8 if data == "mnist" else 20
        return TrainingRecipe(epochs=epochs, learning_rate=1e-2, weight_decay=5e-2, label_smoothing=0.1, shift=2, flip=flip, bf16=True)
