"""``toolkit optimize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit._interrupted import RESUMES

from ._commands import Command
from ._common import console, counted, data_options, json_option, plain, print_json, print_table, progress, size
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
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.optimize import Optimized
    from toolkit.pipeline.source.sizing import Sizing
    from toolkit.tasks import Limits


@click.command(cls=Command, interrupted=RESUMES, short_help="Find the best artifact to ship on this machine.")
@source_argument
@click.option(
    "--budget", type=click.Choice(["latency", "throughput", "size"]), default="latency", show_default=True, help="What to optimize for."
)
@limits_options
@to_option
@precision_option("fp32,fp16,bf16,int8,int8-dynamic,int8-weights,int4-weights")
@recipe_option
@data_options
@source_options
@out_option
@overwrite_option
@calibration_option
@click.option("--choice", type=click.IntRange(min=1), default=2000, show_default=True, help="Most samples that choose layers for float.")
@batch_sizes_option
@timeout_option
@json_option
def command(
    source: str,
    budget: str,
    asked: Limits,
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
    calibration: int,
    choice: int,
    batch_sizes: tuple[int, ...],
    timeout: float,
    json_to: str | None,
) -> None:
    """Find the format, precision, engine and number of threads with which SOURCE is best on this machine.

    All are made and measured roughly; what is far behind the best that passed is not measured again, the rest round by round. The
    one to ship is copied to OUT/<model>-shipped. The same command resumes where it stopped.

    \b
    toolkit optimize artifacts/cnn
    toolkit optimize net.onnx --data samples.npz --budget size --max-drop 0.5
    """
    from dataclasses import replace

    from toolkit.core import Precision
    from toolkit.pipeline.optimize import Budget, optimize
    from toolkit.pipeline.quantize import divide

    targets, named = targets_of(formats, precisions, recipes)
    found, split = read_source(
        source,
        targets,
        data=data,
        data_dir=data_dir,
        out=out,
        calibration=calibration,
        weights=weights,
        inputs=inputs,
        sizing=sizing,
        asked=asked,
    )
    request = request_for(
        found,
        split,
        targets,
        out=out,
        asked=asked,
        batch_sizes=batch_sizes,
        timeout=timeout,
        recipes=named,
        overwrite=overwrite,
        data=data,
    )
    # Only plain int8 comes back with layers in float.
    chooses = any(target.precision is Precision.INT8 and not target.variant for target in targets)
    plan = say_plan(request, divide(request.split, choice)[1] if chooses else None, among=True)
    with progress() as display:
        bar = display.add_task("converting", total=None)
        result = optimize(request, choice=choice, budget=Budget(budget), on_progress=counted(display, bar))
    result = replace(result, samples=plan)
    if json_to:
        print_json(result, json_to)
    if json_to != "-":
        show(result)


def show(result: Optimized) -> None:
    """Print the front, what to ship and why, and how much was not measured to the end."""
    cells = []
    for each in result.front:
        mark = "ship" if (each.artifact, each.engine) == (result.shipped.artifact, result.shipped.engine) else ""
        latency = f"{each.latency_ns / 1000:.1f} µs"
        cells.append([plain(each.artifact), each.engine, str(each.threads), latency, size(each.size_bytes), plain(each.evidence), mark])
    columns = ["artifact", "engine", "threads", "a call", "size", "evidence", ""]
    print_table("nothing that passed is both faster and smaller", columns, cells, right=["threads", "a call", "size"], whole=columns[:5])
    console().print(plain(result.reason))
    console().print(
        f"{plain(result.folder)}: {result.shipped.artifact} in {result.shipped.engine} with {result.shipped.threads} threads; "
        f"{len(result.dropped)} of {len(result.dropped) + 1} ways dropped early, {result.processes} measurements, {result.seconds:.0f} s"
    )
