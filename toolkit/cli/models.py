"""``toolkit models``."""

from __future__ import annotations

import click

from ._common import json_option, plain, print_json, print_table


@click.command(short_help="List the reference models.")
@json_option
def command(json_to: str | None) -> None:
    """List the reference models that `toolkit train` knows.

    \b
    toolkit models
    toolkit models --json
    """
    from toolkit.models import all_models

    models = [{"name": m.name, "summary": m.summary, "paper": m.paper} for m in all_models()]
    if json_to:
        print_json(models, json_to)
    if json_to != "-":
        print_table("Reference models", ["model", "what it is", "source"], [[plain(v) for v in m.values()] for m in models])
