"""What is supported, out of the registries themselves: formats, precisions, recipes, engines."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from toolkit.converters.base import Node
from toolkit.converters.planner import plan, reachable
from toolkit.converters.recipes import NamedRecipe, builtin_recipe, builtin_recipes
from toolkit.core import Format, InputError, Precision
from toolkit.formats import find_format
from toolkit.runtimes import known_runtimes


@dataclass(frozen=True)
class Support:
    """One precision of one format: the path of converters that leads there from a .pt2 file, and the engines that run it."""

    format: Format
    precision: Precision
    path: tuple[str, ...]
    engines: tuple[str, ...]


def supported() -> tuple[Support, ...]:
    """Every kind of artifact that can be made from a trained PyTorch model, installed or not."""
    start = Node(Format.PT2, Precision.FP32)
    rows = []
    for node in sorted(reachable(start), key=lambda n: (n.format, list(Precision).index(n.precision))):
        path = tuple(converter.name for converter in plan(start, node))
        engines = tuple(runtime.name for runtime in known_runtimes(node.format, node.precision))
        rows.append(Support(node.format, node.precision, path, engines))
    return tuple(rows)


@dataclass(frozen=True)
class RecipeRow:
    """A built-in recipe and the formats that can do what it chooses."""

    recipe: NamedRecipe
    formats: tuple[Format, ...]


def recipe_rows(name: str | None = None) -> tuple[RecipeRow, ...]:
    """Every built-in recipe, or the one called `name`; raises `UnknownNameError`."""
    recipes = builtin_recipes().values() if name is None else (builtin_recipe(name),)
    return tuple(RecipeRow(recipe, formats_for(recipe)) for recipe in recipes)


def formats_for(recipe: NamedRecipe) -> tuple[Format, ...]:
    """The formats with an edge from a .pt2 file that can do what a recipe chooses."""
    start, found = Node(Format.PT2, Precision.FP32), []
    for node in sorted(reachable(start), key=lambda n: n.format):
        if node.precision is recipe.precision:
            with contextlib.suppress(InputError):
                plan(start, node)[-1].check_choices(recipe.choices, recipe.keep_float)
                found.append(node.format)
    return tuple(found)


def support_table() -> str:
    """`supported` as a Markdown table: a row a format, a column a precision, in each cell the engines."""
    rows = [row for row in supported() if row.format is not Format.PT2]
    lines = ["| format | " + " | ".join(Precision) + " |", "| --- |" + " --- |" * len(Precision)]
    for format in dict.fromkeys(row.format for row in rows):
        cells = {row.precision: ", ".join(row.engines) for row in rows if row.format is format}
        lines.append(f"| {find_format(format).title} | " + " | ".join(cells.get(precision, "–") for precision in Precision) + " |")
    return "\n".join(lines)
