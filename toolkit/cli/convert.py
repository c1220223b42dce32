"""``toolkit convert``."""

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
    evidence_line,
    format_names,
    json_option,
    model_names,
    plain,
    precision_names,
    print_json,
    print_table,
    progress,
    size,
    styled,
)

if TYPE_CHECKING:
    from toolkit.pipeline.convert import Row


@click.command(short_help="Convert a model and prove what arrived.")
@click.argument("source", shell_complete=complete(model_names, files=True))
@click.option("--to", "formats", type=Words(format_names), default="onnx,tflite,openvino", show_default=True, help="Target formats.")
@click.option(
    "--precision", "precisions", type=Words(precision_names), default="fp32,fp16,int8", show_default=True, help="Target precisions."
)
@data_options
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Weights (.safetensors) for a reference model or Python code named as SOURCE."
)
@click.option(
    "--input", "inputs", multiple=True, metavar="NAME:DTYPE[DIMS]", help="An input of Python code; a name in place of a size is free."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of bundles. Default: where the source's bundle is, else artifacts.")
@click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Points of the metric that int8 may lose.")
@click.option("--calibration", type=click.IntRange(min=1), default=512, show_default=True, help="Calibration samples at most.")
@click.option("--evaluation", type=click.IntRange(min=1), help="Evaluation samples at most. Default: all.")
@click.option("--batch-sizes", type=Numbers(), default="1,32", show_default=True, help="Batch signatures of TF Lite files.")
@click.option("--timeout", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds for each conversion step.")
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
    data: str | None,
    data_dir: Path | None,
    weights: Path | None,
    inputs: tuple[str, ...],
    out: Path | None,
    max_drop: float,
    calibration: int,
    evaluation: int | None,
    batch_sizes: tuple[int, ...],
    timeout: float,
    memory: float | None,
    json_to: str | None,
) -> None:
    """Convert SOURCE and prove what arrived.

    SOURCE is a reference model (toolkit models), a bundle or artifact folder, a .pt2, .onnx or .keras file, a SavedModel folder, or a
    PyTorch network in Python code (file.py:name or package.module:name, with --input; this code runs). Every target is
    calibrated on training samples, compared with the source on evaluation samples, and written to OUT/<model>/. One target
    that fails does not stop the others; the exit code is then 1.

    \b
    toolkit convert artifacts/cnn
    toolkit convert cnn --to onnx,openvino --precision fp32,int8,int8-weights
    toolkit convert model.pt2 --data samples.npz --out artifacts/
    toolkit convert net.py:make --weights net.safetensors
            --input 'image:float32[batch,3,224,224]' --data samples.npz
    """
    from toolkit.pipeline.convert import Request, convert, nodes, succeeded
    from toolkit.pipeline.sources import resolve_source, split_samples
    from toolkit.runtimes.parity import Limits

    targets = nodes(formats, precisions)
    with progress() as display:
        display.add_task(f"reading {source}", total=None)
        found = resolve_source(source, out=out or Path("artifacts"), weights=weights, data=data, inputs=inputs)
    # Before anything is written: samples that do not fit must not leave an imported model behind.
    split = split_samples(found.artifact, data, folder=data_dir, calibration=calibration, evaluation=evaluation)
    artifact = found.place()
    in_bundle = out is None and artifact.path.name == artifact.name
    folder = artifact.path.parent if in_bundle else (out or Path("artifacts")) / artifact.manifest.model
    memory_bytes = None if memory is None else int(memory * 2**30)
    request = Request(artifact, targets, folder, split, Limits(max_drop), batch_sizes, timeout, memory_bytes)
    with progress() as display:
        bar = display.add_task("converting", total=2 * len(targets))

        def on_progress(name: str, event: str) -> None:
            display.update(bar, advance=1, description=f"{name} {event}")

        rows = convert(request, on_progress=on_progress)
    if json_to:
        print_json(rows, json_to)
    if json_to != "-":
        show(rows, folder)
    if not succeeded(rows):
        raise click.exceptions.Exit(1)


def show(rows: list[Row], folder: Path) -> None:
    """Print what became of each target, and which were asked for that their format does not have."""
    cells = []
    for row in rows:
        if not row.available:
            continue
        made = row.artifact
        verdict = styled(made.verdict if made and made.verdict else "failed")
        reason = row.reason or (evidence_line(made) if made else "")
        took = "cached" if row.from_cache else f"{row.seconds:.1f} s" if made else "-"
        cells.append([row.target, size(made.size_bytes) if made else "-", took, verdict, plain(reason)])
    columns = ["artifact", "size", "took", "parity", "evidence"]
    print_table(f"{folder}", columns, cells, right=["size", "took"], whole=columns[:-1])
    missing = [row.target for row in rows if not row.available]
    if missing:
        console().print(f"not made, because the format has no such precision (toolkit formats): {', '.join(missing)}")
