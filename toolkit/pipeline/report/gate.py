"""A page of one gate, with what the gates of earlier revisions found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core import needs, write_file

from .. import text
from ..gate import HEAD, GateReport, conditions, lines_of
from .html import environment
from .plot import BAD, INK, MUTED, page_style, page_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 60
"""Runs in the plot."""
_DASHES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "P", "X", "v", "*")


def write_gate(report: GateReport, path: Path, *, history: Sequence[GateReport] = ()) -> None:
    """Write one self-contained page.

    Args:
        report: of this run.
        path: the file.
        history: the runs before it, the oldest first; those of other models are left out.

    Raises:
        MissingDependencyError: Jinja2 or matplotlib is not installed.
        StorageError: the file cannot be written.
    """
    runs = [*(each for each in history if each.model == report.model), report][-_MOST:]
    lines = [(row, change, cells) for row, change, cells in lines_of(report)]
    filled = environment().get_template("gate.html")
    plots = {"wide": _plot(runs, wide=True), "narrow": _plot(runs, wide=False)} if len(runs) > 1 else None
    write_file(
        path,
        filled.render(report=report, head=HEAD, lines=lines, conditions=conditions(report), plots=plots, runs=len(runs), dash=text.NONE),
    )


def _plot(runs: Sequence[GateReport], *, wide: bool) -> str:
    """How much slower each run's artifacts were than their baseline, with intervals, beside the limit."""
    with needs("report"):
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    with mpl.rc_context(page_style(f"gate {'wide' if wide else 'narrow'}")):
        figure = Figure(figsize=(8.4, 3.4) if wide else (3.9, 3.9), layout="constrained")
        FigureCanvasSVG(figure)
        _draw(figure.add_subplot(), runs, columns=3 if wide else 1, ticks=14 if wide else 6)
        sink = io.StringIO()
        figure.savefig(sink, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return page_svg(sink.getvalue(), "latency over the baseline by revision")


def _draw(axes: Axes, runs: Sequence[GateReport], *, columns: int, ticks: int) -> None:
    names = dict.fromkeys((row.artifact, row.engine) for run in runs for row in run.rows if row.engine)
    for number, name in enumerate(names):
        points = [
            (place, change.worse)
            for place, run in enumerate(runs)
            for row in run.rows
            for change in row.changes
            if (row.artifact, row.engine) == name and change.what == "latency" and change.worse is not None
        ]
        if points:
            arms = [[worse.value - worse.low for _, worse in points], [worse.high - worse.value for _, worse in points]]
            axes.errorbar(
                [place for place, _ in points],
                [worse.value for _, worse in points],
                yerr=arms,
                color=INK,
                linestyle=_DASHES[number // len(_MARKERS) % len(_DASHES)],
                linewidth=0.8,
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=4,
                label=f"{name[0]}, {name[1]}",
            )
    limits = [change.limit for row in runs[-1].rows for change in row.changes if change.what == "latency" and change.limit is not None]
    if limits:
        axes.axhline(limits[0], color=BAD, linewidth=1, linestyle="--", label="limit")
    axes.axhline(0, color=MUTED, linewidth=0.8)
    step = -(-len(runs) // ticks)
    places = range(len(runs) - 1, -1, -step)
    axes.set_xticks(list(places), [runs[place].commit[:7] or runs[place].started[5:10] for place in places], rotation=45, ha="right")
    axes.set_ylabel("slower than the baseline, %")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.01), ncols=columns, frameon=False)
