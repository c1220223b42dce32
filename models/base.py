"""What a reference model must be: a network that can be built for any data set of its kind, what it learns, and its recipes.

A new model is one file in this folder with an `ImageClassifier`, a `TextClassifier`, an `Autoencoder` or a `Generator`;
``tests/models/contract.py`` is the test that every model passes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from toolkit.core import InputError, Preprocessing, Scalar, Signature, TensorSpec, needs

from .baselines import Baseline, tf_idf
from .data.base import DataSet, ImageSet, TextSet

if TYPE_CHECKING:
    from torch import Tensor, nn

Kind = TypeVar("Kind", bound=DataSet)


@dataclass(frozen=True)
class TrainingRecipe:
    """How a network is trained. ``learning_rate`` is the peak of a one-cycle schedule (Smith and Topin 2018), ``patience`` the
    epochs without a lower validation loss after which training stops (0: never), ``shift`` the pixels of random
    translation, ``flip`` random mirroring, ``gradient_norm`` the clipping bound, ``bf16`` mixed precision, ``compile`` torch.compile
    for the steps, ``weight_decay`` what AdamW takes from each weight beside the gradient's step (L2), ``l1`` what the sum of all
    weights' sizes adds to the loss. ``few`` samples of each class are all that is learned from (0: all of them), ``hold_out`` is a
    label that is not learned at all, and ``freeze`` keeps the weights that a training starts from, but for the last layer's. After all that
    come ``qat_epochs`` of quantization-aware training.
    """

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    l1: float = 0.0
    label_smoothing: float = 0.0
    gradient_norm: float = 1.0
    patience: int = 0
    shift: int = 0
    flip: bool = False
    bf16: bool = False
    compile: bool = False
    few: int = 0
    hold_out: str = ""
    freeze: bool = False
    qat_epochs: int = 0
    seed: int = 0


@dataclass(frozen=True)
class OptimizerStep:
    """One of the steps that a batch brings: a loss that moves the weights of one part of the network and no others.

    Attributes:
        module: the part whose weights move.
        loss: of inputs ``[B, ...]`` and targets ``[B]``.
        every: it is taken at every so many batches.
        betas: of Adam; where they are given, the learning rate falls in a line instead of a cycle.
    """

    module: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    every: int = 1
    betas: tuple[float, float] | None = None


@dataclass(frozen=True)
class Export:
    """A network that becomes an artifact.

    Attributes:
        part: empty for the model's own bundle, else what its bundle's name adds: ``<model>-<part>``.
        module: the network.
        signature: what it takes and gives.
        details: what its manifest keeps besides.
        task: what its outputs mean, where it is another than the model's.
    """

    part: str
    module: nn.Module
    signature: Signature
    details: Mapping[str, Scalar] = field(default_factory=dict)
    task: str = ""


class Model(ABC):
    """A reference model."""

    name: ClassVar[str]
    """Short, for options and folders: ``cnn``."""
    summary: ClassVar[str]
    """What it is, in a line."""
    paper: ClassVar[str]
    """Its source."""
    data: ClassVar[str]
    """The data set that it is trained on where no other is named."""
    metric: ClassVar[str]
    """What it is judged by on test data."""
    task: ClassVar[str] = "any"
    """What its outputs mean, as `toolkit.tasks` names it."""

    @abstractmethod
    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:
        """An initialised network for a data set, which lies in `folder`; raises `InputError` for one of another kind."""

    @abstractmethod
    def recipe(self, data: str) -> TrainingRecipe:
        """The full recipe for a data set by name; a default for one that it does not know."""

    @abstractmethod
    def signature(self, data: DataSet) -> Signature:
        """What the network for a data set takes and gives."""

    @abstractmethod
    def optimizer_steps(self, module: nn.Module, recipe: TrainingRecipe) -> tuple[OptimizerStep, ...]:
        """The parts of the network that learn with a loss each, in the order of their steps."""

    def pretrain(self, module: nn.Module, inputs: Tensor, recipe: TrainingRecipe) -> None:  # noqa: B027 - most have nothing to do
        """What comes before the first epoch, on all training inputs ``[N, ...]``: by default nothing."""

    def quality(self, loss: float, accuracy: float | None) -> float:  # noqa: ARG002 - only a classifier has an accuracy
        """What the model's own metric is, of the mean of its errors and the share of right answers: by default that mean."""
        return loss

    def exports(self, module: nn.Module, data: DataSet) -> tuple[Export, ...]:
        """What a trained network leaves; the first is the model itself."""
        return (Export("", module, self.signature(data)),)

    def baseline(self, module: nn.Module, data: DataSet, folder: Path | None = None) -> Baseline | None:  # noqa: ARG002
        """What a classic method reaches where this network, trained, must be compared with one; None elsewhere."""
        return None

    def _checked(self, data: DataSet, kind: type[Kind], wanted: str) -> Kind:
        """The data set as one of this kind; raises `InputError`."""
        if not isinstance(data, kind):
            raise InputError(
                f"model '{self.name}' takes {wanted}", got=f"'{data.name}': {data.summary}", hint="toolkit data lists the sets"
            )
        return data

    def _images(self, data: DataSet) -> ImageSet:
        return self._checked(data, ImageSet, "images")


