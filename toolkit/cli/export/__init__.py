"""``toolkit export``: each of its commands is a file of this folder."""

from __future__ import annotations

import click

from .._commands import Commands


@click.group(cls=Commands, package=__name__, short_help="Export an artifact to where no toolkit is, and what it is.", no_args_is_help=True)
def command() -> None:
    """Write an artifact as something that runs elsewhere, or what it is as a file that others read.

    \b
    toolkit export web artifacts/cnn/onnx-int8 --out site
    toolkit export app artifacts/cnn/onnx-int8 --lang python --out app
    toolkit export c artifacts/cnn/tflite-int8 --out firmware
    toolkit export card artifacts/cnn --out artifacts/cnn/README.md
    toolkit export bom artifacts/cnn --out cnn.cdx.json
    """
