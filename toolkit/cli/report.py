"""``toolkit report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._common import console, json_option, plain, print_json, print_table, styled

if TYPE_CHECKING:
    from toolkit.pipeline.report.devices import Merged
    from toolkit.pipeline.report.rows import Row


@click.command(short_help="Put the reports of several devices beside each other.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="Write one self-contained HTML page.")
@json_option
def command(files: tuple[Path, ...], html: Path | None, json_to: str | None) -> None:
    """Merge FILES, the reports of toolkit check or toolkit benchmark --json, a column for each device.

    \b
    toolkit report laptop.json board.json --html devices.html
    """
    from toolkit.core.measurement import BenchmarkReport
    from toolkit.pipeline.report.devices import merge, write_devices

    merged = merge([BenchmarkReport.load(file) for file in files])
    if html:
        write_devices(merged, html)
    if json_to:
        devices = [{"name": each.name, "machine": each.report.machine, "ship": each.chosen.reason} for each in merged.devices]
        print_json({"model": merged.model, "devices": devices, "lines": merged.lines}, json_to)
    if json_to != "-":
        show(merged)


def show(merged: Merged) -> None:
    """Print one table for each way to call, then what to ship on each device."""
    from itertools import groupby

    for how, lines in groupby(merged.lines, key=lambda line: line.how):
        names = [f"device {number}" for number, _ in enumerate(merged.devices, 1)]
        cells = [[plain(line.artifact), plain(line.engine), *(_cell(row) for row in line.cells)] for line in lines]
        print_table(f"{merged.model}: {how}", ["artifact", "engine", *names], cells, right=names)
        console().print()
    for number, device in enumerate(merged.devices, 1):
        console().print(f"device {number} is {plain(device.name)}. [bold]{plain(device.chosen.reason)}[/]")


def _cell(row: Row | None) -> str:
    from toolkit.core.measurement import Scenario

    if row is None:
        return "–"
    if not row.ok:
        return "not measured"
    figure = row.throughput if row.scenario is Scenario.OFFLINE else row.latency
    # The interval is on the page; a terminal has no room for several.
    value, unit = figure.partition(" ")[0], figure.rpartition(" ")[2]
    return f"{value} {unit} {styled(row.parity)}"
