"""``toolkit export bom``."""

from __future__ import annotations

from pathlib import Path

import click

from .._common import Words, console, json_option, plain, print_json


@click.command(short_help="Write a bill of materials (CycloneDX).")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The JSON file to write.")
@click.option("--artifact", "names", type=Words(list), help="Artifacts of the bundle. Default: all of its network.")
@json_option
def command(model: Path, out: Path, names: tuple[str, ...] | None, json_to: str | None) -> None:
    """Write what MODEL, a bundle or an artifact, consists of: a CycloneDX 1.6 bill of materials (ML-BOM) as JSON.

    Each artifact's files with their SHA-256, what they were made with, the engines they were verified in, inputs, outputs, task,
    and the figures of the evidence with their intervals. It is made from the manifests; every file is compared with its hash first.

    \b
    toolkit export bom artifacts/cnn --out cnn.cdx.json
    toolkit export bom artifacts/cnn --artifact onnx-int8 --out cnn.cdx.json
    """
    from toolkit.pipeline.export.bom import export

    told = {"file": str(out), "artifacts": export(model, out, names=names or ())}
    if json_to:
        print_json(told, json_to)
    if json_to != "-":
        console().print(f"[bold]{plain(out)}[/]: {plain(', '.join(told['artifacts']))}")
