"""``toolkit gate``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit._interrupted import Interrupted

from ._commands import Command
from ._common import (
    VERDICT_STYLE,
    Words,
    complete,
    console,
    data_options_for,
    engine_names,
    json_option,
    plain,
    print_table,
    progress,
    styled,
)
from ._request import limits_options

if TYPE_CHECKING:
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.gate import GateReport
    from toolkit.tasks import Limits

_UNDECIDED = 3
_REVISIONS = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")
"""Where GitHub, GitLab and Jenkins say which revision is built."""


class _Percent(click.ParamType):
    """``5`` and ``5%`` alike."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        if isinstance(value, int | float):
            return float(value)
        try:
            number = float(value.strip().removesuffix("%"))
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            self.fail(f"expected a percentage of at least 0, such as 5%, got '{value}'", param, ctx)
        return number


@click.command(cls=Command, short_help="Is a new model slower, worse or larger than the one before?")
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--baseline", type=click.Path(path_type=Path), required=True, help="The model before: a packed bundle, or as NEW.")
@click.option("--max-slower", type=_Percent(), default="5%", show_default=True, help="What latency may rise by.")
@click.option("--max-size", type=_Percent(), default="10%", show_default=True, help="What the files may grow by.")
@click.option("--max-memory", type=_Percent(), help="What peak memory may rise by. Default: it is not measured.")
@limits_options
@click.option("--artifact", "names", type=Words(list), help="Artifacts to compare. Default: NEW itself, or all of the baseline.")
@click.option("--engine", shell_complete=complete(engine_names), help="Engine. Default: those the baseline was verified in.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the engine. Default: all that this process may use.")
@click.option("--minutes", type=click.FloatRange(min=0.05), default=3.0, show_default=True, help="Most minutes of measuring.")
@click.option("--evaluation", type=click.IntRange(min=1), help="Most samples to compare answers on. Default: all.")
@data_options_for("what travelled with the baseline, or a bundle remembers")
@click.option("--commit", help="Revision of the new model. Default: what the build says, or git.")
@click.option("--history", type=click.Path(path_type=Path), help="Add the result to this file of JSON lines.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write a table for a pull request.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit's XML.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page, with the history.")
@json_option
def command(
    new: Path,
    baseline: Path,
    max_slower: float,
    max_size: float,
    max_memory: float | None,
    asked: Limits,
    names: tuple[str, ...] | None,
    engine: str | None,
    threads: int | None,
    minutes: float,
    evaluation: int | None,
    data: Given | None,
    data_dir: Path | None,
    commit: str | None,
    history: Path | None,
    markdown: Path | None,
    junit: Path | None,
    html: Path | None,
    json_to: str | None,
) -> None:
    """Compare NEW with the model before it: latency, the task's metric, size, and memory if asked.

    Both are measured here and now, by turns in short blocks, until the pairs tell on which side of the limit NEW lies, so that a busy
    machine makes no difference. NEW is a bundle, an artifact or a packed bundle; a packed baseline brings its samples. Exit code 0 passed,
    1 failed, 3 undecided: too little time or too few samples to tell.

    \b
    toolkit bundle artifacts/cnn --out cnn-1.zip      once, for a good model
    toolkit gate artifacts/cnn --baseline cnn-1.zip   for each later one
    toolkit gate artifacts/cnn --baseline cnn-1.zip --max-slower 9 --junit g.xml
    """
    from toolkit.core import Verdict, write_file
    from toolkit.pipeline import gate as gates
    from toolkit.tasks import Limits

    allowed = gates.Allowed(max_slower, max_size, max_memory)
    before = gates.read_history(history) if history else ()
    stopped = False
    with progress() as display:
        bar = display.add_task("opening", total=None)
        try:
            report = gates.gate(
                new,
                baseline,
                allowed=allowed,
                limits=None if asked == Limits() else asked,
                data=data,
                data_dir=data_dir,
                names=names or (),
                engine=engine,
                threads=threads,
                evaluation=evaluation,
                minutes=minutes,
                commit=_revision() if commit is None else commit,
                on_progress=lambda what, done, total: display.update(bar, description=what, completed=done, total=total),
            )
        except gates.GateInterrupted as stop:
            report, stopped = stop.report, True
    if json_to == "-":
        click.echo(report.to_json())
    else:
        _show(report)
    # After what was measured for minutes is on the screen: a folder that cannot be written takes none of it.
    if json_to and json_to != "-":
        write_file(Path(json_to), report.to_json())
    if stopped:
        raise Interrupted("interrupted; what is above was known by then, and nothing was written: the same command starts anew")
    _write(report, before, history=history, markdown=markdown, junit=junit, html=html)
    if report.verdict is not Verdict.PASSED:
        raise click.exceptions.Exit(1 if report.verdict is Verdict.FAILED else _UNDECIDED)


def _write(
    report: GateReport, before: Sequence[GateReport], *, history: Path | None, markdown: Path | None, junit: Path | None, html: Path | None
) -> None:
    from toolkit.core import write_file
    from toolkit.pipeline import gate as gates

    if history:
        gates.append(history, report)
    if markdown:
        write_file(markdown, gates.markdown(report).encode())
    if junit:
        write_file(junit, gates.junit(report))
    if html:
        from toolkit.pipeline.report.gate import write_gate

        write_gate(report, html, history=before)


def _show(report: GateReport) -> None:
    from toolkit.core import Verdict
    from toolkit.pipeline.gate import HEAD, conditions, lines_of

    rows = [[*map(plain, line[:-1]), styled(line[-1])] for _, _, line in lines_of(report)]
    print_table(f"{report.model}: {report.new} beside {report.baseline}", [*HEAD], rows)
    out = console()
    for row, change, _ in lines_of(report):
        if change.verdict is not Verdict.PASSED and change.reason:
            out.print(plain(f"{row.artifact} {change.what}: {change.reason}"))
    out.print(plain(conditions(report)))
    out.print(f"[{VERDICT_STYLE[report.verdict]}]{report.verdict}[/]")


def _revision() -> str:
    """What the build says, or what git knows of the folder; empty where neither does."""
    if found := next((os.environ[name] for name in _REVISIONS if os.environ.get(name)), ""):
        return found
    try:
        told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return told.stdout.strip()
