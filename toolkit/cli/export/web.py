"""``toolkit export web``."""

from __future__ import annotations

from pathlib import Path

import click

from .._common import console, json_option, plain, print_json, print_table, size


@click.command(short_help="Write a static page that runs a model in a browser.")
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="The folder to write.")
@json_option
def command(artifact: Path, out: Path, json_to: str | None) -> None:
    """Write a static page that runs ARTIFACT in the browser of its visitor.

    ARTIFACT is an artifact folder, or a bare .onnx or .tflite file. A classifier of grey images answers to what is drawn, one of
    colour images to pictures and the camera; a net of Go in ONNX plays on a board, with tree search; any other model takes inputs as
    JSON, .npz or .npy. The folder may be put on any static host; once loaded the page works without a network.

    \b
    toolkit export web artifacts/cnn/onnx-int8 --out site
    toolkit export web models/alphago/nets/go-9x9/onnx-int8 --out site
    python -m http.server --directory site
    """
    from toolkit.pipeline.export.web import export_web

    site = export_web(artifact, out)
    if json_to:
        print_json(site, json_to)
    if json_to == "-":
        return
    rows = [[name, size(count)] for name, count in site.sizes.items()]
    print_table(str(site.folder), ["file", "size"], rows, right=["size"])
    total = f"{size(site.size_bytes)} in {len(rows)} files, with {site.engine}"
    console().print(f"{total}; see it: python -m http.server --directory {plain(site.folder)}", soft_wrap=True)
