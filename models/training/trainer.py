"""From a model, a data set and a recipe to a self-contained artifact."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from toolkit.core import MANIFEST, QAT_EPOCHS, Artifact, Format, Precision, Scalar, artifact_name, needs
from toolkit.core.threads import let_threads_sleep
from toolkit.models.base import Classifier, Generator, Model, TrainingRecipe
from toolkit.models.baselines import Baseline
from toolkit.models.data import DataSet
from toolkit.models.kept import check_free

from .checkpoint import CHECKPOINT, EpochMetrics
from .choice import HELD_OUT, anomaly_auc, chosen_samples, without_label
from .evaluate import Score
from .export import export_pt2
from .fake_quantization import LEARNING_RATE
from .features import feature_extractor
from .learner import reproducible, told_in_one_line
from .run import METRICS, EpochProgress, TrainingRun, check_recipe

_NETWORK = artifact_name(Format.PT2, Precision.FP32)


@dataclass(frozen=True)
class TrainingResult:
    """A finished training. ``qat_metrics`` are those of the quantization-aware epochs, which come last; ``parts`` are what a model ships
    besides, each in a bundle of its own; ``best`` is the epoch whose weights were exported, ``test`` how good they are on the test split;
    ``anomaly_auc`` how well the error tells the class that was held out from the others; ``baseline`` a classic method on the same data;
    ``resumed_epochs`` were done by earlier calls; ``bf16`` and ``compiled`` say whether mixed precision and torch.compile were really used.
    """

    artifact: Artifact
    parts: tuple[Artifact, ...]
    metrics: tuple[EpochMetrics, ...]
    qat_metrics: tuple[EpochMetrics, ...]
    best: EpochMetrics
    test: Score
    anomaly_auc: float | None
    baseline: Baseline | None
    resumed_epochs: int
    device: str
    bf16: bool
    compiled: bool
    seconds: float


def train(
    model: Model,
    data: DataSet,
    *,
    recipe: TrainingRecipe,
    out: Path,
    data_folder: Path | None = None,
    start: Artifact | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[EpochProgress], None] | None = None,
) -> TrainingResult:
    """Train a network and write it into the bundle `out`.

    A checkpoint and the metrics are written to ``out/training`` after each epoch, the artifact to ``out/pt2-fp32`` at the end, and what
    the model ships besides to bundles beside `out` whose names end in the part's. An
    interrupted call leaves the last epoch's checkpoint; with `resume` the next one goes on from there, or starts if there is
    none, and ends with the same weights bit for bit as one that was never interrupted, on the same machine with as many threads.
    A checkpoint or a network that is there already is never lost by itself: it wants `resume` or `overwrite`, which starts anew.
    With `start` the network begins with the weights of that artifact, but for its last layer. The recipe's quantization-aware epochs
    begin with the best weights of the others and have files of their own in ``out/training/qat``: with `resume` they can be added to a
    training that is done.

    Raises:
        MissingDependencyError: torch or safetensors is not installed.
        InputError: `out` holds a training or a network, and neither `resume` nor `overwrite` says what becomes of it; the recipe cannot
            be used, or the checkpoint is of another model, data set or recipe, or the network cannot be trained quantization-aware.
        DataError: the data are missing or too few.
        EngineError: the loss became infinite or NaN.
        StorageError: `out` cannot be written.
    """
    started = time.perf_counter()
    checkpoint, network = out / "training" / CHECKPOINT, out / _NETWORK / MANIFEST
    check_free(out, training=(checkpoint, "a training"), network=(network, "a trained network"), resume=resume, overwrite=overwrite)
    check_recipe(recipe)
    let_threads_sleep()
    with needs("train"):
        import safetensors  # noqa: F401 - missing, it should be told before the first epoch and not after it
        import torch  # noqa: F401
    with reproducible(), told_in_one_line():
        samples, test = chosen_samples(data, data.load("train", data_folder), recipe), data.load("test", data_folder)
        extractor = feature_extractor(data, data_folder) if isinstance(model, Generator) else None
        run = TrainingRun(model, data, samples, data_folder, recipe=recipe, folder=out / "training", start=start, extractor=extractor)
        if overwrite:
            _forget(out / "training")
        resumed = run.finish(on_progress, started=started, resume=resume)
        metrics, compiled = tuple(run.metrics), run.learner.compiled
        qat_metrics: tuple[EpochMetrics, ...] = ()
        if recipe.qat_epochs:
            weights = run.learner.module.state_dict()
            run = TrainingRun(
                model,
                data,
                samples,
                data_folder,
                recipe=qat_recipe(recipe),
                folder=out / "training" / "qat",
                start=start,
                weights=weights,
                qat=True,
                extractor=extractor,
            )
            resumed += run.finish(on_progress, started=started, resume=resume)
            qat_metrics = tuple(run.metrics)
        score = run.score(without_label(data, test, recipe.hold_out))
        anomaly = anomaly_auc(model, run.learner.module, data, test, recipe.hold_out)
        baseline = model.baseline(run.learner.module.cpu(), data, data_folder)
        made = {
            **asdict(recipe),
            "device": run.learner.device,
            "bf16": run.learner.bf16,
            "compile": compiled,
            "best_epoch": run.best.epoch,
            f"test {model.metric}": model.quality(score.loss, score.accuracy),
            **({} if anomaly is None else {"test anomaly AUC": anomaly}),
        }
        about: dict[str, Scalar] = {HELD_OUT: recipe.hold_out} if recipe.hold_out else {}
        if recipe.qat_epochs:
            about[QAT_EPOCHS] = len(qat_metrics)
        artifacts = [
            export_pt2(
                export.module,
                signature=export.signature,
                out=_bundle(out, export.part) / _NETWORK,
                model=_bundle(Path(model.name), export.part).name,
                data=data.name,
                labels=data.labels if isinstance(model, Classifier) else (),
                task=export.task or model.task,
                preprocessing=data.preparation(data_folder),
                recipe=made,
                details={**export.details, **about},
            )
            for export in model.exports(run.learner.module, data)
        ]
    return TrainingResult(
        artifact=artifacts[0],
        parts=tuple(artifacts[1:]),
        metrics=metrics,
        qat_metrics=qat_metrics,
        best=run.best,
        test=score,
        anomaly_auc=anomaly,
        baseline=baseline,
        resumed_epochs=resumed,
        device=run.learner.device,
        bf16=run.learner.bf16,
        compiled=compiled,
        seconds=time.perf_counter() - started,
    )


def qat_recipe(recipe: TrainingRecipe) -> TrainingRecipe:
    """The recipe of the quantization-aware epochs: a schedule of their own, with a tenth of the learning rate, and no torch.compile."""
    return replace(recipe, epochs=recipe.qat_epochs, learning_rate=LEARNING_RATE * recipe.learning_rate, compile=False)


def _forget(folder: Path) -> None:
    """Remove the checkpoints of an earlier training, which must not be resumed as this one; its network stays until this one's is there."""
    for place in (folder, folder / "qat"):
        for name in (CHECKPOINT, METRICS):
            (place / name).unlink(missing_ok=True)


def _bundle(out: Path, part: str) -> Path:
    return out.with_name(f"{out.name}-{part}") if part else out
