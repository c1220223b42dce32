"""What a reference model must be: a network that can be built for any data set of its kind, with its training recipes.

A new model is one file in this folder with an `ImageClassifier` or a `TextClassifier`; ``tests/models/contract.py`` is the test that
every model passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from toolkit.core import InputError

from .data.base import DataSet, ImageSet, TextSet

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
    """A reference model. ``paper`` names its source, ``data`` the data set that it is trained on where no other is named."""

    name: ClassVar[str]
    summary: ClassVar[str]
    paper: ClassVar[str]
    data: ClassVar[str]

    @abstractmethod
    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:
        """An initialised network for a data set, which lies in `folder`; raises `InputError` for one of another kind."""

    @abstractmethod
    def recipe(self, data: str) -> TrainingRecipe:
        """The full recipe for a data set by name; a default for one that it does not know."""

    def _refuse(self, data: DataSet, wanted: str) -> InputError:
        return InputError(f"model '{self.name}' takes {wanted}", got=f"'{data.name}': {data.summary}", hint="toolkit data lists the sets")


class ImageClassifier(Model):
    """A network that tells classes of images apart."""

    data = "digits"

    @abstractmethod
    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """An initialised network: images ``[B, C, H, W]`` float32 -> logits ``[B, classes]`` float32."""

    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:  # noqa: ARG002 - the shape is known without the files
        """The network for the images of a set."""
        if not isinstance(data, ImageSet):
            raise self._refuse(data, "images")
        return self.build(data.input_shape, len(data.labels))


class TextClassifier(Model):
    """A network that tells classes of texts apart."""

    data = "movie-reviews"

    @abstractmethod
    def build(self, tokens: int, classes: int) -> nn.Module:
        """An initialised network: token numbers ``[B, L]`` int64, each below `tokens`, 0 where the text has ended -> logits
        ``[B, classes]`` float32.
        """

    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:
        """The network for the texts of a set, whose words are counted for that."""
        if not isinstance(data, TextSet):
            raise self._refuse(data, "texts")
        return self.build(data.vocabulary(folder).tokens, len(data.labels))
