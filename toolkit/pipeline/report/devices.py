"""Reports of several devices beside each other: a row for each way to run the model, a column for each device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from toolkit.core import InputError, write_file
from toolkit.core.measurement import BenchmarkReport, Scenario

from .. import text
from ..recommend import Recommendation, recommend
from .html import environment, samples_text
from .rows import Row, table_rows

_NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Device:
    """One report: ``name`` is its column's, ``chosen`` what to ship there."""

    name: str
    report: BenchmarkReport
    chosen: Recommendation


@dataclass(frozen=True)
class Line:
    """One way to run the model; ``cells`` has a row for each device, None where its report has nothing of it."""

    artifact: str
    engine: str
    how: str
    cells: tuple[Row | None, ...]


@dataclass(frozen=True)
class Merged:
    """What several devices measured of one model; ``lines`` by the way to call, then the fastest on the first device first."""

    model: str
    devices: tuple[Device, ...]
    lines: tuple[Line, ...]

    @property
    def groups(self) -> tuple[tuple[str, tuple[Line, ...]], ...]:
        """The lines of each way to call."""
        return tuple((how, tuple(lines)) for how, lines in groupby(self.lines, key=lambda line: line.how))


def merge(reports: Sequence[BenchmarkReport]) -> Merged:
    """Put the reports of one model beside each other; raises `InputError` for those of different models."""
    models = list(dict.fromkeys(report.model for report in reports))
    if len(models) != 1:
        raise InputError("reports of different models cannot be merged", expected="one model", got=", ".join(models))
    devices: list[Device] = []
    for report in reports:
        name = f"{report.machine.cpu}, {report.machine.threads} thread{'' if report.machine.threads == 1 else 's'}"
        same = sum(device.name.partition(" #")[0] == name for device in devices)
        devices.append(Device(f"{name} #{same + 1}" if same else name, report, recommend(report)))
    columns = [{_key(row, device.report): row for row in reversed(table_rows(device.report))} for device in devices]
    # The rows of a report come fastest first, failed ones last; what a device has nothing of stands behind.
    places = [{key: place for place, (key, row) in enumerate(reversed(column.items())) if row.ok} for column in columns]
    keys = dict.fromkeys(key for column in columns for key in column)

    def order(key: tuple[str, str, str]) -> tuple[object, ...]:
        return key[2] == _NOT_MEASURED, key[2], *(place.get(key, math.inf) for place in places), key

    lines = [Line(*key, tuple(column.get(key) for column in columns)) for key in sorted(keys, key=order)]
    return Merged(models[0], tuple(devices), tuple(lines))


def _key(row: Row, report: BenchmarkReport) -> tuple[str, str, str]:
    """What makes rows of two devices the same: the threads by number only where they are neither one nor all of the device's.

    What no engine of the device takes was measured in no setting.
    """
    if row.engine == text.NONE:
        return row.artifact, row.engine, _NOT_MEASURED
    threads = "1 thread" if row.threads == 1 else "all threads" if row.threads == report.machine.threads else f"{row.threads} threads"
    parts = [row.device, f"batch {row.batch}", threads]
    if row.scenario is Scenario.OFFLINE:
        parts.append(f"{row.streams} stream{'' if row.streams == 1 else 's'}")
    return row.artifact, row.engine, ", ".join(parts)


def write_devices(merged: Merged, path: Path) -> None:
    """Write one self-contained page.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
        StorageError: the file cannot be written.
    """
    filled = environment()
    filled.filters["samples"] = samples_text
    write_file(path, filled.get_template("devices.html").render(merged=merged, offline=Scenario.OFFLINE, dash=text.NONE))
