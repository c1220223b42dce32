"""Autoencoders: networks that give an image back through 32 numbers, or through few that are not zero."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar

from toolkit.core import Signature, TensorSpec, needs

from ._layers import check_images, cut, initialise, pixels_to_inputs
from .base import Autoencoder, Export, TrainingRecipe

if TYPE_CHECKING:
    from torch import Tensor, nn

    from toolkit.core import Preprocessing

    from .data.base import DataSet

CODE = 32
_SPARSE_CODE = 128
_WIDTHS = (16, 32)


class PlainAutoencoder(Autoencoder):
    """Two strided convolutions and a linear layer to the code; a linear layer and two transposed convolutions back."""

    name = "autoencoder"
    summary = f"convolutions to {CODE} numbers and back"
    paper = "Hinton and Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks"
    code: ClassVar[int] = CODE

    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing) -> nn.Module:
        """The network for images of at least 4 x 4 pixels, which are halved and doubled twice; what is too much is cut off."""
        check_images(input_shape, least=4)
        return _halves(input_shape, preprocessing, self.code, self.code)

    def recipe(self, data: str) -> TrainingRecipe:
        """Nothing is held back: the code is the regularisation."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=3e-3)
        return TrainingRecipe(epochs=10, learning_rate=3e-3)


class DenoisingAutoencoder(PlainAutoencoder):
    """The same network, which sees images with noise added and must give back the clean ones (section 2.3)."""

    name = "denoising-autoencoder"
    summary = f"convolutions to {CODE} numbers and back, learned on noisy images"
    paper = "Vincent et al. 2008, Extracting and Composing Robust Features with Denoising Autoencoders"
    noise: ClassVar[float] = 0.5

    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:  # noqa: ARG002
        """The error of what comes back from the image with Gaussian noise of this deviation, in prepared units."""
        import torch

        noisy = inputs + self.noise * torch.randn_like(inputs)
        return self.errors(module(noisy).float(), inputs, targets).mean()


class SparseAutoencoder(PlainAutoencoder):
    """A wide code of sigmoids, each of which shall be active for few images."""

    name = "sparse-autoencoder"
    summary = f"convolutions to {_SPARSE_CODE} sigmoids of which few are active, and back"
    paper = "Ng 2011, CS294A Lecture Notes: Sparse Autoencoder"
    code = _SPARSE_CODE
    active: ClassVar[float] = 0.05
    weight: ClassVar[float] = 1e-3

    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing) -> nn.Module:
        """The network for images of at least 4 x 4 pixels."""
        check_images(input_shape, least=4)
        with needs("train"):
            from torch import nn
        module = _halves(input_shape, preprocessing, self.code, self.code)
        module.encoder.append(nn.Sigmoid())
        return module

    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:  # noqa: ARG002
        """The error, and the divergence of each unit's mean activity over the batch from `active` (section 3)."""
        code = module.encoder(inputs)
        mean = code.float().mean(dim=0).clamp(1e-6, 1 - 1e-6)
        divergence = self.active * (self.active / mean).log() + (1 - self.active) * ((1 - self.active) / (1 - mean)).log()
        return self.errors(module.decoder(code).float(), inputs, targets).mean() + self.weight * divergence.sum()


class VariationalAutoencoder(PlainAutoencoder):
    """A code that is a normal distribution near the standard one: its mean reconstructs, a sample of it samples."""

    name = "variational-autoencoder"
    summary = f"convolutions to {CODE} means and variances, and back"
    paper = "Kingma and Welling 2014, Auto-Encoding Variational Bayes"
    variance: ClassVar[float] = 0.1

    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing) -> nn.Module:
        """The network for images of at least 4 x 4 pixels."""
        check_images(input_shape, least=4)
        with needs("train"):
            import torch
        halves = _halves(input_shape, preprocessing, 2 * self.code, self.code)

        class Net(torch.nn.Module):  # type: ignore[misc]
            """Decodes the mean; training draws from the distribution."""

            def __init__(self) -> None:
                super().__init__()
                self.encoder, self.decoder = halves.encoder, halves.decoder

            def forward(self, image: Tensor) -> Tensor:
                mean, _ = self.encoder(image).chunk(2, dim=1)
                return self.decoder(mean)

        return Net()

    def exports(self, module: nn.Module, data: DataSet) -> tuple[Export, ...]:
        """The reconstruction, and the decoder, which samples images from noise, beside it."""
        (image,) = data.signature.inputs
        sampled = Signature((TensorSpec("noise", "float32", ("batch", self.code)),), (image,))
        return (*super().exports(module, data), Export("decoder", module.decoder, sampled, task="generation"))

    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:  # noqa: ARG002
        """The negative evidence lower bound per pixel (equation 7) with a normal likelihood of this variance, scaled by twice it."""
        import torch

        mean, log_variance = module.encoder(inputs).float().chunk(2, dim=1)
        code = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        errors = self.errors(module.decoder(code).float(), inputs, targets)
        return (errors + 2 * self.variance * divergence / inputs[0].numel()).mean()


def _halves(input_shape: tuple[int, int, int], preprocessing: Preprocessing, code: int, given: int) -> nn.Module:
    """A module of ``encoder``, images -> ``[B, code]``, and ``decoder``, ``[B, given]`` -> images."""
    with needs("train"):
        from torch import nn
    channels, *size = input_shape
    first, second = _WIDTHS
    rows, columns = (math.ceil(each / 4) for each in size)
    inner = second * rows * columns
    encoder = nn.Sequential(
        nn.Conv2d(channels, first, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(inner, code),
    )
    decoder = nn.Sequential(
        nn.Linear(given, inner),
        nn.ReLU(),
        nn.Unflatten(1, (second, rows, columns)),
        # Padding by one on one side only, as a kernel of 3 needs here, is what TF Lite has no operator for.
        nn.ConvTranspose2d(second, first, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(first, channels, 4, stride=2, padding=1),
        nn.Sigmoid(),
        cut(size[0], size[1]),
        pixels_to_inputs(preprocessing, channels),
    )
    initialise(encoder, encoder[-1])
    initialise(decoder, decoder[-4])
    return nn.Sequential(OrderedDict(encoder=encoder, decoder=decoder))
