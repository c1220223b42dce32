"""``toolkit run``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import complete, console, device_option, engine_names, json_option, plain, print_json, print_table, progress


@click.command(short_help="Run a model once on inputs from files.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--input", "inputs", multiple=True, required=True, metavar="[NAME=]FILE", help="Input file, .npy or .npz; repeat for several inputs."
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the outputs to this .npz.")
@click.option(
    "--engine",
    shell_complete=complete(engine_names),
    help="Engine's name. Default: the fastest for a bundle, else the first installed one.",
)
@device_option
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the engine. Default: all that this process may use.")
@json_option
def command(
    model: Path, inputs: tuple[str, ...], output: Path | None, engine: str | None, device: str, threads: int | None, json_to: str | None
) -> None:
    """Run MODEL (a bundle, an artifact or a model file) once on inputs from files.

    \b
    toolkit run artifacts/cnn --input x.npy
    toolkit run model.onnx --input image=x.npy --output y.npz
    """
    import io

    import numpy as np

    from toolkit.core import write_arrays, write_file
    from toolkit.pipeline.run import run_once
    from toolkit.pipeline.source.samples import read_inputs

    arrays = read_inputs(inputs)
    with progress() as display:
        display.add_task(f"running {plain(model.name)}", total=None)
        answer = run_once(model, arrays, engine=engine, device=device, threads=threads)
    outputs, actual = answer.outputs, answer.actual
    if output:
        buffer = io.BytesIO()
        write_arrays(buffer, outputs)
        write_file(output, buffer.getvalue())
    if json_to:
        print_json({name: array.tolist() for name, array in outputs.items()}, json_to)
    if json_to != "-":
        console().print(f"{actual.engine} {actual.engine_version}, {actual.device}, {actual.arithmetic}, {actual.threads} threads")
        rows = [
            [plain(name), f"{array.dtype}{list(array.shape)}", plain(np.array2string(array.ravel()[:6], precision=4)), _labels(array)]
            for name, array in outputs.items()
        ]
        print_table("Outputs", ["output", "type", "first values", "largest at"], rows)


def _labels(array: object) -> str:
    import numpy as np

    scores = np.asarray(array)
    return ", ".join(map(str, scores.argmax(axis=1)[:8])) if scores.ndim == 2 and scores.shape[1] > 1 else "-"
