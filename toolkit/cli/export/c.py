"""``toolkit export c``."""

from __future__ import annotations

from pathlib import Path

import click

from .._common import console, json_option, plain, print_json, size


@click.command(short_help="Write C sources for a microcontroller.")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write; an earlier export in it is replaced.")
@click.option(
    "--input", "inputs", multiple=True, metavar="[NAME=]FILE", help="Input file of the example, .npy or .npz. Default: seeded noise."
)
@json_option
def command(artifact: Path, out: Path, inputs: tuple[str, ...], json_to: str | None) -> None:
    """Write a TF Lite artifact as C sources for TensorFlow Lite Micro.

    The model as an aligned array with its manifest, the smallest arena that works, the operators to link, and a main
    that runs an example and compares. ARTIFACT is an artifact folder or a .tflite file. `make check` in the folder
    needs a C compiler only; what the firmware needs besides, its README says.

    \b
    toolkit export c artifacts/cnn/tflite-int8 --out firmware
    toolkit export c model.tflite --out firmware --input x.npy
    """
    from toolkit.pipeline.export.c import export
    from toolkit.pipeline.source.samples import read_inputs

    made = export(artifact, out, read_inputs(inputs))
    if json_to:
        print_json(made, json_to)
    if json_to == "-":
        return
    out_console = console()
    out_console.print(f"[bold]{plain(out)}[/]  {size(made.model_bytes)} of constants, an arena of {made.arena_bytes} bytes")
    out_console.print(f"operators: {plain(', '.join(f'{name} {count}' for name, count in made.operators.items()))}")
    out_console.print(f"files: {', '.join(made.files)}")
