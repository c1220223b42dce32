"""Generative adversarial networks: images from noise, learned against a network that tells them from real ones."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar

from toolkit.core import needs

from ._layers import check_images, cut, pixels_to_inputs
from .base import Generator, TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from toolkit.core import Preprocessing

_SLOPE = 0.2
_WIDTHS = (64, 32)
_CLASS = 16  # numbers that stand for a class


class Gan(Generator):
    """Two networks of two hidden layers each, the generator's with batch normalisation (Ioffe and Szegedy 2015)."""

    name = "gan"
    summary = "generator 256 - 512, discriminator 512 - 256, fully connected"
    paper = "Goodfellow et al. 2014, Generative Adversarial Networks"

    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing, classes: int) -> nn.Module:  # noqa: ARG002
        """Both networks for images of any size."""
        check_images(input_shape, least=1)
        with needs("train"):
            from torch import nn
        pixels = math.prod(input_shape)
        generator = nn.Sequential(
            nn.Linear(self.noise, 256, bias=False),
            nn.BatchNorm1d(256),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(256, 512, bias=False),
            nn.BatchNorm1d(512),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(512, pixels),
            nn.Sigmoid(),
            nn.Unflatten(1, input_shape),
            pixels_to_inputs(preprocessing, input_shape[0]),
        )
        discriminator = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, 512),
            nn.LeakyReLU(_SLOPE),
            nn.Dropout(0.3),
            nn.Linear(512, 256),
            nn.LeakyReLU(_SLOPE),
            nn.Dropout(0.3),
            nn.Linear(256, 1),
            nn.Flatten(0),
        )
        return _both(generator, discriminator)

    def recipe(self, data: str) -> TrainingRecipe:
        """Both learn at one pace, without decay; the epoch with the smallest Fréchet distance is kept."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=4e-4, weight_decay=0.0, gradient_norm=10.0)
        return TrainingRecipe(epochs=20, learning_rate=3e-4, weight_decay=0.0, gradient_norm=10.0)


class DcGan(Generator):
    """Transposed convolutions with batch normalisation against strided convolutions (section 3)."""

    name = "dcgan"
    summary = "transposed convolutions against strided ones, batch norm"
    paper = "Radford, Metz and Chintala 2016, Unsupervised Representation Learning with Deep Convolutional GANs"
    normalised: ClassVar[bool] = True

    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing, classes: int) -> nn.Module:
        """Both networks for images of at least 4 x 4 pixels, which are halved and doubled twice; what is too much is cut off."""
        check_images(input_shape, least=4)
        with needs("train"):
            import torch
            from torch import nn
        channels, height, width = input_shape
        first, second = _WIDTHS
        rows, columns = math.ceil(height / 4), math.ceil(width / 4)
        given = _CLASS if self.conditional else 0
        normalised = self.normalised

        class Inventor(nn.Module):  # type: ignore[misc]
            """Noise, a small image of many channels, the image."""

            def __init__(self, noise: int) -> None:
                super().__init__()
                self.classes = nn.Embedding(classes, _CLASS) if given else None
                self.body = nn.Sequential(
                    nn.Linear(noise + given, first * rows * columns, bias=False),
                    nn.BatchNorm1d(first * rows * columns),
                    nn.ReLU(),
                    nn.Unflatten(1, (first, rows, columns)),
                    nn.ConvTranspose2d(first, second, 4, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(second),
                    nn.ReLU(),
                    nn.ConvTranspose2d(second, channels, 4, stride=2, padding=1),
                    nn.Sigmoid(),
                    cut(height, width),
                    pixels_to_inputs(preprocessing, channels),
                )

            def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
                if self.classes is not None:
                    noise = torch.cat([noise, self.classes(label)], dim=1)
                return self.body(noise)

        class Judge(nn.Module):  # type: ignore[misc]
            """An image, with a plane for its class, to one number."""

            def __init__(self) -> None:
                super().__init__()
                self.planes = nn.Embedding(classes, height * width) if given else None
                size = (second, (height + 1) // 2, (width + 1) // 2)
                self.body = nn.Sequential(
                    nn.Conv2d(channels + (1 if given else 0), second, 3, stride=2, padding=1),
                    nn.LeakyReLU(_SLOPE),
                    nn.Conv2d(second, first, 3, stride=2, padding=1, bias=not normalised),
                    nn.BatchNorm2d(first) if normalised else nn.Identity(),
                    nn.LeakyReLU(_SLOPE),
                    nn.Flatten(),
                    nn.Linear(first * ((size[1] + 1) // 2) * ((size[2] + 1) // 2), 1),
                    nn.Flatten(0),
                )

            def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
                if self.planes is not None:
                    image = torch.cat([image, self.planes(label).unflatten(1, (1, height, width))], dim=1)
                return self.body(image)

        return _both(Inventor(self.noise), Judge())

    def recipe(self, data: str) -> TrainingRecipe:
        """As in section 3 of the paper, with the learning rate of more than one pass over small images."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=5e-4, weight_decay=0.0, gradient_norm=10.0)
        return TrainingRecipe(epochs=8, learning_rate=5e-4, weight_decay=0.0, gradient_norm=10.0)


class ConditionalGan(DcGan):
    """The same networks, which both are told the class."""

    name = "conditional-gan"
    summary = "transposed convolutions against strided ones, both told the class"
    paper = "Mirza and Osindero 2014, Conditional Generative Adversarial Nets"
    conditional = True


class WassersteinGan(DcGan):
    """A critic whose score is no probability and whose gradient is held near 1; it learns five times as often (algorithm 1)."""

    name = "wgan-gp"
    summary = "transposed convolutions against a critic with a gradient penalty"
    paper = "Gulrajani et al. 2017, Improved Training of Wasserstein GANs"
    normalised = False  # section 4: a penalty for each image forbids normalisation over the batch
    every = 5
    betas = (0.0, 0.9)
    penalty: ClassVar[float] = 10.0

    def discriminator_loss(self, module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The critic's loss with the penalty (equation 3)."""
        import torch

        with torch.no_grad():
            sampled = self.sample(module, labels)
        share = torch.rand(len(images), 1, 1, 1, device=images.device)
        between = (share * images + (1 - share) * sampled).requires_grad_()
        (slope,) = torch.autograd.grad(self.judge(module, between, labels).sum(), between, create_graph=True)
        steepness = slope.flatten(1).norm(dim=1)
        gap = self.judge(module, sampled, labels).mean() - self.judge(module, images, labels).mean()
        return gap + self.penalty * (steepness - 1).square().mean()

    def generator_loss(self, module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG002
        """What the critic should like."""
        return -self.judge(module, self.sample(module, labels), labels).mean()

    def recipe(self, data: str) -> TrainingRecipe:
        """The generator learns at every fifth step, so that it needs more of them."""
        if data == "digits":
            return TrainingRecipe(epochs=150, batch_size=32, learning_rate=5e-4, weight_decay=0.0, gradient_norm=100.0)
        return TrainingRecipe(epochs=10, learning_rate=5e-4, weight_decay=0.0, gradient_norm=100.0)


def _both(generator: nn.Module, discriminator: nn.Module) -> nn.Module:
    """A module of the two, with small normal weights (section 3 of Radford et al.), which every variant starts from."""
    from torch import nn

    module = nn.Sequential(OrderedDict(generator=generator, discriminator=discriminator))
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return module