class Predictor(Model):
    """A network with one loss, and answers that can be right or wrong."""

    @abstractmethod
    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:
        """What training makes small, a scalar: of a batch ``[B, ...]`` with targets ``[B]`` int64, for a network in training mode."""

    @abstractmethod
    def errors(self, outputs: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """How wrong each answer is, ``[B]``, the smaller the better: what validation compares epochs by. `outputs` are the network's
        first ones in evaluation mode.
        """

    def optimizer_steps(self, module: nn.Module, recipe: TrainingRecipe) -> tuple[OptimizerStep, ...]:
        """The whole network."""
        return (OptimizerStep(module, lambda inputs, targets: self.loss(module, inputs, targets, recipe)),)


class Classifier(Predictor):
    """A network that tells classes apart: its output are logits ``[B, classes]``."""

    metric = "accuracy"
    task = "classification"

    def quality(self, loss: float, accuracy: float | None) -> float:  # noqa: ARG002 - that is what training makes small
        """The share of right answers."""
        assert accuracy is not None, "a classifier's answers are right or wrong"
        return accuracy

    def signature(self, data: DataSet) -> Signature:
        """The data set's own."""
        return data.signature

    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:
        """The mean cross-entropy in nats, with the recipe's label smoothing (Szegedy et al. 2016, section 7)."""
        with needs("train"):
            from torch.nn.functional import cross_entropy
        return cross_entropy(module(inputs).float(), targets, label_smoothing=recipe.label_smoothing)

    def errors(self, outputs: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002
        """The cross-entropy in nats."""
        with needs("train"):
            from torch.nn.functional import cross_entropy
        return cross_entropy(outputs.double(), targets, reduction="none")


class ImageClassifier(Classifier):
    """A network that tells classes of images apart."""

    data = "digits"

    @abstractmethod
    def build(self, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """An initialised network: images ``[B, C, H, W]`` float32 -> logits ``[B, classes]`` float32."""

    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:  # noqa: ARG002 - the shape is known without the files
        """The network for the images of a set."""
        images = self._images(data)
        return self.build(images.input_shape, len(images.labels))


class TextClassifier(Classifier):
    """A network that tells classes of texts apart."""

    data = "movie-reviews"

    @abstractmethod
    def build(self, tokens: int, classes: int) -> nn.Module:
        """An initialised network: token numbers ``[B, L]`` int64, each below `tokens`, 0 where the text has ended -> logits
        ``[B, classes]`` float32.
        """

    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:
        """The network for the texts of a set, whose words are counted for that."""
        texts = self._texts(data)
        return self.build(texts.vocabulary(folder).tokens, len(texts.labels))

    def baseline(self, module: nn.Module, data: DataSet, folder: Path | None = None) -> Baseline:  # noqa: ARG002
        """Logistic regression on the same texts."""
        return tf_idf(self._texts(data), folder)

    def _texts(self, data: DataSet) -> TextSet:
        return self._checked(data, TextSet, "texts")


class Autoencoder(Predictor):
    """A network that gives back the image that it gets, through a form with fewer or with more restricted numbers."""

    data = "digits"
    metric = "reconstruction error"
    task = "autoencoding"

    @abstractmethod
    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing) -> nn.Module:
        """An initialised network for images that were prepared so: ``[B, C, H, W]`` float32 -> the same shape, then what else it gives."""

    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:  # noqa: ARG002 - the shape is known without the files
        """The network for the images of a set."""
        images = self._images(data)
        return self.build(images.input_shape, images.preprocessing)

    def signature(self, data: DataSet) -> Signature:
        """``image`` ``[batch, C, H, W]`` -> ``reconstruction``, the same."""
        (image,) = data.signature.inputs
        return Signature((image,), (TensorSpec("reconstruction", image.dtype, image.shape, image.layout),))

    def loss(self, module: nn.Module, inputs: Tensor, targets: Tensor, recipe: TrainingRecipe) -> Tensor:  # noqa: ARG002
        """The mean of `errors`."""
        return self.errors(module(inputs).float(), inputs, targets).mean()

    def errors(self, outputs: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002
        """The mean squared error over the pixels of each image, in prepared units: 1 is about the variance of the data."""
        return (outputs - inputs).square().flatten(1).mean(dim=1)


class Generator(Model):
    """A network that samples images from noise, learned against another that tells them from real ones (Goodfellow et al. 2014).

    ``noise`` is how many numbers an image is made of; a ``conditional`` one takes the class besides.
    """

    data = "digits"
    metric = "Fréchet distance"
    task = "generation"
    noise: ClassVar[int] = 64
    conditional: ClassVar[bool] = False
    every: ClassVar[int] = 1
    betas: ClassVar[tuple[float, float]] = (0.5, 0.999)

    @abstractmethod
    def build(self, input_shape: tuple[int, int, int], preprocessing: Preprocessing, classes: int) -> nn.Module:
        """An initialised module of ``generator``: noise ``[B, noise]`` float32, with `conditional` and classes ``[B]`` int64 -> prepared
        images, and ``discriminator``: images, and the same classes -> ``[B]``, larger for real ones.
        """

    def module(self, data: DataSet, folder: Path | None = None) -> nn.Module:  # noqa: ARG002 - the shape is known without the files
        """Both networks for the images of a set."""
        images = self._images(data)
        return self.build(images.input_shape, images.preprocessing, len(images.labels))

    def signature(self, data: DataSet) -> Signature:
        """``noise`` ``[batch, noise]``, and ``label`` ``[batch]`` int64 -> ``image``."""
        (image,) = data.signature.inputs
        return Signature((TensorSpec("noise", "float32", ("batch", self.noise)), *self._labels()), (image,))

    def _labels(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("label", "int64", ("batch",)),) if self.conditional else ()

    def optimizer_steps(self, module: nn.Module, recipe: TrainingRecipe) -> tuple[OptimizerStep, ...]:  # noqa: ARG002
        """The discriminator, then the generator, at every `every`-th step."""
        return (
            OptimizerStep(module.discriminator, lambda images, labels: self.discriminator_loss(module, images, labels), betas=self.betas),
            OptimizerStep(module.generator, lambda images, labels: self.generator_loss(module, images, labels), self.every, self.betas),
        )

    def exports(self, module: nn.Module, data: DataSet) -> tuple[Export, ...]:
        """The generator, and the discriminator beside it."""
        (image,) = data.signature.inputs
        judged = Signature((image, *self._labels()), (TensorSpec("score", "float32", ("batch",)),))
        details: dict[str, Scalar] = {"classes": len(data.labels)}
        return (
            Export("", module.generator, self.signature(data), details),
            Export("discriminator", module.discriminator, judged, details, task="any"),
        )

    def sample(self, module: nn.Module, labels: Tensor) -> Tensor:
        """New images, one for each label ``[B]``, from the global generator's noise."""
        import torch

        noise = torch.randn(len(labels), self.noise, device=labels.device)
        images: Tensor = module.generator(noise, *self._given(labels))
        return images

    def judge(self, module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """How real images look, ``[B]``."""
        score: Tensor = module.discriminator(images, *self._given(labels))
        return score

    def _given(self, labels: Tensor) -> tuple[Tensor, ...]:
        return (labels,) if self.conditional else ()

    def discriminator_loss(self, module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropy of real and sampled images (equation 1)."""
        import torch
        from torch.nn.functional import softplus

        with torch.no_grad():
            sampled = self.sample(module, labels)
        real, false = self.judge(module, images, labels), self.judge(module, sampled, labels)
        return softplus(-real.float()).mean() + softplus(false.float()).mean()

    def generator_loss(self, module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG002
        """What the discriminator should take for real (section 3, the form that does not saturate)."""
        from torch.nn.functional import softplus

        return softplus(-self.judge(module, self.sample(module, labels), labels).float()).mean()
