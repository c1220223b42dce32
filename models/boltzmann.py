"""Energy models: the restricted Boltzmann machine, and a deep belief net that is made of several."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import Preprocessing, Signature, TensorSpec, needs

from ._layers import check_images, check_sizes, pixels_to_inputs
from .base import Autoencoder, ImageClassifier, TrainingRecipe
from .data.base import DataSet

if TYPE_CHECKING:
    from torch import Tensor, nn

HIDDEN = 256
LAYERS = (500, 500)
_THRESHOLD = 0.5
_PRETRAINING_EPOCHS, _PRETRAINING_BATCH, _PRETRAINING_RATE = 5, 100, 0.05


class Rbm(Autoencoder):
    """256 hidden units over black and white pixels, learned by contrastive divergence in one step (Hinton 2002).

    What it ships gives back the probability of each pixel after one step to the hidden units' probabilities and back, and the
    free energy ``F(v) = - a v - sum softplus(c + W v)``, low for images like those it has learned (Hinton 2010, section 16).
    """

    name = "rbm"
    summary = f"{HIDDEN} hidden units over black and white pixels"
    paper = "Hinton 2002, Training Products of Experts by Minimizing Contrastive Divergence"

    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing) -> nn.Module:
        """The machine for images of any size."""
        check_images(input_shape, least=1)
        with needs("train"):
            import torch
        channels, height, width = input_shape
        machine = _machine(_layer(channels * height * width, HIDDEN))
        pixels = pixels_to_inputs(preprocessing, channels)

        class Net(torch.nn.Module):  # type: ignore[misc]
            """Prepared images in, prepared reconstructions and energies out."""

            def __init__(self) -> None:
                super().__init__()
                self.machine, self.pixels = machine, pixels

            def visible(self, image: Tensor) -> Tensor:
                """`_black_and_white` of prepared images."""
                return _black_and_white(self.pixels, image)

            def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
                seen = self.visible(image)
                back = self.machine.down(self.machine.up(seen))
                return self.pixels(back.unflatten(1, (channels, height, width))), self.machine.free_energy(seen)

        return Net()

    def recipe(self, data: str) -> TrainingRecipe:
        """Weight decay keeps the machine mixing (Hinton 2010, section 10)."""
        if data == "digits":
            return TrainingRecipe(epochs=60, batch_size=32, learning_rate=5e-3, weight_decay=1e-3, gradient_norm=10.0)
        return TrainingRecipe(epochs=10, learning_rate=2e-3, weight_decay=1e-3, gradient_norm=10.0)

    def signature(self, data: DataSet) -> Signature:
        """``image`` -> ``reconstruction``, and ``free_energy`` ``[batch]`` in nats."""
        plain = super().signature(data)
        return Signature(plain.inputs, (*plain.outputs, TensorSpec("free_energy", "float32", ("batch",))))

    def pretrain(self, module: nn.Module, inputs: Tensor, recipe: TrainingRecipe) -> None:  # noqa: ARG002
        """Each pixel's bias begins at its frequency (Hinton 2010, section 8.1)."""
        _begin_at_frequencies(module.machine, module.visible(inputs))

    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:  # noqa: ARG002
        """The contrastive divergence, whose gradient is that of the free energies' difference."""
        return _divergence(module.machine, module.visible(inputs))


