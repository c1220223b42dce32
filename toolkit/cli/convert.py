"""``toolkit convert``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit._interrupted import RESUMES

from ._commands import Command
from ._common import console, data_options, evidence_line, json_option, plain, print_json, print_table, progress, size, styled
from ._request import (
    batch_sizes_option,
    calibration_option,
    limits_options,
    out_option,
    overwrite_option,
    precision_option,
    read_source,
    recipe_option,
    request_for,
    say_plan,
    source_argument,
    source_options,
    targets_of,
    timeout_option,
    to_option,
)

if TYPE_CHECKING:
    from toolkit.pipeline.convert import Row
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.source.sizing import Sizing
    from toolkit.tasks import Limits


@click.command(cls=Command, interrupted=RESUMES, short_help="Convert a model and verify the result.")
@source_argument
@to_option
@precision_option("fp32,fp16,int8")
@recipe_option
@data_options
@source_options
@out_option
@overwrite_option
@limits_options
@calibration_option
@click.option("--evaluation", type=click.IntRange(min=1), help="Most samples to evaluate on. Default: all.")
@click.option("--folds", is_flag=True, help="Let the rows that calibrate verify too, through twins that other rows calibrate.")
@click.option(
    "--effort",
    type=click.IntRange(0, 3),
    default=1,
    show_default=True,
    help="How much is tried where plain int8 has too much noise: 0 nothing, 1 other ranges, 2 also biases and groups in float, 3 most.",
)
@batch_sizes_option
@timeout_option
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    metavar="GB",
    help="Memory for each conversion step. Default: nine tenths of what is free.",
)
@json_option
def command(
    source: str,
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    recipes: tuple[str, ...] | None,
    data: Given | None,
    data_dir: Path | None,
    weights: Path | None,
    inputs: tuple[str, ...],
    sizing: Sizing,
    out: Path | None,
    overwrite: bool,
    asked: Limits,
    calibration: int,
    evaluation: int | None,
    folds: bool,
    effort: int,
    batch_sizes: tuple[int, ...],
    timeout: float,
    memory: float | None,
    json_to: str | None,
) -> None:
    """Convert SOURCE and verify the result.

    SOURCE is a reference model (toolkit models), a bundle or artifact folder, a .pt2, .onnx, .keras, .h5 or .tflite file, a
    SavedModel folder, a TorchScript archive (with --input), or a PyTorch network in Python code (file.py:name or package.module:name, with
    --input; this code runs). Every target is
    calibrated on training samples, compared with the source on evaluation samples, and written to OUT/<model>/. Without data, fp32 is
    compared on seeded random inputs alone. One target
    that fails does not stop the others; the exit code is then 1, and also where one is undecided: too few samples to confirm the limit.

    \b
    toolkit convert artifacts/cnn
    toolkit convert cnn --to onnx,openvino --precision fp32,int8,int8-weights
    toolkit convert artifacts/cnn --to onnx --recipe int8-entropy,mine.toml
    toolkit convert model.pt2 --data samples.npz --out artifacts/
    toolkit convert net.py:make --weights net.safetensors
            --input 'image:float32[batch,3,224,224]' --data samples.npz
    """
    from dataclasses import replace

    from toolkit.pipeline.convert import check_kept, convert, for_source, succeeded

    targets, named = targets_of(formats, precisions, recipes)
    found, split = read_source(
        source,
        targets,
        data=data,
        data_dir=data_dir,
        out=out,
        calibration=calibration,
        evaluation=evaluation,
        weights=weights,
        inputs=inputs,
        sizing=sizing,
        asked=asked,
    )
    request = request_for(
        found,
        split,
        for_source(targets, found.artifact),
        out=out,
        asked=asked,
        batch_sizes=batch_sizes,
        timeout=timeout,
        memory=memory,
        recipes=named,
        overwrite=overwrite,
        data=data,
        folds=folds,
        effort=effort,
    )
    check_kept(request)
    plan = say_plan(request)
    with progress() as display:
        bar = display.add_task("converting", total=2 * len(targets) + (folds and sum(target.precision.is_calibrated for target in targets)))

        def on_progress(name: str, event: str) -> None:
            display.update(bar, advance=1, description=f"{name} {event}")

        rows = [replace(row, samples=plan) for row in convert(request, on_progress=on_progress)]
    if json_to:
        print_json(rows, json_to)
    if json_to != "-":
        show(rows, request.out)
    if not succeeded(rows):
        raise click.exceptions.Exit(1)


def show(rows: list[Row], folder: Path) -> None:
    """Print what became of each target, and which were asked for that their format does not have or cannot do."""
    from toolkit.converters.recipes import CHOSEN
    from toolkit.converters.tried import tried_words

    cells = []
    for row in rows:
        if not row.available:
            continue
        made = row.artifact
        verdict = styled(made.verdict if made and made.verdict else "failed" if row.measurable else "not measured")
        reason = row.reason or (evidence_line(made) if made else "")
        took = "cached" if row.from_cache else f"{row.seconds:.1f} s" if made else "-"
        cells.append([row.target, size(made.size_bytes) if made else "-", took, verdict, plain(reason)])
    columns = ["artifact", "size", "took", "parity", "evidence"]
    print_table(f"{folder}", columns, cells, right=["size", "took"], whole=columns[:-1])
    for row in rows:
        if row.artifact is not None and (tried := tried_words(row.artifact.manifest.recipe, CHOSEN)):
            console().print(f"{row.target}: {plain(tried)}")
    for reason in dict.fromkeys(row.reason for row in rows if not row.available):
        console().print(f"not made: {plain(reason)}")
    for line in dict.fromkeys(line for row in rows for line in row.tried):
        console().print(f"tried: {plain(line)}")
