"""``toolkit doctor``."""

from __future__ import annotations

import click

from ._common import console, json_option, plain, print_json, print_table


@click.command(short_help="Engines, devices and what is missing.")
@json_option
def command(json_to: str | None) -> None:
    """Show the engines, devices and instruction sets of this machine, and the command that adds what is missing.

    \b
    toolkit doctor
    toolkit doctor --json
    """
    from toolkit.pipeline.doctor import diagnose

    found = diagnose()
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
    missing = {e.install for e in found.engines if e.problem == "not installed"} | {c.install for c in found.converters if c.missing}
    for line in sorted(missing):
        out.print(f"to add what is missing: {plain(line)}")
