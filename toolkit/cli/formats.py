"""``toolkit formats``."""

from __future__ import annotations

import click

from ._common import json_option, print_json, print_table


@click.command(short_help="List the formats with their precisions, paths and engines.")
@click.option("--markdown", is_flag=True, help="Print the table of the README.")
@json_option
def command(markdown: bool, json_to: str | None) -> None:
    """List what a PyTorch model can become: format, precision, conversion path, engines.

    \b
    toolkit formats
    toolkit formats --markdown
    """
    from toolkit.pipeline.support import support_table, supported

    if markdown:
        click.echo(support_table())
        return
    rows = supported()
    if json_to:
        print_json(rows, json_to)
    if json_to != "-":
        cells = [[row.format, row.precision, " > ".join(row.path), ", ".join(row.engines)] for row in rows]
        print_table("From a .pt2 file", ["format", "precision", "path", "engines"], cells)
