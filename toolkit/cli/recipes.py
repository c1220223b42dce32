"""``toolkit recipes``."""

from __future__ import annotations

import click

from ._common import complete, json_option, plain, print_json, print_table, recipe_names


@click.command(short_help="List the quantization recipes.")
@click.argument("name", required=False, shell_complete=complete(recipe_names))
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a recipe file.")
@json_option
def command(name: str | None, schema: bool, json_to: str | None) -> None:
    """List the built-in recipes, or print one as TOML, to save and to change.

    An artifact that a recipe makes is called <format>-<recipe>. toolkit convert --recipe takes names and files.

    \b
    toolkit recipes
    toolkit recipes int8-percentile > mine.toml
    toolkit recipes --schema
    """
    from toolkit.converters.recipes import recipe_schema, recipe_text
    from toolkit.pipeline.support import recipe_rows

    if schema:
        print_json(recipe_schema(), json_to)
    elif name is not None and not json_to:
        click.echo(recipe_text(name), nl=False)
    else:
        rows = recipe_rows(name)
        if json_to:
            print_json(rows, json_to)
        if json_to != "-":
            cells = [[row.recipe.name, plain(row.recipe.about), ", ".join(row.formats)] for row in rows]
            print_table("Recipes", ["name", "what it does", "formats"], cells, whole=["name"])
