"""``toolkit evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import complete, console, data_options, device_option, engine_names, json_option, plain, print_json, print_table, progress


@click.command(short_help="How good a deployed classifier is.")
@click.argument("path", type=click.Path(path_type=Path))
@data_options
@click.option("--engine", shell_complete=complete(engine_names), help="Default: the first installed one that runs it.")
@click.option("--evaluation", type=click.IntRange(min=1), help="Evaluation samples at most. Default: all.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for the page and its pictures.")
@device_option
@json_option
def command(
    path: Path,
    data: str | None,
    data_dir: Path | None,
    engine: str | None,
    evaluation: int | None,
    out: Path | None,
    device: str,
    json_to: str | None,
) -> None:
    """Run a deployed artifact, not the net that was trained, over labelled samples.

    PATH is an artifact's folder. Says the accuracy with its interval, precision, recall and F1 of each class, areas under the ROC and
    precision-recall curves, and how well it knows how sure it is; with --out also as one HTML page with the confusion matrix, the curves
    and the worst mistakes.

    \b
    toolkit evaluate artifacts/cnn/tflite-int8
    toolkit evaluate artifacts/cnn/onnx-int8 --out evaluation/
    """
    from toolkit.core import Artifact
    from toolkit.pipeline.evaluate import evaluate
    from toolkit.pipeline.sources import split_samples

    artifact = Artifact.load(path)
    samples = split_samples(artifact, data, folder=data_dir, evaluation=evaluation).evaluation
    with progress() as display:
        display.add_task(f"{artifact.name}: {len(samples):,} samples", total=None)
        found, answers = evaluate(artifact, samples, engine=engine, device=device)
        if out is not None:
            from toolkit.pipeline.report.evaluation import PAGE, write_evaluation

            write_evaluation(found, answers, artifact, out)
    if json_to:
        print_json(found, json_to)
    if json_to == "-":
        return
    rows = [
        [
            plain(c.label),
            str(c.samples),
            *(f"{value:.3f}" for value in (c.precision, c.recall, c.f1)),
            *map(_area, (c.roc_auc, c.average_precision)),
        ]
        for c in found.classes
    ]
    title = f"{found.model} {found.artifact} in {found.engine}: {found.samples:,} samples of {found.data}"
    head = ["class", "samples", "precision", "recall", "F1", "ROC", "PR"]
    print_table(plain(title), head, rows, right=head[1:])
    a = found.accuracy
    console().print(f"accuracy {a.value:.2%} [{a.low:.2%}, {a.high:.2%}], n={found.samples:,}; F1 {found.macro_f1:.4f}, mean over classes")
    console().print(f"calibration error {found.ece:.2%}, log loss {found.log_loss:.4f} nats; {len(found.mistakes):,} mistakes")
    if out is not None:
        console().print(f"page and pictures: {plain(out / PAGE)}")


def _area(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
