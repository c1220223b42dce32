"""A training in progress: epochs, validation, the best weights, and the checkpoint that it goes on from."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from toolkit.core import Artifact, DataError, InputError, Samples, make_folder, write_file
from toolkit.models.base import Generator, Model, Predictor, TrainingRecipe
from toolkit.models.data import DataSet, ImageSet
from toolkit.models.data._split import stratified

from .augment import augment
from .checkpoint import CHECKPOINT, Checkpoint, EpochMetrics, Standing
from .evaluate import Score, score_of
from .fake_quantization import FakeQuantization, check_quantizable
from .frechet import FeatureExtractor
from .learner import Learner, device_here, seed_everything
from .weights import start_from

if TYPE_CHECKING:
    from torch import Tensor

METRICS = "metrics.jsonl"
_LARGEST_VALIDATION = 3000


@dataclass(frozen=True)
class EpochProgress:
    """Where a training stands: the epoch and step just done, the step's loss, the model's metric in the last validation (None before
    the first), and the seconds since the call. ``qat`` says whether these epochs are quantization-aware ones, which are counted anew.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    quality: float | None
    seconds: float
    qat: bool = False


class TrainingRun:
    """A training in progress.

    Args:
        model: what is trained.
        data: on what.
        samples: those of the training split that it may learn from.
        data_folder: where the user keeps the data.
        recipe: how.
        folder: for the checkpoint and the metrics after each epoch; None writes nothing.
        start: whose weights are the first ones, but for the last layer's.
        weights: all weights, where an earlier run ended.
        qat: whether this run is quantization-aware.
        extractor: of the features by which a generator is judged; None for other models.
        validation: the rows of `samples` that are not learned from, ascending; None takes a tenth of each class.
    """

    def __init__(
        self,
        model: Model,
        data: DataSet,
        samples: Samples,
        data_folder: Path | None,
        *,
        recipe: TrainingRecipe,
        folder: Path | None = None,
        start: Artifact | None = None,
        weights: Mapping[str, Tensor] | None = None,
        qat: bool = False,
        extractor: FeatureExtractor | None = None,
        validation: np.ndarray | None = None,
    ) -> None:
        import torch

        assert samples.targets is not None, "a data set is labelled"
        if len(samples) < 20:
            raise DataError(f"'{samples.origin}' is too small to train on", expected="at least 20 samples", got=str(len(samples)))
        check_recipe(recipe)
        self._model, self.recipe, self.folder = model, recipe, folder
        self.identity = {"model": model.name, "data": f"{data.name} of {len(samples)} samples", **_words(recipe)}
        if start is not None:
            self.identity["start"] = start.manifest.content_sha256
        held_out = validation
        if held_out is None:
            held_out = stratified(samples.targets, min(_LARGEST_VALIDATION, len(samples) // 10), seed=recipe.seed)
        rest = np.setdiff1d(np.arange(len(samples)), held_out)
        self.validation = samples.rows(held_out)
        self.batch_size = min(recipe.batch_size, len(rest))
        self.steps = len(rest) // self.batch_size
        seed_everything(recipe.seed, 0)
        module = model.module(data, data_folder)
        if start is not None:
            start_from(module, start, freeze=recipe.freeze)
        if recipe.qat_epochs:
            check_quantizable(module)  # before an epoch is lost
        self._pretrains = weights is None
        if weights is not None:
            module.load_state_dict(weights)
            self.identity["weights"] = _digest(weights)
        self._fake_quantization = FakeQuantization(module) if qat else None
        if folder is not None:
            make_folder(folder)  # now, and not when the first epoch is lost
        self.learner = Learner(model, module, recipe, steps=self.steps * recipe.epochs, device=device_here())
        device = self.learner.device
        (inputs,) = samples.inputs.values()
        self.inputs = torch.from_numpy(inputs[rest]).to(device)
        self.targets = torch.from_numpy(samples.targets[rest]).to(device)
        self.fill = None
        if isinstance(data, ImageSet):
            black = [(0.0 - mean) / std for mean, std in zip(data.preprocessing.mean, data.preprocessing.std, strict=True)]
            self.fill = torch.tensor(black, dtype=torch.float32, device=device).expand(data.input_shape[0])
        assert (extractor is not None) == isinstance(model, Generator), "a generator is judged by features, and nothing else"
        self._extractor = extractor
        self.metrics: list[EpochMetrics] = []
        self.best_weights: dict[str, Tensor] = {}

    @property
    def is_done(self) -> bool:
        """Whether every epoch was done, or `patience` epochs brought nothing better (Prechelt 1998)."""
        done = len(self.metrics)
        return done >= self.recipe.epochs or (
            0 < self.recipe.patience <= done and done - lowest(self.metrics).epoch >= self.recipe.patience
        )

    @property
    def best(self) -> EpochMetrics:
        """The epoch whose weights will be used."""
        return chosen(self.metrics)

    def finish(self, on_progress: Callable[[EpochProgress], None] | None = None, *, started: float, resume: bool) -> int:
        """Train to the end and leave the best weights in the network; with `resume` from the last checkpoint, if there is one.

        Returns how many epochs were done by earlier calls.
        """
        if resume:
            self.resume()
        resumed = len(self.metrics)
        while not self.is_done:
            self.epoch(on_progress, started)
        self.use_best()
        return resumed

    def score(self, samples: Samples) -> Score:
        """How good the network is now."""
        model, module = self._model, self.learner.module
        if self._extractor is not None and isinstance(model, Generator):
            return Score(self._extractor.distance(model, module, samples), 0.0)
        assert isinstance(model, Predictor)
        return score_of(model, module, samples)

    def epoch(self, on_progress: Callable[[EpochProgress], None] | None = None, started: float = 0.0) -> EpochMetrics:
        """One pass over the data in a new order; a rest smaller than a batch is left out, batch normalisation needs full ones."""
        import torch

        number = len(self.metrics) + 1
        began = time.perf_counter()
        if number == 1 and self._pretrains:
            self._model.pretrain(self.learner.module, self.inputs, self.recipe)
        seed_everything(self.recipe.seed, number)
        order = torch.randperm(len(self.inputs))
        total = 0.0
        for step in range(self.steps):
            rows = order[step * self.batch_size : (step + 1) * self.batch_size].to(self.inputs.device)
            inputs = self.inputs[rows]
            if self.fill is not None:
                inputs = augment(inputs, shift=self.recipe.shift, flip=self.recipe.flip, fill=self.fill)
            rate = self.learner.learning_rate
            loss = self.learner.step(inputs, self.targets[rows], where=f" in epoch {number}, step {step + 1}")
            total += loss
            if on_progress:
                known = self.quality(self.metrics[-1]) if self.metrics else None
                seconds = time.perf_counter() - started
                qat = self._fake_quantization is not None
                on_progress(EpochProgress(number, self.recipe.epochs, step + 1, self.steps, loss, known, seconds, qat))
        score = self.score(self.validation)
        seconds = time.perf_counter() - began
        self.metrics.append(EpochMetrics(number, total / self.steps, score.loss, score.loss_error, score.accuracy, rate, seconds))
        if self.best.epoch == number:
            self.best_weights = {name: value.detach().clone() for name, value in self.learner.module.state_dict().items()}
        if self.folder is not None:
            self._save(self.folder)
        return self.metrics[-1]

    def quality(self, epoch: EpochMetrics) -> float:
        """How good the network was after an epoch, in its own metric."""
        return self._model.quality(epoch.validation_loss, epoch.validation_accuracy)

    def use_best(self) -> None:
        """Give the network the weights of its best epoch, after a quantization-aware run as they were rounded; nothing is learned then."""
        self.learner.module.load_state_dict(self.best_weights)
        if self._fake_quantization is not None:
            self._fake_quantization.remove()

    def _save(self, folder: Path) -> None:
        standing = Standing(self.identity, tuple(self.metrics), self.learner.settings())
        best = {f"best.{name}": value for name, value in self.best_weights.items()}
        Checkpoint(standing, {**self.learner.tensors(), **best}).save(folder / CHECKPOINT)
        write_file(folder / METRICS, b"".join(msgspec.json.encode(each) + b"\n" for each in self.metrics))

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one; raises `InputError` when it is of another model, data set or recipe."""
        file = None if self.folder is None else self.folder / CHECKPOINT
        if file is None or not file.is_file():
            return
        checkpoint = Checkpoint.load(file)
        standing = checkpoint.standing
        for key, mine in self.identity.items():
            if standing.identity.get(key) != mine:
                raise InputError(
                    f"'{file}' was trained with another {key.replace('_', ' ')}",
                    expected=mine,
                    got=standing.identity.get(key, "nothing"),
                    hint="give the same options, another --out, or train again with --overwrite",
                )
        self.learner.restore(weights=checkpoint.group("model"), moments=checkpoint.group("optimizer"), settings=standing.settings)
        self.best_weights = checkpoint.group("best")
        self.metrics = list(standing.metrics)


def lowest(metrics: Sequence[EpochMetrics]) -> EpochMetrics:
    """The epoch with the lowest validation loss, which tells networks apart where the accuracy of few samples is a tie or luck."""
    return min(metrics, key=lambda each: each.validation_loss)


def chosen(metrics: Sequence[EpochMetrics]) -> EpochMetrics:
    """The latest epoch within one standard error of the lowest validation loss (Breiman et al. 1984, section 3.4.3).

    A one-cycle schedule is best at its end; an earlier epoch must be better by more than the split's noise to win.
    """
    least = lowest(metrics)
    bound = least.validation_loss + least.validation_loss_error
    return max((each for each in metrics if each.validation_loss <= bound), key=lambda each: each.epoch)


def _words(recipe: TrainingRecipe) -> dict[str, str]:
    """What decides a run; the quantization-aware one that follows does not, so that it can be added to a training that is done."""
    return {key: str(value) for key, value in asdict(recipe).items() if key != "qat_epochs"}


def _digest(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in weights.items():
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def check_recipe(recipe: TrainingRecipe) -> None:
    """Raise `InputError` for a number that cannot be used."""
    least = {"epochs": 1, "batch_size": 2, "patience": 0, "shift": 0, "weight_decay": 0, "l1": 0, "few": 0, "qat_epochs": 0, "seed": 0}
    for key, value in least.items():
        if getattr(recipe, key) < value:
            raise InputError(f"recipe's {key.replace('_', ' ')}", expected=f"at least {value}", got=str(getattr(recipe, key)))
    # Beyond these torch's own numbers overflow, or a shifted image no longer fits into memory.
    most: dict[str, float] = {"epochs": 10**6, "qat_epochs": 10**6, "batch_size": 10**6, "patience": 10**6, "shift": 64, "seed": 2**63 - 1}
    most |= dict.fromkeys(("learning_rate", "weight_decay", "l1", "gradient_norm"), 3e38)
    for name, bound in most.items():
        if getattr(recipe, name) > bound:
            raise InputError(f"recipe's {name.replace('_', ' ')}", expected=f"at most {bound}", got=str(getattr(recipe, name)))
    for key in ("learning_rate", "gradient_norm"):
        if not getattr(recipe, key) > 0:
            raise InputError(f"recipe's {key.replace('_', ' ')}", expected="more than 0", got=str(getattr(recipe, key)))
    if not 0 <= recipe.label_smoothing < 1:
        raise InputError("recipe's label smoothing", expected="at least 0 and below 1", got=str(recipe.label_smoothing))
