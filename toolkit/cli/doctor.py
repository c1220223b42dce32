"""``toolkit doctor``."""

from __future__ import annotations

import click

from ._common import console, json_option, plain, print_json, print_table, progress


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
    if json_to == "-":
        return
    machine = found.machine
    out = console()
    out.print(f"[bold]{plain(machine.cpu)}[/]  {machine.threads} threads for this process, {machine.memory_gib} GiB")
    out.print(f"instruction sets: {', '.join(machine.instruction_sets) or 'unknown'}")
    out.print(f"Python {machine.python}, {plain(machine.system)}\n")
    rows = [
        [
            e.name,
            e.version or "-",
            ", ".join(e.formats),
            ", ".join(e.devices) or "-",
            f"[red]{plain(e.problem)}[/]" if e.problem else "[green]works[/]",
        ]
        for e in found.engines
    ]
    print_table("Engines", ["engine", "version", "formats", "devices", "state"], rows)
    ready = [c for c in found.converters if not c.missing]
    out.print(f"\n[bold]Converters[/]  {len(ready)} of {len(found.converters)} ready")
    for converter in found.converters:
        if converter.missing:
            out.print(f"  {converter.name}: missing {', '.join(converter.missing)}")
    for plugin in found.plugins:
        out.print(f"[red]{plain(plugin)}[/]")
    repairs = {e.install for e in found.engines if e.problem} | {c.install for c in found.converters if c.missing}
    for line in sorted(repairs - {""}):
        out.print(f"to add what is missing: {plain(line)}", soft_wrap=True)


def _install_browser() -> None:
    from toolkit.runtimes.browser import install, missing, repair

    with progress() as display:
        task = display.add_task("npm", total=None)
        folder = install(lambda step: display.update(task, description=step))
    console().print(f"the engines for web pages are in {plain(folder)}", soft_wrap=True)
    if absent := missing():
        console().print(f"{plain(absent)}; run: {plain(repair())}", soft_wrap=True)
