"""``toolkit tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit._interrupted import RESUMES

from ._commands import Command
from ._common import complete, console, data_names, json_option, model_names, plain, print_json, print_table, progress

if TYPE_CHECKING:
    from toolkit.models.training.tune import Trial

_SHOWN = 10


@click.command(cls=Command, interrupted=RESUMES, short_help="Search for a better recipe.")
@click.argument("model", shell_complete=complete(model_names))
@click.option("--data", shell_complete=complete(data_names), help="A data set: toolkit data. Default: the model's own.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="TOOLKIT_DATA", help="A folder that holds the data set's own files.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("tuning"), show_default=True, help="Folder of searches.")
@click.option(
    "--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Number of trials, those of earlier calls included."
)
@click.option("--folds", type=click.IntRange(min=1), default=1, show_default=True, help="Cross-validation with so many parts.")
@click.option("--sampler", type=click.Choice(["tpe", "random", "grid"]), default="tpe", show_default=True)
@click.option("--search", metavar="NAMES", help="Settings to search, with commas. Default: all that can be.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs to train. Default: the recipe's.")
@click.option("--few", type=click.IntRange(min=1), help="Learn from so many samples of each class only.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for the sampler.")
@json_option
def command(
    model: str,
    data: str | None,
    data_dir: Path | None,
    out: Path,
    trials: int,
    folds: int,
    sampler: str,
    search: str | None,
    epochs: int | None,
    few: int | None,
    seed: int,
    json_to: str | None,
) -> None:
    """Search for a better recipe of a reference MODEL, on the training split alone.

    The first trial is the model's own recipe. Trials that fall behind end early. Ctrl-C loses the trial at work; the same command goes
    on from the journal in OUT/<model>-<data>/, and with more --trials it goes further. What was found is written there as recipe.json,
    for toolkit train --recipe.

    \b
    toolkit tune mlp --trials 30
    toolkit tune cnn --few 50 --epochs 5 --search learning_rate
    toolkit tune mlp --folds 5 --trials 1
    """
    from dataclasses import asdict, replace

    from toolkit.core import write_file
    from toolkit.models import find_model
    from toolkit.models.data import find_data
    from toolkit.models.training.recipes import encode_recipe
    from toolkit.models.training.tune import SPACE, tune

    net = find_model(model)
    dataset = find_data(data or net.data)
    recipe = net.recipe(dataset.name)
    recipe = replace(recipe, epochs=epochs or recipe.epochs, few=few or recipe.few)
    folder = out / f"{net.name}-{dataset.name}"
    names = tuple(name.strip().replace("-", "_") for name in search.split(",")) if search else tuple(SPACE)
    with progress() as display:
        bar = display.add_task("first trial", total=trials)

        def on_trial(trial: Trial) -> None:
            text = trial.state if trial.loss is None else f"loss {trial.loss:.4f}"
            display.update(bar, completed=trial.number + 1, description=f"trial {trial.number}: {text}")

        found = tune(
            net,
            dataset,
            recipe=recipe,
            out=folder,
            trials=trials,
            folds=folds,
            sampler=sampler,
            space=names,
            data_folder=data_dir,
            seed=seed,
            on_trial=on_trial,
        )
    write_file(folder / "recipe.json", encode_recipe(found.recipe))
    if json_to:
        print_json(asdict(found), json_to)
    if json_to == "-":
        return
    ended = sorted((trial for trial in found.trials if trial.loss is not None), key=lambda trial: trial.loss or 0.0)
    rows = [
        [
            str(trial.number),
            *(f"{trial.changes[name]:.3g}" for name in names),
            f"{trial.loss:.4f}",
            "-" if folds == 1 else f"{trial.spread:.4f}",
            f"{trial.quality:.4f}",
            f"{trial.seconds:.0f} s",
        ]
        for trial in ended[:_SHOWN]
    ]
    head = ["trial", *(name.replace("_", " ") for name in names), "loss", "spread", plain(net.metric), "took"]
    print_table(f"Best of {len(found.trials)} trials, {len(found.trials) - len(ended)} of them pruned", head, rows, right=head)
    console().print(f"next: toolkit train {net.name} --data {dataset.name} --recipe {plain(folder / 'recipe.json')}")
