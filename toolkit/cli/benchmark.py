"""``toolkit benchmark``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit._interrupted import RESUMES, Interrupted

from ._commands import Command
from ._common import (
    WIDE,
    Numbers,
    Words,
    console,
    data_options,
    device_option,
    engine_names,
    json_option,
    plain,
    print_table,
    progress,
    rounds_option,
    say,
    say_estimate,
    seconds_option,
    styled,
    threads_option,
)
from ._request import source_argument, source_options

if TYPE_CHECKING:
    from toolkit.core import Bundle, Samples
    from toolkit.core.measurement import BenchmarkReport, Protocol
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.recommend import Prefer
    from toolkit.pipeline.report.rows import Row
    from toolkit.pipeline.source.opened import Opened
    from toolkit.pipeline.source.sizing import Sizing
    from toolkit.runtimes.benchmark import RoundProgress

# What a narrow terminal, which has no column for parity, shows in place of the accuracy of an artifact that did not pass.
_SHORT = {"not verified": "unverified", "reference": "–"}


@click.command(
    cls=Command,
    interrupted=RESUMES,
    short_help="Measure a bundle and say which artifact to ship.",
)
@source_argument
@data_options
@source_options
@click.option("--engine", "engines", type=Words(engine_names), help="Engines to measure; 'all' for all. Default: those it was verified in.")
@threads_option
@click.option("--batch", "batches", type=Numbers(), default="1", show_default=True, help="Batch sizes.")
@click.option("--streams", type=Numbers(), help="Also measure throughput with N concurrent sessions.")
@rounds_option
@seconds_option
@device_option
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed for the order of the rounds.")
@click.option(
    "--prefer",
    type=click.Choice(["size", "precision", "latency"]),
    default="size",
    show_default=True,
    help="What decides among artifacts that are statistically tied.",
)
@click.option("--html", type=click.Path(path_type=Path), help="Write one self-contained HTML page.")
@json_option
def command(
    source: str,
    data: Given | None,
    data_dir: Path | None,
    weights: Path | None,
    inputs: tuple[str, ...],
    sizing: Sizing,
    engines: tuple[str, ...] | None,
    threads: tuple[int, ...] | None,
    batches: tuple[int, ...],
    streams: tuple[int, ...] | None,
    rounds: int,
    seconds: float,
    device: str,
    seed: int,
    prefer: str,
    html: Path | None,
    json_to: str | None,
) -> None:
    """Measure every artifact of SOURCE in every installed engine, and say which one to ship.

    SOURCE is a bundle, one artifact, or what toolkit convert takes, such as a bare model file. Where no data are known, inputs are random.
    Each row's rounds run in fresh processes, one at a time, in a random order; times are medians with 95 % intervals,
    speed-ups are paired ratios to ONNX Runtime fp32. Ctrl-C prints and keeps what was measured so far; the same
    command then resumes. Exit code 1 where a measurement failed, where nothing but the trained model could be measured, or where an
    artifact was made from another network.

    \b
    toolkit benchmark artifacts/cnn --threads 1,2 --batch 1,32 --html report.html
    toolkit benchmark artifacts/cnn --streams 2 --json report.json
    toolkit benchmark net.onnx --engine all
    """
    from dataclasses import replace

    from toolkit.core import EngineError, write_file
    from toolkit.core.measurement import Protocol
    from toolkit.pipeline.benchmark import check_sizes
    from toolkit.pipeline.recommend import Prefer, recommend
    from toolkit.pipeline.report import write_html
    from toolkit.pipeline.slower import slower_of
    from toolkit.pipeline.source.opened import opened
    from toolkit.pipeline.source.samples import split_samples

    protocol = Protocol(rounds=rounds, min_seconds=seconds, seed=seed)
    with opened(source, weights=weights, data=data, inputs=inputs, sizing=sizing) as found:
        subject = found.example
        samples = split_samples(subject, data, folder=data_dir, evaluation=2048, may_draw=True, sizing=sizing).evaluation
        check_sizes(subject, samples)
        say(found.notes)
        say(f"samples: {note}" for note in samples.notes)
        strangers = found.bundle.strangers()
        report = _measured(
            found.bundle,
            samples,
            protocol=protocol,
            only=found.artifact,
            engines=engines,
            device=device,
            threads=threads,
            batches=batches,
            streams=streams or (),
        )
        slow = slower_of(report, found.bundle.path)
    if prefer != Prefer.SIZE and (told := recommend(report, prefer=Prefer(prefer)).measurement):
        report = replace(report, shipped=told.setting)  # which an app's toolkit.load then follows
    failed = [m for m in report.measurements if m.setting.engine and not m.ok]
    measured = {m.setting.artifact for m in report.measurements if m.ok}
    if report.complete and not measured:
        raise EngineError(f"nothing could be measured: {(failed or report.measurements)[0].reason}")
    alone = measured == {subject.name} and len({m.setting.artifact for m in report.measurements}) > 1
    writes: list[Callable[[], object]] = [lambda: _keep(found, report)]
    if json_to and json_to != "-":
        writes.append(lambda: write_file(Path(json_to), report.to_json()))
    if html:
        writes.append(lambda: write_html(report, html, prefer=Prefer(prefer)))
    problems = [problem for write in writes if (problem := _problem(write))]
    if json_to == "-":
        click.echo(report.to_json())
    else:
        for line in slow:
            console().print(plain(str(line)))
        show(report, prefer=Prefer(prefer))
    if problems:
        raise problems[0]
    if not report.complete:
        raise Interrupted(_interrupted(found, report))
    if failed or alone or strangers:
        raise click.exceptions.Exit(1)


def _measured(bundle: Bundle, samples: Samples, *, protocol: Protocol, **options: Any) -> BenchmarkReport:
    """What `benchmark_bundle` with these options measured, or had measured when it was interrupted."""
    from toolkit.core.measurement import PARTIAL
    from toolkit.pipeline.benchmark import BundleInterrupted, Plan, benchmark_bundle, read_partial

    where = bundle.path / PARTIAL
    with progress() as display:
        bar = display.add_task("measuring", total=None)

        def on_plan(plan: Plan) -> None:
            total, before = len(plan.settings) * protocol.rounds, plan.rounds_before
            display.update(bar, total=total, completed=before)
            if before:
                click.echo(f"resuming: {before} of {total} rounds are measured; to measure all anew, remove {where}", err=True)
            say_estimate(plan.least_s(protocol), of=f"{total} rounds of measuring")

        def on_progress(step: RoundProgress) -> None:
            display.update(bar, total=step.total, completed=step.done, description=step.setting.artifact)

        try:
            return benchmark_bundle(
                bundle, samples, protocol=protocol, before=read_partial(where), on_plan=on_plan, on_progress=on_progress, **options
            )
        except BundleInterrupted as stop:
            return stop.report


def _keep(found: Opened, report: BenchmarkReport) -> None:
    """Write the report into the bundle, unless it is gone already; that of a single artifact is none by which an app could choose."""
    from toolkit.pipeline.benchmark import keep_partial, keep_report

    if found.kept and not report.complete and _rounds(report):
        keep_partial(found.bundle, report)
    elif found.kept and report.complete and found.artifact is None:
        keep_report(found.bundle, report)


def _rounds(report: BenchmarkReport) -> int:
    return sum(len(m.rounds) for m in report.measurements)


def _interrupted(found: Opened, report: BenchmarkReport) -> str:
    """What an interrupted benchmark has measured, and how it resumes."""
    from toolkit.core.measurement import PARTIAL

    done = _rounds(report)
    if not done:
        return "interrupted before the first round had ended: the same command starts anew"
    told = f"interrupted; {done} round{'' if done == 1 else 's'}"
    if not found.kept:
        return f"{told} above; the same command starts anew"
    return f"{told} kept in {found.bundle.path / PARTIAL}. Rerun the same command to resume"


def _problem(write: Callable[[], object]) -> Exception | None:
    """The error of a write that failed: it is told after the measurements, which took minutes, are shown."""
    from toolkit.core import ToolkitError

    try:
        write()
    except (ToolkitError, OSError) as error:
        return error
    return None


def _short(row: Row) -> str:
    """The accuracy, with a mark where it is undecided; else the verdict."""
    if row.parity == "passed":
        return row.accuracy
    return f"{row.accuracy} ?" if row.parity == "undecided" else _SHORT.get(row.parity, row.parity)


def show(report: BenchmarkReport, *, prefer: Prefer | None = None) -> None:
    """Print one table for each scenario, thread count and batch, the failed rows, and the recommendation."""
    from itertools import groupby

    from toolkit.core.measurement import Scenario
    from toolkit.pipeline.recommend import Prefer, recommend
    from toolkit.pipeline.report.rows import head_of, table_rows

    head = head_of(report)
    named = "accuracy" if head.name == "accuracy" else "metric"
    wide = console().width >= WIDE
    chosen = recommend(report, prefer=prefer or Prefer.SIZE)
    rows = table_rows(report, recommendation=chosen)
    good = sorted((r for r in rows if r.ok), key=lambda r: (r.scenario != Scenario.SINGLE_STREAM, r.threads, r.batch, r.streams))
    for (scenario, threads, batch, streams), group in groupby(good, key=lambda r: (r.scenario, r.threads, r.batch, r.streams)):
        single = scenario == Scenario.SINGLE_STREAM
        title = f"{report.model}: {scenario}, {threads} thread{'s' if threads > 1 else ''}, batch {batch}"
        title += "" if single else f", {streams} streams"
        figure = "latency" if single else "samples/s"
        cells = [
            [
                f"[bold]{plain(r.artifact)}[/]" if r.recommended else plain(r.artifact),
                plain(r.engine),
                plain(r.latency if single else r.throughput),
                plain(r.ratio if wide else r.ratio.partition(" ")[0].removesuffix("×")),
                styled(r.parity),
                plain(r.accuracy if wide else _short(r)),
                r.size,
                r.memory,
            ]
            for r in group
        ]
        columns = ["artifact", "engine", figure, "speed", "parity", named, "size", "memory"]
        print_table(title, columns, cells, right=["speed", named, "size", "memory"], whole=columns, spare=["parity", "memory"])
        console().print()
    if named != head.name:
        console().print(f"metric: {plain(head.text)}")
    if not wide and any(r.parity == "undecided" for r in good):
        console().print("?: undecided, the samples are too few to confirm the limit")
    for row in rows:
        if not row.ok:
            console().print(f"[red]{plain(row.artifact)} {plain(row.engine)}[/]: {plain(row.note)}")
    if report.drawn:
        console().print(f"measured on {report.samples}: no data are known; name some with --data")
    if not report.complete:
        console().print("The run was interrupted: these are the rounds that had ended.")
    console().print(f"[bold]{plain(chosen.reason)}[/]")
