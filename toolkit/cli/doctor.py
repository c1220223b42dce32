"""``toolkit doctor``."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import click

from ._common import console, json_option, plain, print_json, print_table, progress

if TYPE_CHECKING:
    from toolkit.pipeline.doctor import Diagnosis

_FEW = 5  # Converters that are not ready and are told one by one: with more, an extra is missing.
_EXTRA = re.compile(r"(pip install (?:--editable )?'[^'\[]+\[)([^'\]]+)(\][^']*')")


@click.command(short_help="Show the engines and devices of this machine, and what is missing.")
@click.option(
    "--install", type=click.Choice(["browser"]), help="Bring what pip does not: the engines for web pages, by npm, into the cache."
)
@json_option
def command(install: str | None, json_to: str | None) -> None:
    """Show the engines, devices and instruction sets of this machine, and the command that adds what is missing.

    \b
    toolkit doctor
    toolkit doctor --json
    toolkit doctor --install browser
    """
    if install:
        _install_browser()
        return
    from toolkit.pipeline.doctor import diagnose

    with progress() as display:
        bar = display.add_task("engines", total=None)
        found = diagnose(lambda done, total: display.update(bar, completed=done, total=total))
    if json_to:
        print_json(found, json_to)
    if json_to != "-":
        show(found)


def show(found: Diagnosis) -> None:
    """Print what is here as a table, and what is not by the extra that adds it: on a bare install that fits 80 x 24."""
    machine, out = found.machine, console()
    out.print(f"[bold]{plain(machine.cpu)}[/]  {machine.threads} threads for this process, {machine.memory_gib} GiB")
    out.print(f"instruction sets: {', '.join(machine.instruction_sets) or 'unknown'}")
    out.print(f"Python {machine.python}, {plain(machine.system)}\n")
    absent = [e for e in found.engines if e.problem and not e.version]
    rows = [
        [
            e.name,
            e.version or "-",
            ", ".join(e.formats),
            ", ".join(e.devices) or "-",
            f"[red]{plain(e.problem)}[/]" if e.problem else "[green]works[/]",
        ]
        for e in found.engines
        if e not in absent
    ]
    print_table("Engines", ["engine", "version", "formats", "devices", "state"], rows)
    if elsewhere := [f"{e.name} ({e.problem})" for e in absent if not e.install]:
        out.print(f"not here: {plain(', '.join(elsewhere))}")
    missing = [c for c in found.converters if c.missing]
    out.print(f"[bold]Converters[/]  {len(found.converters) - len(missing)} of {len(found.converters)} ready")
    if 0 < len(missing) <= _FEW:
        out.print("\n".join(f"  {c.name}: missing {', '.join(c.missing)}" for c in missing))
    for plugin in found.plugins:
        out.print(f"[red]{plain(plugin)}[/]")
    _show_repairs(found)


def _show_repairs(found: Diagnosis) -> None:
    """Print each command that adds or repairs something, and what; those that differ by their extra as one list."""
    brings: dict[str, list[str]] = {}
    for engine in found.engines:
        if engine.problem and engine.install:
            brings.setdefault(engine.install, []).append(engine.name)
    for install, count in Counter(c.install for c in found.converters if c.missing).items():
        brings.setdefault(install, []).append(f"{count} converter{'' if count == 1 else 's'}")
    extras = {match[2]: names for line, names in brings.items() if (match := _EXTRA.fullmatch(line))}
    if extras:
        command = _EXTRA.sub(r"\1EXTRA\3", next(line for line in brings if _EXTRA.fullmatch(line)))
        console().print(f"to add what is missing: {plain(command)}", soft_wrap=True)
        width = max(map(len, extras))
        for extra, names in sorted(extras.items()):
            console().print(f"  {extra:{width}}  {plain(', '.join(names))}")
    for install in sorted(line for line in brings if not _EXTRA.fullmatch(line)):
        console().print(f"to add {plain(', '.join(brings[install]))}: {plain(install)}", soft_wrap=True)


def _install_browser() -> None:
    from toolkit.runtimes.browser import install, missing, repair

    with progress() as display:
        task = display.add_task("npm", total=None)
        folder = install(lambda step: display.update(task, description=step))
    console().print(f"the engines for web pages are in {plain(folder)}", soft_wrap=True)
    if absent := missing():
        console().print(f"{plain(absent)}; run: {plain(repair())}", soft_wrap=True)
