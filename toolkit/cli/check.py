"""``toolkit check``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from toolkit._interrupted import RESUMES, Interrupted

from ._commands import Command
from ._common import (
    Words,
    console,
    device_option,
    engine_names,
    json_option,
    plain,
    progress,
    rounds_option,
    say,
    say_estimate,
    seconds_option,
    threads_option,
)
from .benchmark import show


@click.command(cls=Command, interrupted=RESUMES, short_help="Verify and measure a packed bundle on this device.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--engine", "engines", type=Words(engine_names), default="all", show_default=True, help="Engines to use.")
@threads_option
@rounds_option
@seconds_option
@device_option
@click.option(
    "--trust",
    type=click.Path(path_type=Path),
    metavar="KEYS",
    help="A public key (PEM), or a folder of them: FILE is opened only if one of their owners signed it as it is.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The report. Default: <model>-<processor>.json here.")
@json_option
def command(
    file: Path,
    engines: tuple[str, ...],
    threads: tuple[int, ...] | None,
    rounds: int,
    seconds: float,
    device: str,
    trust: Path | None,
    out: Path | None,
    json_to: str | None,
) -> None:
    """Verify and measure what toolkit bundle packed into FILE, with the engines that are installed here.

    Outputs are compared with those of the trained model that travelled along. The report, a JSON file, is one column of toolkit
    report. Ctrl-C prints and writes what was measured so far; rerun the same command to resume. Exit code 1 unless every artifact
    passed.

    \b
    toolkit check cnn.zip
    toolkit check cnn.zip --engine litert --threads 1,4 --out phone.json
    toolkit check cnn.zip --trust release.pub
    """
    from toolkit.core import Verdict, this_machine, write_file
    from toolkit.core.measurement import Protocol
    from toolkit.pipeline.benchmark import BundleInterrupted, Plan, read_partial
    from toolkit.pipeline.bundle import check

    protocol = Protocol(rounds=rounds, min_seconds=seconds)

    def on_plan(plan: Plan) -> None:
        total = len(plan.settings) * rounds
        if plan.rounds_before:
            click.echo(f"resuming: {plan.rounds_before} of {total} rounds are measured; to measure all anew, remove their report", err=True)
        say_estimate(plan.least_s(protocol), of=f"{total} rounds of measuring")

    def report_file(model: str) -> Path:
        return out or Path(f"{model}-{re.sub(r'[^a-z0-9]+', '-', this_machine().cpu.lower()).strip('-')}.json")

    with progress() as display:
        bar = display.add_task("unpacking", total=None)
        try:
            report = check(
                file,
                engines=engines,
                device=device,
                threads=threads,
                protocol=protocol,
                trust=trust,
                on_signature=lambda text: say([f"{file.name}: {text}"]),
                before=lambda model: read_partial(report_file(model)),
                on_plan=on_plan,
                on_progress=lambda what, done, total: display.update(bar, description=what, completed=done, total=total),
            )
        except BundleInterrupted as stop:
            report = stop.report
    target = report_file(report.model)
    write_file(target, report.to_json())
    if json_to == "-":
        click.echo(report.to_json())
    else:
        show(report)
        console().print(f"{plain(target)}: merge it with those of other devices: toolkit report {plain(target.name)} ...")
    if json_to and json_to != "-":
        write_file(Path(json_to), report.to_json())
    if not report.complete:
        raise Interrupted(f"interrupted; what was measured is in {target}. Rerun the same command to resume")
    ran = [m for m in report.measurements if m.setting.engine]
    reports = [report.parity_of(m) for m in ran]
    if not ran or not all(m.ok for m in ran) or any(evidence is None or evidence.verdict is not Verdict.PASSED for evidence in reports):
        raise click.exceptions.Exit(1)
