"""``toolkit models``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._common import console, json_option, plain, print_json, print_table

if TYPE_CHECKING:
    from toolkit.models.results import ModelResult

_WIDE = 110
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@click.command(short_help="List the reference models.")
@json_option
def command(json_to: str | None) -> None:
    """List the reference models that `toolkit train` knows, with what each has reached and what it became.

    Params are learned numbers, MACs the multiply-adds of one answer. Quality is that of the trained network on test data, as the project's
    own full training found it, and passed how many of its artifacts hold parity; docs/models.md has every one.

    \b
    toolkit models
    toolkit models --json
    """
    from dataclasses import asdict

    from toolkit.models import all_models
    from toolkit.models.results import known_results

    results = known_results()
    models = [(model, [result for result in results if result.model == model.name]) for model in all_models()]
    if json_to:
        told = [{"name": m.name, "summary": m.summary, "paper": m.paper, "results": [asdict(r) for r in own]} for m, own in models]
        print_json(told, json_to)
    if json_to == "-":
        return
    # Where there is no room, names and figures are worth more than what a name says already.
    wide = console().width >= _WIDE
    rows = []
    for model, own in models:
        about = [plain(model.summary)] if wide else []
        rows += [[plain(model.name), *about, *_figures(result)] for result in own] or [[plain(model.name), *about, *["-"] * 5]]
    figures = ["params", "MACs", "data", "quality", "passed"]
    head = ["model", *(["what it is"] if wide else []), *figures]
    print_table("Reference models", head, rows, right=figures[:2], whole=["model", *figures])


def _figures(result: ModelResult) -> list[str]:
    from toolkit.models.results import figure

    quality = "-"
    if result.quality is not None:
        name = "" if result.metric == "accuracy" else f"{result.metric.split()[-1]} "
        quality = name + figure(result.metric, result.quality, ".3g")
    return [_short(result.parameters), _short(result.multiply_adds), plain(result.data), quality, _passed(result)]


def _short(number: int) -> str:
    return next((f"{number / unit:.1f}{letter}" for unit, letter in _UNITS if number >= unit), str(number))


def _passed(result: ModelResult) -> str:
    return f"{sum(cell.verdict == 'passed' for cell in result.cells)}/{len(result.cells)}"
