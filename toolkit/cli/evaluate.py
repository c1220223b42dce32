"""``toolkit evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._common import (
    complete,
    console,
    data_options,
    device_option,
    engine_names,
    json_option,
    plain,
    print_json,
    print_table,
    progress,
    say,
)
from ._request import meaning_options, source_argument, source_options

if TYPE_CHECKING:
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.source.sizing import Sizing
    from toolkit.tasks import Limits


@click.command(short_help="Evaluate a deployed artifact on test samples.")
@source_argument
@data_options
@source_options
@click.option("--engine", shell_complete=complete(engine_names), help="Engine that runs it. Default: the first installed one that can.")
@click.option("--evaluation", type=click.IntRange(min=1), help="Most samples to evaluate on. Default: all.")
@click.option("--labels", metavar="NAME,...|FILE", help="Names of the classes in their order, or a file with one in each line.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for the page and its pictures.")
@meaning_options
@device_option
@json_option
def command(
    source: str,
    data: Given | None,
    data_dir: Path | None,
    weights: Path | None,
    inputs: tuple[str, ...],
    sizing: Sizing,
    engine: str | None,
    evaluation: int | None,
    labels: str | None,
    out: Path | None,
    device: str,
    asked: Limits,
    json_to: str | None,
) -> None:
    """Run a deployed artifact, not the net that was trained, over test samples.

    SOURCE is an artifact's folder, or what toolkit convert takes but a bundle, such as a bare model file. Of a classifier it says the
    accuracy with its interval, precision, recall and F1 of each class, areas under the ROC and precision-recall curves, and its
    calibration error; of any other task (docs/tasks.md) its metrics with their intervals; of an autoencoder what it loses and whether
    that gives a class away that it has never seen; of a generator how far what it samples is from real images. With --out also as one
    HTML page with pictures: confusion matrix, curves, the worst mistakes; reconstructions; sampled images.

    \b
    toolkit evaluate artifacts/cnn/tflite-int8
    toolkit evaluate artifacts/cnn/onnx-int8 --out evaluation/
    toolkit evaluate net.onnx --data samples.npz
    toolkit evaluate detector.onnx --data samples.npz --metric map50
    """
    from toolkit.pipeline.evaluate import evaluate, with_labels
    from toolkit.pipeline.evaluate.page import PAGE, as_json, write_evaluation
    from toolkit.pipeline.source.opened import opened
    from toolkit.pipeline.source.remembered import limits_for
    from toolkit.pipeline.source.samples import split_samples

    with opened(source, weights=weights, data=data, inputs=inputs, sizing=sizing) as given, progress() as display:
        artifact = given.single
        if labels is not None:
            artifact = with_labels(artifact, _names(labels))
        limits, _ = limits_for(asked, artifact.path.parent)
        samples = split_samples(
            artifact, data, folder=data_dir, evaluation=evaluation, only_judged=True, limits=limits, sizing=sizing
        ).evaluation
        say(f"samples: {note}" for note in samples.notes)
        display.add_task(f"{artifact.name}: {len(samples):,} samples", total=None)
        found = evaluate(artifact, samples, folder=data_dir, limits=limits, engine=engine, device=device)
        if out is not None:
            write_evaluation(found, out)
    if json_to:
        print_json(as_json(found), json_to)
    if json_to == "-":
        return
    run = found.run
    console().print(plain(f"{run.model} {run.artifact} in {run.engine} on {run.device}: {run.samples:,} samples of {run.data}"))
    for table in found.tables:
        print_table(table.title, list(table.head), [[plain(word) for word in row] for row in table.rows], right=table.head[1:])
    for name, value in found.facts:
        console().print(f"{plain(name)}: {plain(value)}")
    if out is not None:
        console().print(f"page and pictures: {plain(out / PAGE)}")


def _names(words: str) -> list[str]:
    """The names in the file, or those between the commas."""
    if not Path(words).is_file():
        return [name.strip() for name in words.split(",")]
    from toolkit.core import InputError

    try:
        return [line.strip() for line in Path(words).read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"--labels '{words}'", expected="a text file with a class in each line") from error
