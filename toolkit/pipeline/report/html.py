"""The benchmark report as one HTML file that needs nothing else: no network, no script, no font."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import POINTS, Verdict, needs, write_file
from toolkit.core.measurement import BenchmarkReport, Measurement, Protocol, Scenario

from .. import text
from ..recommend import Prefer, Recommendation, recommend
from .plot import Point, pareto_front, pareto_svg
from .rows import Row, head_of, table_rows

if TYPE_CHECKING:
    from jinja2 import Environment

_MAX_LABELS = 16


@dataclass(frozen=True)
class Plot:
    """One plot in two shapes, of which the page shows the one that fits its width; what it has is what its caption speaks of."""

    heading: str
    wide: str
    narrow: str
    front: tuple[str, ...]
    ring: bool
    hollow: bool


@dataclass(frozen=True)
class Group:
    """The rows of one setting, and the heading over them."""

    heading: str
    rows: tuple[Row, ...]


def write_html(report: BenchmarkReport, path: Path, *, threads: int | None = None, batch: int = 1, prefer: Prefer = Prefer.SIZE) -> None:
    """Write the report as one self-contained page.

    Args:
        report: what was measured.
        path: the file to write; it appears whole or not at all.
        threads: of the settings that the recommendation chooses from; None for any.
        batch: the same.
        prefer: what decides a tie.

    Raises:
        MissingDependencyError: Jinja2 or matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    write_file(path, render_html(report, threads=threads, batch=batch, prefer=prefer))


def environment() -> Environment:
    """Where the pages of this folder are filled in; raises `MissingDependencyError`."""
    with needs("report"):
        import jinja2
        import markupsafe
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["svg"] = markupsafe.Markup  # drawn here from escaped labels, not taken from the report
    found.filters["sentence"] = text.sentence
    found.filters["moment"] = text.moment
    return found


def render_html(report: BenchmarkReport, *, threads: int | None = None, batch: int = 1, prefer: Prefer = Prefer.SIZE) -> str:
    """The page that `write_html` writes."""
    chosen = recommend(report, threads=threads, batch=batch, prefer=prefer)
    rows = table_rows(report, recommendation=chosen)
    return (
        environment()
        .get_template("benchmark.html")
        .render(
            report=report,
            chosen=chosen,
            chosen_row=next((row for row in rows if row.recommended), None),
            plots=_plots(report, chosen),
            latency=_groups([row for row in rows if row.ok and row.scenario is Scenario.SINGLE_STREAM]),
            throughput=_groups([row for row in rows if row.ok and row.scenario is Scenario.OFFLINE]),
            parity=_parity_rows(rows),
            failed=[row for row in rows if not row.ok],
            head=head_of(report),
            machine=_machine(report),
            protocol=_protocol(report.protocol),
            dash=text.NONE,
        )
    )


def _groups(rows: list[Row]) -> list[Group]:
    def cell(row: Row) -> tuple[str, int, int, int]:
        return (row.device, row.threads, row.batch, row.streams)

    groups: list[Group] = []
    for (device, threads, batch, streams), members in groupby(rows, cell):
        groups.append(Group(_heading(device, threads=threads, batch=batch, streams=streams), tuple(members)))
    return groups


def _heading(device: str, *, threads: int, batch: int, streams: int) -> str:
    parts = [f"batch {batch}", f"{threads} thread{'' if threads == 1 else 's'}"]
    parts += [f"{streams} stream{'' if streams == 1 else 's'}"] if streams > 1 else []
    return ", ".join([*parts, device])


def _parity_rows(rows: tuple[Row, ...]) -> list[Row]:
    """One row for each artifact in each engine on each device."""
    unique = {(row.artifact, row.engine, row.device): row for row in reversed(rows) if row.engine != text.NONE}
    return sorted(unique.values(), key=lambda row: (row.artifact, row.engine, row.device))


