"""What a reference model must be: a network that can be built for any input size, with its training recipes.

A new model is one file in this folder with a `Model`; ``tests/models/contract.py`` is the test that every model passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is trained. ``learning_rate`` is the peak of a one-cycle schedule (Smith and Topin 2018), ``patience`` the
    epochs without a lower validation loss after which training stops (0: never), ``shift`` the pixels of random
    translation, ``flip`` random mirroring, ``gradient_norm`` the clipping bound, ``bf16`` mixed precision.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    gradient_norm: float = 1.0
    patience: int = 0
    shift: int = 0
    flip: bool = False
    bf16: bool = False
    seed: int = 0


class Model(ABC):
    """A reference model. ``paper`` names its source."""

    name: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[str]

    @abstractmethod
    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """An initialised network: images ``[B, C, H, W]`` float32 -> logits ``[B, classes]`` float32."""

    @abstractmethod
    def recipe(self, data: str) -> TrainingRecipe:
        """The full recipe for a data set by name; a default for one that it does not know."""
