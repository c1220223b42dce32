"""``toolkit optimize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._common import (
    Numbers,
    Words,
    complete,
    console,
    data_options,
    format_names,
    json_option,
    model_names,
    plain,
    precision_names,
    print_json,
    print_table,
    progress,
    size,
)

if TYPE_CHECKING:
    from toolkit.pipeline.optimize import Optimized


@click.command(short_help="Find the best artifact to ship on this machine.")
@click.argument("source", shell_complete=complete(model_names, files=True))
@click.option("--budget", type=click.Choice(["latency", "throughput", "size"]), default="latency", show_default=True, help="What is small.")
@click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Points of the metric that may be lost.")
@click.option("--to", "formats", type=Words(format_names), default="onnx,tflite,openvino", show_default=True, help="Formats to try.")
@click.option(
    "--precision",
    "precisions",
    type=Words(precision_names),
    default="fp32,fp16,bf16,int8,int8-dynamic,int8-weights",
    show_default=True,
    help="Precisions to try.",
)
@data_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder of bundles. Default: where the source's bundle is, else artifacts.")
@click.option("--calibration", type=click.IntRange(min=1), default=512, show_default=True, help="Samples that fix integer ranges.")
@click.option("--choice", type=click.IntRange(min=1), default=2000, show_default=True, help="Samples that choose layers for float.")
@click.option("--batch-sizes", type=Numbers(), default="1,32", show_default=True, help="Batch signatures of TF Lite files.")
@click.option("--timeout", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds for each step.")
@json_option
def command(
    source: str,
    budget: str,
    max_drop: float,
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    data: str | None,
    data_dir: Path | None,
    out: Path | None,
    calibration: int,
    choice: int,
    batch_sizes: tuple[int, ...],
    timeout: float,
    json_to: str | None,
) -> None:
    """Find the format, precision, engine and number of threads with which SOURCE is best on this machine.

    All are made and measured once; what is far behind the best that passed is not measured again. The one to ship is copied to
    OUT/<model>-shipped. The same command goes on where it was killed.

    \b
    toolkit optimize artifacts/cnn
    toolkit optimize net.onnx --data samples.npz --budget size --max-drop 0.5
    """
    from toolkit.pipeline.convert import Request, nodes
    from toolkit.pipeline.optimize import Budget, optimize
    from toolkit.pipeline.quantize import divide
    from toolkit.pipeline.sources import resolve_source, split_samples
    from toolkit.runtimes.parity import Limits

    targets = nodes(formats, precisions)
    found = resolve_source(source, out=out or Path("artifacts"), data=data)
    split, choosing = divide(split_samples(found.artifact, data, folder=data_dir, calibration=calibration), choice)
    artifact = found.place()
    in_bundle = out is None and artifact.path.name == artifact.name
    folder = artifact.path.parent if in_bundle else (out or Path("artifacts")) / artifact.manifest.model
    request = Request(artifact, targets, folder, split, Limits(max_drop), batch_sizes, timeout)
    with progress() as display:
        bar = display.add_task("converting", total=None)

        def on_progress(what: str, done: int, total: int) -> None:
            display.update(bar, description=what, completed=done, total=total or None)

        result = optimize(request, choice=choosing, budget=Budget(budget), on_progress=on_progress)
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
        cells.append([each.artifact, each.engine, str(each.threads), latency, size(each.size_bytes), plain(each.evidence), mark])
    columns = ["artifact", "engine", "threads", "a call", "size", "evidence", ""]
    print_table("nothing that passed is both faster and smaller", columns, cells, right=["threads", "a call", "size"], whole=columns[:5])
    console().print(plain(result.reason))
    console().print(
        f"{plain(result.folder)}: {result.shipped.artifact} in {result.shipped.engine} with {result.shipped.threads} threads; "
        f"{len(result.dropped)} of {len(result.dropped) + 1} ways dropped early, {result.processes} measurements, {result.seconds:.0f} s"
    )
