"""The search for a better recipe: trials on the training split alone, with cross-validation, pruning, and a journal to go on from."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import InputError, make_folder, needs
from toolkit.core.threads import let_threads_sleep
from toolkit.models.base import Generator, Model, TrainingRecipe
from toolkit.models.data import DataSet

from .choice import chosen_samples
from .features import feature_extractor
from .learner import reproducible, told_in_one_line
from .run import TrainingRun, check_recipe

if TYPE_CHECKING:
    import optuna

JOURNAL = "journal.log"


@dataclass(frozen=True)
class Choices:
    """What a number of a recipe may be: ``values`` for a grid, and between the first and the last of them for the other samplers, on a
    logarithmic scale where ``log``; ``steps`` allows the values only.
    """

    values: tuple[float, ...]
    log: bool = False
    steps: bool = False


SPACE: Mapping[str, Choices] = {
    "learning_rate": Choices((3e-4, 1e-3, 3e-3, 1e-2, 3e-2), log=True),
    "weight_decay": Choices((1e-4, 1e-3, 1e-2, 1e-1), log=True),
    "batch_size": Choices((32, 64, 128, 256), steps=True),
    "label_smoothing": Choices((0.0, 0.05, 0.1, 0.2)),
}


@dataclass(frozen=True)
class Trial:
    """One recipe's outcome: ``loss`` is the validation loss of its best epochs, the mean over folds with its standard deviation ``spread``
    over them; None where the trial was pruned or failed. ``quality`` is in the model's metric.
    """

    number: int
    changes: dict[str, float]
    state: str
    loss: float | None
    spread: float | None
    quality: float | None
    seconds: float


@dataclass(frozen=True)
class Tuning:
    """Every trial of a study, of this call and of those before it, and the recipe of the best one."""

    trials: tuple[Trial, ...]
    best: Trial
    recipe: TrainingRecipe


def tune(
    model: Model,
    data: DataSet,
    *,
    recipe: TrainingRecipe,
    out: Path,
    trials: int,
    folds: int = 1,
    sampler: str = "tpe",
    space: Sequence[str] = tuple(SPACE),
    data_folder: Path | None = None,
    seed: int = 0,
    on_trial: Callable[[Trial], None] | None = None,
) -> Tuning:
    """Try recipes on the training split; the test split is not looked at. The first trial is the recipe as it is.

    A trial whose validation loss after some epoch is worse than the median of those before it ends there (`optuna.pruners.MedianPruner`).
    Every finished trial is in ``out/journal.log``, from which another call goes on: interrupted, only the trial at work is lost.

    Args:
        model: what is trained.
        data: on what.
        recipe: what the trials change.
        out: a folder for the journal.
        trials: how many there shall be in all, those of earlier calls included.
        folds: 1 validates on a tenth of each class, more on each of so many parts in turn (Stone 1974).
        sampler: ``tpe`` (Bergstra et al. 2011), ``random``, or ``grid``, every combination of the space's values in a random order.
        space: the numbers that are changed, of `SPACE`.
        data_folder: where the user keeps the data.
        seed: of the sampler.
        on_trial: called after each.

    Raises:
        MissingDependencyError: torch or optuna is not installed.
        InputError: numbers that cannot be used, or a journal of another model, data set or search.
        DataError: the data are missing or too few.
    """
    check_recipe(recipe)
    _check(trials, folds, space)
    let_threads_sleep()
    with needs("train"):
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    optuna.logging.set_verbosity(logging.ERROR)
    make_folder(out)
    samples = chosen_samples(data, data.load("train", data_folder), recipe)
    assert samples.targets is not None, "a data set is labelled"
    parts: list[np.ndarray | None] = [None] if folds == 1 else [*_folds(samples.targets, folds, recipe.seed)]
    study = optuna.create_study(
        study_name=model.name,
        storage=JournalStorage(JournalFileBackend(str(out / JOURNAL))),
        sampler=_sampler(sampler, space, seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
        load_if_exists=True,
    )
    _same_search(study, {"data": f"{data.name} of {len(samples)}", "folds": folds, "space": list(space), **asdict(recipe)}, out)

    extractor = feature_extractor(data, data_folder) if isinstance(model, Generator) else None

    def objective(trial: optuna.Trial) -> float:
        changed = replace(recipe, **_suggest(trial, recipe, space))
        losses, qualities = [], []
        for fold, rows in enumerate(parts):
            with reproducible(), told_in_one_line():
                run = TrainingRun(model, data, samples, data_folder, recipe=changed, validation=rows, extractor=extractor)
                while not run.is_done:
                    metrics = run.epoch()
                    trial.report(metrics.validation_loss, fold * recipe.epochs + metrics.epoch)
                    if trial.should_prune():
                        raise optuna.TrialPruned
            losses.append(run.best.validation_loss)
            qualities.append(run.quality(run.best))
        trial.set_user_attr("spread", float(np.std(losses)))
        trial.set_user_attr("quality", float(np.mean(qualities)))
        return float(np.mean(losses))

    if not study.trials:
        # On a logarithmic scale there is no 0: the least value stands for it.
        study.enqueue_trial({name: getattr(recipe, name) or SPACE[name].values[0] for name in space})
    done = len([t for t in study.trials if t.state.is_finished()])
    if trials > done:
        study.optimize(
            objective,
            n_trials=trials - done,
            callbacks=[lambda _, frozen: on_trial(_outcome(frozen)) if on_trial else None],
            catch=(ArithmeticError,),
        )
    found = tuple(_outcome(frozen) for frozen in study.trials if frozen.state.is_finished())
    complete = [trial for trial in found if trial.loss is not None]
    if not complete:
        raise InputError("no trial has ended", got=f"{len(found)} that were pruned or failed", hint="allow more trials")
    best = min(complete, key=lambda trial: math.inf if trial.loss is None else trial.loss)
    return Tuning(found, best, replace(recipe, **_typed(best.changes)))


def _check(trials: int, folds: int, space: Sequence[str]) -> None:
    if trials < 1:
        raise InputError("trials", expected="at least 1", got=str(trials))
    if folds < 1:
        raise InputError("folds", expected="1, or 2 and more", got=str(folds))
    unknown = [name for name in space if name not in SPACE]
    if unknown or not space:
        raise InputError("what is searched", expected=f"some of {', '.join(SPACE)}", got=", ".join(unknown) or "nothing")


def _folds(targets: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """The rows of each part, ascending; every class has its share in each."""
    with needs("train"):
        from sklearn.model_selection import StratifiedKFold
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(targets)), targets)
    return [np.sort(rows) for _, rows in splits]


def _sampler(name: str, space: Sequence[str], seed: int) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    if name == "grid":
        return samplers.GridSampler({each: list(SPACE[each].values) for each in space}, seed=seed)
    return samplers.RandomSampler(seed=seed) if name == "random" else samplers.TPESampler(seed=seed)


def _suggest(trial: optuna.Trial, recipe: TrainingRecipe, space: Sequence[str]) -> dict[str, Any]:
    """Values of a trial; the recipe's own is always possible, so that it can be the first."""
    found: dict[str, float] = {}
    for name in space:
        choices = SPACE[name]
        values = sorted({*choices.values, getattr(recipe, name)} - ({0.0} if choices.log else set()))
        if choices.steps:
            found[name] = trial.suggest_categorical(name, values)
        else:
            found[name] = trial.suggest_float(name, values[0], values[-1], log=choices.log)
    return _typed(found)


def _typed(changes: Mapping[str, float]) -> dict[str, Any]:
    return {name: int(value) if name == "batch_size" else value for name, value in changes.items()}


def _same_search(study: optuna.Study, search: dict[str, Any], out: Path) -> None:
    known = study.user_attrs
    for key, mine in search.items():
        if known and known.get(key) != mine:
            raise InputError(
                f"'{out / JOURNAL}' is a search with another {key.replace('_', ' ')}",
                expected=str(mine),
                got=str(known.get(key)),
                hint="give the same options, or another --out",
            )
        study.set_user_attr(key, mine)


def _outcome(frozen: optuna.trial.FrozenTrial) -> Trial:
    seconds = frozen.duration.total_seconds() if frozen.duration else 0.0
    attributes = frozen.user_attrs
    return Trial(
        frozen.number,
        dict(frozen.params),
        frozen.state.name.lower(),
        frozen.value if frozen.state.name == "COMPLETE" else None,
        attributes.get("spread"),
        attributes.get("quality"),
        seconds,
    )
