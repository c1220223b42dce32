"""``toolkit export card``."""

from __future__ import annotations

from pathlib import Path

import click

from .._common import Words, console, json_option, plain, print_json


@click.command(short_help="Write a model card (Hugging Face).")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The Markdown file to write, which must be new.")
@click.option("--artifact", "names", type=Words(list), help="Artifacts of the bundle. Default: all of its network.")
@json_option
def command(model: Path, out: Path, names: tuple[str, ...] | None, json_to: str | None) -> None:
    """Write a model card for MODEL, a bundle or an artifact, as Hugging Face shows it: README.md with YAML before it.

    What the model does, inputs and outputs, each artifact's metric with its interval, what the benchmark measured, limits, and the
    lines that load it. Licence, purpose and training data are left to you.

    \b
    toolkit export card artifacts/cnn --out artifacts/cnn/README.md
    toolkit export card artifacts/cnn --artifact onnx-int8 --out README.md
    """
    from toolkit.pipeline.export.card import export

    told = {"file": str(out), "artifacts": export(model, out, names=names or ())}
    if json_to:
        print_json(told, json_to)
    if json_to != "-":
        console().print(f"[bold]{plain(out)}[/]: {plain(', '.join(told['artifacts']))}")
        console().print("Left to you: the licence, what the model is meant for, and what it learned from.")
