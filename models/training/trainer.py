"""From a model, a data set and a recipe to a self-contained artifact."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from toolkit.core import Artifact, DataError, Format, InputError, Precision, Samples, make_folder, needs, write_file
from toolkit.models.base import Model, TrainingRecipe
from toolkit.models.data import DataSet, ImageSet
from toolkit.models.data._split import stratified

from .augment import augment
from .checkpoint import CHECKPOINT, Checkpoint, EpochMetrics, Standing
from .evaluate import score_of
from .export import export_pt2
from .learner import Learner, device_here, reproducible, seed_everything

if TYPE_CHECKING:
    from torch import Tensor

METRICS = "metrics.jsonl"
_LARGEST_VALIDATION = 3000


@dataclass(frozen=True)
class Progress:
    """Where a training stands: the epoch and step just done, the step's loss, the last validation accuracy (None before the first),
    and the seconds since the call.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """A finished training. ``best`` is the epoch whose weights were exported, ``test_accuracy`` is theirs, a share;
    ``resumed_epochs`` were done by earlier calls; ``bf16`` says whether mixed precision was really used.
    """

    artifact: Artifact
    metrics: tuple[EpochMetrics, ...]
    best: EpochMetrics
    test_accuracy: float
    resumed_epochs: int
    device: str
    bf16: bool
    seconds: float


