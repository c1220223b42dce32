"""``toolkit train``."""

from __future__ import annotations

from pathlib import Path

import click

from ._commands import Command, with_resume
from ._common import complete, console, data_names, json_option, model_names, plain, print_json, progress


def _interrupted(ctx: click.Context) -> str:
    from toolkit.models.training.checkpoint import CHECKPOINT

    if not (ctx.params["out"] / ctx.params["model"] / "training" / CHECKPOINT).exists():
        return "interrupted before the first epoch was complete: nothing is kept, the same command starts anew"
    return f"interrupted; the last complete epoch is kept. To resume: {with_resume(ctx)}"


@click.command(cls=Command, interrupted=_interrupted, short_help="Train a reference model.")
@click.argument("model", shell_complete=complete(model_names))
@click.option("--data", shell_complete=complete(data_names), help="A data set: toolkit data. Default: digits, movie-reviews for texts.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="TOOLKIT_DATA", help="A folder that holds the data set's own files.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts"), show_default=True, help="Folder of bundles.")
@click.option("--recipe", type=click.Path(path_type=Path), help="A recipe from toolkit tune. Default: the model's own.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs to train. Default: the recipe's.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Batch size of the training. Default: the recipe's.")
@click.option(
    "--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Peak learning rate of the schedule. Default: the recipe's."
)
@click.option("--seed", type=int, help="Random seed of the training. Default: the recipe's.")
@click.option("--few", type=click.IntRange(min=1), help="Number of samples of each class to learn from.")
@click.option("--hold-out", metavar="LABEL", help="Class that is not learned; an autoencoder then says how strange it looks.")
@click.option(
    "--start-from", type=click.Path(path_type=Path), help="A trained .pt2 artifact whose weights are the first, but for the last layer."
)
@click.option("--freeze", is_flag=True, help="With --start-from: learn the last layer only.")
@click.option("--qat", "qat_epochs", type=click.IntRange(min=1), metavar="EPOCHS", help="Then learn with int8 rounding: docs/qat.md.")
@click.option("--compile", "compiled", is_flag=True, help="Use torch.compile for the steps: docs/compiled-steps.md.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
@click.option("--overwrite", is_flag=True, help="Start from scratch, in place of the training and the network that are there.")
@json_option
def command(
    model: str,
    data: str | None,
    data_dir: Path | None,
    out: Path,
    recipe: Path | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
    few: int | None,
    hold_out: str | None,
    start_from: Path | None,
    freeze: bool,
    qat_epochs: int | None,
    compiled: bool,
    resume: bool,
    overwrite: bool,
    json_to: str | None,
) -> None:
    """Train a reference MODEL by its recipe and leave a self-contained .pt2 artifact in OUT/<model>/.

    Ctrl-C keeps the last checkpoint; the same command with --resume goes on from it. A training or a network that is there is
    replaced only with --overwrite. With --qat, the weights are then fine-tuned
    for int8: convolutional and linear networks only. Together with --resume it goes on from a training that is done.

    \b
    toolkit train cnn
    toolkit train cnn --data fashion-mnist --epochs 2
    toolkit train resnet --data fashion-mnist --resume
    toolkit train cnn --qat 5 --resume
    toolkit train autoencoder --data fashion-mnist --hold-out Bag
    toolkit train cnn --data mnist --few 10 --start-from artifacts/cnn/pt2-fp32
    """
    from dataclasses import asdict, replace

    from toolkit.core import Artifact, InputError
    from toolkit.models import find_model
    from toolkit.models.data import find_data
    from toolkit.models.results import figure
    from toolkit.models.training import EpochProgress, train
    from toolkit.models.training.recipes import read_recipe

    net = find_model(model)
    dataset = find_data(data or net.data)
    if freeze and start_from is None:
        raise InputError("--freeze keeps weights that are learned already", hint="add --start-from ARTIFACT")
    start = None if start_from is None else Artifact.load(start_from)
    changes: dict[str, float | str | None] = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    changes |= {"few": few, "hold_out": hold_out, "freeze": freeze or None, "qat_epochs": qat_epochs, "compile": compiled or None}
    own = net.recipe(dataset.name) if recipe is None else read_recipe(recipe)
    chosen = replace(own, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    with progress() as display:
        bar = display.add_task(f"training {net.name}", total=None)

        def on_progress(step: EpochProgress) -> None:
            text = f"{'int8 ' if step.qat else ''}epoch {step.epoch}/{step.epochs} loss {step.loss:.3f}"
            text += f" {net.metric} {figure(net.metric, step.quality)}" if step.quality is not None else ""
            display.update(bar, total=step.epochs * step.steps, completed=(step.epoch - 1) * step.steps + step.step, description=text)

        result = train(
            net,
            dataset,
            recipe=chosen,
            out=out / net.name,
            data_folder=data_dir,
            start=start,
            resume=resume,
            overwrite=overwrite,
            on_progress=on_progress,
        )
    if json_to:
        print_json(asdict(result), json_to)
    if json_to != "-":
        trained = f"{len(result.qat_metrics)} quantization-aware epochs" if result.qat_metrics else f"{len(result.metrics)} epochs"
        quality = figure(net.metric, net.quality(result.test.loss, result.test.accuracy))
        console().print(
            f"{plain(result.artifact.path)}: {net.metric} {quality} on the test samples of {dataset.name}, "
            f"best of {trained}: {result.best.epoch}, {result.seconds:.0f} s on {result.device}"
        )
        for part in result.parts:
            console().print(f"with it: {plain(part.path)}")
        if result.anomaly_auc is not None:
            console().print(f"its error tells '{hold_out}', which it never saw, from the others: area {result.anomaly_auc:.4f}")
        if result.baseline is not None:
            console().print(f"{result.baseline.method} on the same data: {figure(net.metric, result.baseline.value)}")
        console().print(f"next: toolkit convert {plain(result.artifact.path.parent)}")