class DeepBeliefNet(ImageClassifier):
    """Two layers of 500 sigmoids over black and white pixels: each is first learned as a machine on what the layer below gives, then all
    are fine-tuned with a linear head (section 6 of the paper, with back-propagation).
    """

    name = "dbn"
    summary = "2 x 500 sigmoids over black and white pixels, pre-trained layer by layer"
    paper = "Hinton, Osindero and Teh 2006, A Fast Learning Algorithm for Deep Belief Nets"

    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:  # noqa: ARG002 - the shape is known without the files
        """The network, which must know what black is."""
        images = self._images(data)
        return self.build(images.input_shape, len(images.labels), images.preprocessing)

    def build(self, input_shape: tuple[int, int, int], classes: int, preprocessing: Preprocessing | None = None) -> nn.Module:
        """The network for images of at least 2 x 2 pixels that were prepared so; by default not at all."""
        check_sizes(input_shape, classes, least=2)
        with needs("train"):
            import torch
        channels, height, width = input_shape
        sizes = (channels * height * width, *LAYERS)
        layers = [_layer(below, above) for below, above in pairwise(sizes)]
        pixels = pixels_to_inputs(preprocessing or Preprocessing(), channels)

        class Net(torch.nn.Module):  # type: ignore[misc]
            """Pixels, hidden layers, logits."""

            def __init__(self) -> None:
                super().__init__()
                self.pixels = pixels
                self.layers = torch.nn.ModuleList(layers)
                self.head = torch.nn.Linear(LAYERS[-1], classes)

            def visible(self, image: Tensor) -> Tensor:
                """`_black_and_white` of prepared images."""
                return _black_and_white(self.pixels, image)

            def forward(self, image: Tensor) -> Tensor:
                x = self.visible(image)
                for layer in self.layers:
                    x = torch.sigmoid(layer(x))
                return self.head(x)

        module = Net()
        torch.nn.init.xavier_uniform_(module.head.weight)
        torch.nn.init.zeros_(module.head.bias)
        return module

    def recipe(self, data: str) -> TrainingRecipe:
        """Fine-tuning is short: the layers know the images already."""
        if data == "digits":
            return TrainingRecipe(epochs=40, batch_size=32, learning_rate=3e-3, weight_decay=1e-2)
        return TrainingRecipe(epochs=10, learning_rate=2e-3, weight_decay=1e-2)

    def pretrain(self, module: nn.Module, inputs: Tensor, recipe: TrainingRecipe) -> None:
        """Each layer as a machine on the probabilities of the layer below, greedily, by stochastic gradient descent with momentum."""
        import torch

        with torch.no_grad():
            x = module.visible(inputs)
        for layer in module.layers:
            machine = _machine(layer).to(x.device)
            _begin_at_frequencies(machine, x)
            size = min(_PRETRAINING_BATCH, recipe.batch_size * 4, len(x))
            optimizer = torch.optim.SGD(machine.parameters(), lr=_PRETRAINING_RATE, momentum=0.5, weight_decay=2e-4)
            for _ in range(_PRETRAINING_EPOCHS):
                for rows in torch.randperm(len(x)).split(size):
                    optimizer.zero_grad()
                    _divergence(machine, x[rows]).backward()
                    optimizer.step()
            with torch.no_grad():
                x = machine.up(x)


def _black_and_white(pixels: nn.Module, image: Tensor) -> Tensor:
    """Prepared images as ``[B, C * H * W]`` of 0 and 1."""
    return (pixels.back(image) > _THRESHOLD).flatten(1).float()


def _layer(visible: int, hidden: int) -> nn.Linear:
    """With small weights, as a machine begins (Hinton 2010, section 8)."""
    with needs("train"):
        from torch import nn
    layer = nn.Linear(visible, hidden)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


def _machine(layer: nn.Linear) -> nn.Module:
    """A restricted Boltzmann machine of a layer and of biases for what it sees."""
    with needs("train"):
        import torch
        from torch.nn.functional import linear, softplus

    class Machine(torch.nn.Module):  # type: ignore[misc]
        """``hidden`` holds weights ``[hidden, visible]`` and the hidden biases."""

        def __init__(self) -> None:
            super().__init__()
            self.hidden = layer
            self.bias = torch.nn.Parameter(torch.zeros(layer.in_features))

        def up(self, seen: Tensor) -> Tensor:
            """The probability of each hidden unit, ``[B, hidden]``."""
            return torch.sigmoid(self.hidden(seen))

        def down(self, units: Tensor) -> Tensor:
            """The probability of each visible unit, ``[B, visible]``."""
            return torch.sigmoid(linear(units, self.hidden.weight.t(), self.bias))

        def free_energy(self, seen: Tensor) -> Tensor:
            """In nats, ``[B]``."""
            return -(seen * self.bias).sum(dim=1) - softplus(self.hidden(seen)).sum(dim=1)

    return Machine()


def _divergence(machine: nn.Module, seen: Tensor) -> Tensor:
    """Free energy of the data less that of the machine's own answer to them, which is held fixed."""
    import torch

    with torch.no_grad():
        answer = torch.bernoulli(machine.down(torch.bernoulli(machine.up(seen))))
    return machine.free_energy(seen).mean() - machine.free_energy(answer).mean()


def _begin_at_frequencies(machine: nn.Module, seen: Tensor) -> None:
    import torch

    with torch.no_grad():
        frequency = seen.mean(dim=0).clamp(0.01, 0.99)
        machine.bias.copy_(torch.logit(frequency))