def train(
    model: Model,
    data: DataSet,
    *,
    recipe: TrainingRecipe,
    out: Path,
    data_folder: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train a network and write it into the bundle `out`.

    A checkpoint and the metrics are written to ``out/training`` after each epoch, the artifact to ``out/pt2-fp32`` at the end. An
    interrupted call leaves the last epoch's checkpoint; with `resume` the next one goes on from there, or starts if there is
    none, and ends with the same weights bit for bit as one that was never interrupted, on the same machine with as many threads.

    Raises:
        MissingDependencyError: torch or safetensors is not installed.
        InputError: the recipe cannot be used, or the checkpoint is of another model, data set or recipe.
        DataError: the data are missing or too few.
        EngineError: the loss became infinite or NaN.
        StorageError: `out` cannot be written.
    """
    started = time.perf_counter()
    _check(recipe)
    # A thread that waits must not spin: on a machine with other work, two spinning threads trained four times slower than two
    # sleeping ones (digits cnn: 227 s against 40 s). Read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with needs("train"):
        import safetensors  # noqa: F401 - missing, it should be told before the first epoch and not after it
        import torch  # noqa: F401
    with reproducible():
        samples, test = data.load("train", data_folder), data.load("test", data_folder)
        run = _Run(model, data, samples, data_folder, recipe=recipe, folder=out / "training")
        if resume and run.file.is_file():
            run.resume()
        resumed = len(run.metrics)
        while not run.is_done:
            run.epoch(on_progress, started)
        run.use_best()
        artifact = export_pt2(
            run.learner.module.cpu(),
            signature=data.signature,
            out=out / f"{Format.PT2}-{Precision.FP32}",
            model=model.name,
            data=data.name,
            labels=data.labels,
            preprocessing=data.preparation(data_folder),
            recipe={**asdict(recipe), "device": run.learner.device, "bf16": run.learner.bf16, "best_epoch": run.best.epoch},
        )
        accuracy = score_of(run.learner.module, test).accuracy
    return TrainingResult(
        artifact=artifact,
        metrics=tuple(run.metrics),
        best=run.best,
        test_accuracy=accuracy,
        resumed_epochs=resumed,
        device=run.learner.device,
        bf16=run.learner.bf16,
        seconds=time.perf_counter() - started,
    )


class _Run:
    """A training in progress."""

    def __init__(
        self, model: Model, data: DataSet, samples: Samples, data_folder: Path | None, *, recipe: TrainingRecipe, folder: Path
    ) -> None:
        import torch

        assert samples.targets is not None, "a data set is labelled"
        if len(samples) < 20:
            raise DataError(f"'{samples.origin}' is too small to train on", expected="at least 20 samples", got=str(len(samples)))
        make_folder(folder)  # now, and not when the first epoch is lost
        self.recipe, self.folder = recipe, folder
        self.identity = {"model": model.name, "data": f"{data.name} of {len(samples)} samples", **_words(recipe)}
        held_out = stratified(samples.targets, min(_LARGEST_VALIDATION, len(samples) // 10), seed=recipe.seed)
        rest = np.setdiff1d(np.arange(len(samples)), held_out)
        self.validation = samples.rows(held_out)
        self.batch_size = min(recipe.batch_size, len(rest))
        self.steps = len(rest) // self.batch_size
        seed_everything(recipe.seed, 0)
        module = model.module(data, data_folder)
        self.learner = Learner(module, recipe, steps=self.steps * recipe.epochs, device=device_here())
        device = self.learner.device
        (inputs,) = samples.inputs.values()
        self.inputs = torch.from_numpy(inputs[rest]).to(device)
        self.targets = torch.from_numpy(samples.targets[rest]).to(device)
        self.fill = None
        if isinstance(data, ImageSet):
            black = [(0.0 - mean) / std for mean, std in zip(data.preprocessing.mean, data.preprocessing.std, strict=True)]
            self.fill = torch.tensor(black, dtype=torch.float32, device=device).expand(data.input_shape[0])
        self.metrics: list[EpochMetrics] = []
        self.best_weights: dict[str, Tensor] = {}

    @property
    def file(self) -> Path:
        return self.folder / CHECKPOINT

    @property
    def is_done(self) -> bool:
        """Whether every epoch was done, or `patience` epochs brought nothing better (Prechelt 1998)."""
        done = len(self.metrics)
        return done >= self.recipe.epochs or (
            0 < self.recipe.patience <= done and done - lowest(self.metrics).epoch >= self.recipe.patience
        )

    @property
    def best(self) -> EpochMetrics:
        return chosen(self.metrics)

    def epoch(self, on_progress: Callable[[Progress], None] | None, started: float) -> None:
        """One pass over the data in a new order; a rest smaller than a batch is left out, batch normalisation needs full ones."""
        import torch

        number = len(self.metrics) + 1
        began = time.perf_counter()
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
                known = self.metrics[-1].validation_accuracy if self.metrics else None
                seconds = time.perf_counter() - started
                on_progress(Progress(number, self.recipe.epochs, step + 1, self.steps, loss, known, seconds))
        score = score_of(self.learner.module, self.validation)
        seconds = time.perf_counter() - began
        self.metrics.append(EpochMetrics(number, total / self.steps, score.loss, score.loss_error, score.accuracy, rate, seconds))
        if self.best.epoch == number:
            self.best_weights = {name: value.detach().clone() for name, value in self.learner.module.state_dict().items()}
        self._save()

    def use_best(self) -> None:
        """Give the network the weights of its best epoch."""
        self.learner.module.load_state_dict(self.best_weights)

    def _save(self) -> None:
        optimizer, schedule = self.learner.settings()
        standing = Standing(
            identity=self.identity,
            metrics=tuple(self.metrics),
            optimizer=optimizer,
            schedule=schedule,
        )
        best = {f"best.{name}": value for name, value in self.best_weights.items()}
        Checkpoint(standing, {**self.learner.tensors(), **best}).save(self.file)
        write_file(self.folder / METRICS, b"".join(msgspec.json.encode(each) + b"\n" for each in self.metrics))

    def resume(self) -> None:
        checkpoint = Checkpoint.load(self.file)
        standing = checkpoint.standing
        for key, mine in self.identity.items():
            if standing.identity.get(key) != mine:
                raise InputError(
                    f"'{self.file}' was trained with another {key.replace('_', ' ')}",
                    expected=mine,
                    got=standing.identity.get(key, "nothing"),
                    hint="give the same options, or train again without --resume",
                )
        self.learner.restore(
            weights=checkpoint.group("model"),
            moments=checkpoint.group("optimizer"),
            optimizer=standing.optimizer,
            schedule=standing.schedule,
        )
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
    return {key: str(value) for key, value in asdict(recipe).items()}


def _check(recipe: TrainingRecipe) -> None:
    least = {"epochs": 1, "batch_size": 2, "patience": 0, "shift": 0, "weight_decay": 0, "seed": 0}
    for key, value in least.items():
        if getattr(recipe, key) < value:
            raise InputError(f"recipe's {key.replace('_', ' ')}", expected=f"at least {value}", got=str(getattr(recipe, key)))
    for key in ("learning_rate", "gradient_norm"):
        if not getattr(recipe, key) > 0:
            raise InputError(f"recipe's {key.replace('_', ' ')}", expected="more than 0", got=str(getattr(recipe, key)))
    if not 0 <= recipe.label_smoothing < 1:
        raise InputError("recipe's label smoothing", expected="at least 0 and below 1", got=str(recipe.label_smoothing))
