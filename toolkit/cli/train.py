"""``toolkit train``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import complete, console, data_names, json_option, model_names, plain, print_json, progress


@click.command(short_help="Train a reference model.")
@click.argument("model", shell_complete=complete(model_names))
@click.option("--data", shell_complete=complete(data_names), help="A data set: toolkit data. Default: digits, movie-reviews for texts.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="TOOLKIT_DATA", help="A folder that holds the data set's own files.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts"), show_default=True, help="Folder of bundles.")
@click.option("--epochs", type=click.IntRange(min=1), help="Default: the recipe's.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Default: the recipe's.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Peak of the schedule. Default: the recipe's.")
@click.option("--seed", type=int, help="Default: the recipe's.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
@json_option
def command(
    model: str,
    data: str | None,
    data_dir: Path | None,
    out: Path,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
    resume: bool,
    json_to: str | None,
) -> None:
    """Train a reference MODEL by its recipe and leave a self-contained .pt2 artifact in OUT/<model>/.

    Ctrl-C keeps the last checkpoint; the same command with --resume goes on from it.

    \b
    toolkit train cnn
    toolkit train cnn --data fashion-mnist --epochs 2
    toolkit train resnet --data fashion-mnist --resume
    """
    from dataclasses import asdict, replace

    from toolkit.models import find_model
    from toolkit.models.data import find_data
    from toolkit.models.training import Progress, baseline_accuracy, train

    net = find_model(model)
    dataset = find_data(data or net.data)
    changes = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    recipe = replace(net.recipe(dataset.name), **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
    with progress() as display:
        bar = display.add_task(f"training {net.name}", total=None)

        def on_progress(step: Progress) -> None:
            text = f"epoch {step.epoch}/{step.epochs} loss {step.loss:.3f}"
            text += f" accuracy {step.accuracy:.2%}" if step.accuracy is not None else ""
            display.update(bar, total=step.epochs * step.steps, completed=(step.epoch - 1) * step.steps + step.step, description=text)

        result = train(net, dataset, recipe=recipe, out=out / net.name, data_folder=data_dir, resume=resume, on_progress=on_progress)
        display.update(bar, total=None, description="baseline")
        baseline = baseline_accuracy(dataset, data_dir)
    if json_to:
        print_json(asdict(result) | ({} if baseline is None else {"baseline_accuracy": baseline}), json_to)
    if json_to != "-":
        console().print(
            f"{plain(result.artifact.path)}: {result.test_accuracy:.2%} of the test samples of {dataset.name}, "
            f"best of {len(result.metrics)} epochs: {result.best.epoch}, {result.seconds:.0f} s on {result.device}"
        )
        if baseline is not None:
            console().print(f"tf-idf and logistic regression on the same texts: {baseline:.2%}")
        console().print(f"next: toolkit convert {plain(result.artifact.path.parent)}")
