"""Sparse coding: patches of an image as sums of few atoms of a learned dictionary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core import Preprocessing, needs

from ._layers import check_images
from .base import Autoencoder, TrainingRecipe
from .baselines import Baseline, dictionary_learning
from .data.base import DataSet

if TYPE_CHECKING:
    from torch import Tensor, nn

SIDES = (8, 7, 6, 5, 4)  # of a patch: the first that divides the image
STEPS = 32
PENALTY = 1.0
_FIRST_ITERATIONS = 30
_MARGIN = 1.05
_BASELINE_PATCHES = 5_000


class SparseCoding(Autoencoder):
    """A dictionary with twice as many atoms as a patch has numbers, and an encoder of 32 unrolled steps of soft thresholding with momentum
    (Beck and Teboulle 2009) whose length follows the dictionary; each patch's mean is kept beside its code.
    """

    name = "sparse-coding"
    summary = f"a dictionary over patches, {STEPS} unrolled steps of soft thresholding"
    paper = "Gregor and LeCun 2010, Learning Fast Approximations of Sparse Coding"

    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing) -> nn.Module:  # noqa: ARG002
        """The network for images of at least 2 x 2 pixels; those that patches do not divide are filled up with zeros."""
        check_images(input_shape, least=2)
        return _network(Patches.of(input_shape))

    def recipe(self, data: str) -> TrainingRecipe:
        """A dictionary has few numbers: it is learned from a part of the patches in each pass."""
        if data == "digits":
            return TrainingRecipe(epochs=40, batch_size=32, learning_rate=1e-2, weight_decay=0.0)
        return TrainingRecipe(epochs=3, learning_rate=5e-3, weight_decay=0.0)

    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:  # noqa: ARG002
        """Half the squared error of a patch and `PENALTY` times the sum of its code's sizes (equation 1), the mean over patches."""
        patches = module.patches(inputs)
        code, mean = module.encode(patches)
        rest = patches - mean - code @ module.dictionary()
        return (rest.square().sum(dim=2) / 2 + PENALTY * code.abs().sum(dim=2)).mean()

    def baseline(self, module: nn.Module, data: DataSet, folder: Path | None = None) -> Baseline:
        """scikit-learn's dictionary of as many atoms, on the same patches with as many atoms for each in the mean."""
        import torch

        with torch.inference_mode():
            train, test = (
                [part.numpy() for part in self._patches(module, data.load(split, folder).inputs["image"])] for split in ("train", "test")
            )
        centred, active = test
        return dictionary_learning(train[0], centred, atoms=len(module.atoms), penalty=PENALTY, active=float(np.mean(active)))

    def _patches(self, module: nn.Module, images: np.ndarray) -> tuple[Tensor, Tensor]:
        """Centred patches ``[N, numbers]``, at most `_BASELINE_PATCHES` from all over the images, and how many atoms each uses ``[N]``."""
        import torch

        patches = module.patches(torch.from_numpy(images)).flatten(0, 1)
        chosen = patches[torch.randperm(len(patches), generator=torch.Generator().manual_seed(0))[:_BASELINE_PATCHES]]
        code, mean = module.encode(chosen.unsqueeze(0))
        return (chosen - mean[0]), (code[0] != 0).float().sum(dim=1)


@dataclass(frozen=True)
class Patches:
    """How images ``[B, C, H, W]`` fall into ``rows`` times ``columns`` squares of ``side`` pixels."""

    channels: int
    height: int
    width: int
    side: int

    @classmethod
    def of(cls, input_shape: tuple[int, int, int]) -> Patches:
        """With the first side of `SIDES` that divides both, or the first of all."""
        channels, height, width = input_shape
        return cls(channels, height, width, next((side for side in SIDES if height % side == 0 and width % side == 0), SIDES[0]))

    @property
    def numbers(self) -> int:
        """How many a patch has."""
        return self.channels * self.side**2

    @property
    def grid(self) -> tuple[int, int]:
        """How many rows and columns."""
        return math.ceil(self.height / self.side), math.ceil(self.width / self.side)

    def split(self, image: Tensor) -> Tensor:
        """``[B, patches, numbers]``."""
        from torch.nn.functional import pad

        (rows, columns), side = self.grid, self.side
        if (rows * side, columns * side) != (self.height, self.width):
            image = pad(image, (0, columns * side - self.width, 0, rows * side - self.height))
        return image.reshape(-1, self.channels, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    def join(self, patches: Tensor) -> Tensor:
        """The reverse."""
        (rows, columns), side = self.grid, self.side
        image = patches.reshape(-1, rows, columns, self.channels, side, side).permute(0, 3, 1, 4, 2, 5)
        return image.reshape(-1, self.channels, rows * side, columns * side)[:, :, : self.height, : self.width]


def _network(form: Patches) -> nn.Module:
    with needs("train"):
        import torch

    class Net(torch.nn.Module):  # type: ignore[misc]
        """Patches, codes, patches."""

        def __init__(self) -> None:
            super().__init__()
            self.atoms = torch.nn.Parameter(torch.randn(2 * form.numbers, form.numbers))
            self.register_buffer("direction", torch.ones(form.numbers) / math.sqrt(form.numbers))
            self.register_buffer("step", torch.ones(()))
            for _ in range(_FIRST_ITERATIONS):
                self.measure()

        def dictionary(self) -> Tensor:
            """Atoms ``[2 * numbers, numbers]`` of length 1."""
            return self.atoms / self.atoms.square().sum(dim=1, keepdim=True).sqrt()

        def measure(self) -> None:
            """The longest step that converges, by power iteration from where the last one ended (Miyato et al. 2018, section 2.1)."""
            with torch.no_grad():
                atoms = self.dictionary()
                image = (self.direction @ atoms.t()) @ atoms
                self.step.fill_(1 / (_MARGIN * image.norm()))
                self.direction.copy_(image / image.norm())

        def patches(self, image: Tensor) -> Tensor:
            """``[B, patches, numbers]``."""
            return form.split(image)

        def encode(self, patches: Tensor) -> tuple[Tensor, Tensor]:
            """The codes ``[B, patches, 2 * numbers]`` and the means ``[B, patches, 1]``."""
            mean = patches.mean(dim=2, keepdim=True)
            if self.training:
                self.measure()
            atoms, threshold = self.dictionary(), PENALTY * self.step
            # The first step goes out from nothing.
            code = _soft(self.step * ((patches - mean) @ atoms.t()), threshold)
            ahead, weight = code, 1.0
            for _ in range(STEPS - 1):
                last = code
                code = _soft(ahead + self.step * ((patches - mean - ahead @ atoms) @ atoms.t()), threshold)
                weight, before = (1 + math.sqrt(1 + 4 * weight**2)) / 2, weight
                ahead = code + (before - 1) / weight * (code - last)
            return code, mean

        def forward(self, image: Tensor) -> Tensor:
            code, mean = self.encode(form.split(image))
            return form.join(code @ self.dictionary() + mean)

    return Net()


def _soft(code: Tensor, threshold: Tensor) -> Tensor:
    """Nearer to zero by the threshold, and no further than zero."""
    return (code - threshold).relu() - (-code - threshold).relu()