def _machine(report: BenchmarkReport) -> dict[str, str]:
    machine = report.machine
    engines = {m.setting.engine: str(m.actual.get("engine_version", "")) for m in report.measurements if m.ok}
    return {
        "Processor": machine.cpu,
        "Instruction sets": ", ".join(machine.instruction_sets) or text.NONE,
        "Threads for this process": str(machine.threads),
        "Memory": f"{machine.memory_gib:g} GiB",
        "Governor": machine.governor or "unknown",
        "System": machine.system,
        "Python": machine.python,
        "Load average before, after": f"{report.load_before:.2f}, {report.load_after:.2f}",
        "Engines": ", ".join(f"{name} {version}".strip() for name, version in sorted(engines.items())) or text.NONE,
        "Packages": ", ".join(f"{name} {version}" for name, version in sorted(machine.versions.items())) or text.NONE,
        "Fingerprint": machine.fingerprint,
        "Samples": samples_text(report),
    }


def samples_text(report: BenchmarkReport) -> str:
    """The samples by name and hash, as far as they are known."""
    return ", ".join([report.samples or "unnamed", *([f"SHA-256 {report.samples_sha256[:16]}"] if report.samples_sha256 else [])])


def _protocol(protocol: Protocol) -> dict[str, str]:
    return {
        "Rounds": str(protocol.rounds),
        "Warm-up of a round, at least": f"{protocol.warmup_seconds:g} s and {protocol.warmup_calls} calls",
        "Measured in a round, at least": f"{protocol.min_seconds:g} s and {protocol.min_calls} calls",
        "Different batches, in turn": str(protocol.inputs),
        "Time limit of a process": f"{protocol.timeout_s:g} s",
        "Random seed": str(protocol.seed),
    }


def _plots(report: BenchmarkReport, chosen: Recommendation) -> list[Plot]:
    """A plot for each setting with accuracy evidence; the recommendation's comes first."""
    cells: dict[tuple[object, ...], list[Measurement]] = {}
    for m in report.measurements:
        evidence = report.parity_of(m)
        if m.ok and m.setting.scenario is Scenario.SINGLE_STREAM and evidence and evidence.task:
            cells.setdefault(m.setting.cell, []).append(m)
    own = chosen.measurement.setting.cell if chosen.measurement else None
    return [_plot(cells[cell], report, chosen) for cell in sorted(cells, key=lambda cell: (cell != own, cell))]


def _plot(measurements: list[Measurement], report: BenchmarkReport, chosen: Recommendation) -> Plot:
    several = {m.setting.artifact for m in measurements if sum(o.setting.artifact == m.setting.artifact for o in measurements) > 1}
    points = [_point(m, report, chosen, with_engine=m.setting.artifact in several) for m in measurements]
    setting = measurements[0].setting
    heading = _heading(setting.device, threads=setting.threads, batch=setting.batch, streams=setting.streams)
    evidence = report.parity_of(measurements[0])
    assert evidence is not None
    assert evidence.task is not None
    task = evidence.task
    unit = "%" if task.unit == POINTS else task.unit
    metric, whole = f"{task.name}, {unit}" if unit else task.name, 100.0 if task.unit == POINTS else math.inf
    front = pareto_front(points)
    labels = tuple(f"{p.label}: {text.duration(p.latency[0])}, {task.value(p.quality[0] / task.scale)}" for p in front)
    title = f"{task.name} against latency, {heading}. The front: {'; '.join(labels) or 'no artifact passed parity'}"
    return Plot(
        heading,
        pareto_svg(points, title=title, metric=metric, width=9.4, height=4.6, all_labels=len(points) <= _MAX_LABELS, whole=whole),
        pareto_svg(points, title=title, metric=metric, width=4.4, height=4.4, all_labels=False, whole=whole),
        labels,
        any(p.recommended for p in points),
        any(not p.passed for p in points),
    )


def _point(m: Measurement, report: BenchmarkReport, chosen: Recommendation, *, with_engine: bool) -> Point:
    evidence = report.parity_of(m)
    assert evidence is not None
    task = evidence.task
    assert task is not None
    low, high = sorted(task.below(drop) for drop in (task.drop_high, task.drop_low))
    return Point(
        label=f"{m.setting.artifact}, {m.setting.engine}" if with_engine else m.setting.artifact,
        engine=m.setting.engine,
        precision=m.setting.precision,
        latency=(m.latency_ns.value, m.latency_ns.low, m.latency_ns.high),
        quality=(task.scale * task.candidate, low, high),
        higher_is_better=task.higher_is_better,
        passed=evidence.verdict is Verdict.PASSED,
        recommended=chosen.measurement is not None and chosen.measurement.setting == m.setting,
    )
