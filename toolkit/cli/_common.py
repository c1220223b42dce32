"""What the commands share: options, tables, JSON, progress."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, Task, TaskID

    from toolkit.core import Artifact
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.progress import OnCount

F = TypeVar("F", bound=Callable[..., Any])
WIDE = 120
LINE_EVERY = "TOOLKIT_PROGRESS_S"
"""The environment variable that says how often a long command tells where it is on a standard error that is no terminal, in seconds;
0 for never.
"""
_LINE_EVERY_S = 10.0

VERDICT_STYLE = {"passed": "green", "undecided": "yellow", "failed": "red"}


class Words(click.ParamType):
    """A comma-separated list whose words complete in the shell; `known` gives them when asked, with `files` a file's name is one too."""

    name = "a,b,..."

    def __init__(self, known: Callable[[], Sequence[str]], *, files: bool = False) -> None:
        self._known, self._files = known, files

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The words; they are checked where they are used, with the nearest name in the message."""
        if isinstance(value, tuple):
            return value
        words = tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))
        if not words:
            self.fail("expected at least one name", param, ctx)
        return words

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Complete the last word of the list."""
        head, comma, last = incomplete.rpartition(",")
        names = [CompletionItem(f"{head}{comma}{word}") for word in self._known() if word.startswith(last)]
        return [*names, CompletionItem(incomplete, type="file")] if self._files else names


class Numbers(click.ParamType):
    """A comma-separated list of positive whole numbers."""

    name = "n,n,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers, in order and without repetition."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(dict.fromkeys(int(word) for word in value.split(",")))
        except ValueError:
            self.fail(f"expected whole numbers such as 1,32, got '{value}'", param, ctx)
        if min(numbers) < 1:
            self.fail(f"expected numbers of at least 1, got {min(numbers)}", param, ctx)
        return numbers


def complete(known: Callable[[], Sequence[str]], *, files: bool = False) -> Callable[..., list[CompletionItem]]:
    """What completes one name in the shell, or with `files` a file's name too; `known` gives the names when asked."""

    def found(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001 - click's interface
        names = [CompletionItem(name) for name in known() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")] if files else names

    return found


def model_names() -> list[str]:
    """The reference models."""
    from toolkit.models import all_models

    return [model.name for model in all_models()]


def data_names() -> list[str]:
    """The data sets."""
    from toolkit.models.data import all_data

    return [data.name for data in all_data()]


def task_names() -> list[str]:
    """What outputs can mean."""
    from toolkit.tasks import all_tasks

    return [task.name for task in all_tasks()]


def metric_names() -> list[str]:
    """The metrics of all tasks."""
    from toolkit.tasks import all_tasks

    return [name for task in all_tasks() for name in task.metric_names]


def format_names() -> list[str]:
    """The model file formats."""
    from toolkit.core import Format

    return [format.value for format in Format]


def precision_names() -> list[str]:
    """The precisions."""
    from toolkit.core import Precision

    return [precision.value for precision in Precision]


def recipe_names() -> list[str]:
    """The built-in recipes."""
    from toolkit.converters.recipes import builtin_recipes

    return [*builtin_recipes()]


def engine_names() -> list[str]:
    """The engines, installed or not."""
    from toolkit.runtimes import all_runtimes

    return [runtime.name for runtime in all_runtimes()]


def device_names() -> Sequence[str]:
    """The devices, here or not."""
    from toolkit.runtimes.base import DEVICES

    return DEVICES


threads_option = click.option("--threads", type=Numbers(), help="Threads of the engine. Default: all that this process may use.")
rounds_option = click.option(
    "--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Fresh processes for each row, interleaved."
)
seconds_option = click.option(
    "--seconds", type=click.FloatRange(min=0.01), default=0.3, show_default=True, help="Measured seconds in each round at least."
)


def device_option(function: F) -> F:
    """``--device``."""
    return click.option(
        "--device",
        default="cpu",
        show_default=True,
        shell_complete=complete(device_names),
        help="Device that computes: cpu, gpu, npu or auto.",
    )(function)


def json_option(function: F) -> F:
    """``--json``: print JSON in place of the table, or write it to a file beside the table."""
    return click.option(
        "--json",
        "json_to",
        is_flag=False,
        flag_value="-",
        metavar="[FILE]",
        help="Print JSON in place of the table; with a file name, write it there besides. Give it after the arguments.",
    )(function)


def data_options(function: F) -> F:
    """``--data`` and how it is read, which reach the command as one value ``data``, and ``--data-dir``."""
    return data_options_for("what the model was trained on")(function)


def data_options_for(default: str) -> Callable[[F], F]:
    """As `data_options`, where without ``--data`` there is another `default`."""

    def add(function: F) -> F:
        @functools.wraps(function)
        def command(*arguments: Any, **options: Any) -> Any:
            given = {name: options.pop(name) for name in ("data", "prepare", "columns", "target", "max_samples")}
            return function(*arguments, data=_given(**given), **options)

        for option in reversed(_data_options(default)):
            option(command)
        return command  # type: ignore[return-value]

    return add


def _data_options(default: str) -> list[Callable[[F], F]]:
    return [
        click.option(
            "--data",
            metavar="NAME|FILE|FOLDER",
            shell_complete=complete(data_names, files=True),
            help="A data set (toolkit data) such as digits; arrays (samples.npz); Python code that gives samples (mydata.py:load); "
            "pictures in a folder for each class (photos/), with boxes (annotations.json, data.yaml) or with masks (VOC2012/); "
            "tables (table.csv, table.jsonl, table.parquet); recordings with a table or in a folder for each class (audio/). "
            f"Default: {default}.",
        ),
        click.option(
            "--prepare",
            metavar="FILE",
            help="How pictures, texts and recordings of --data are prepared. Default: prepare.toml beside them.",
        ),
        click.option(
            "--column", "columns", multiple=True, metavar="NAME=INPUT", help="Columns of --data that an input is made of, in order."
        ),
        click.option("--target", metavar="COLUMN", help="The column of --data that holds the targets."),
        click.option("--max-samples", type=click.IntRange(min=1), metavar="N", help="Most samples to take of --data. Default: 100,000."),
        click.option(
            "--data-dir", type=click.Path(path_type=Path), envvar="TOOLKIT_DATA", help="A folder that holds the data set's own files."
        ),
    ]


def _given(*, data: str | None, prepare: str | None, columns: tuple[str, ...], target: str | None, max_samples: int | None) -> Given | None:
    """What the options say together; raises `InputError` for some that need ``--data``."""
    from toolkit.core import InputError
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.data.base import OPTIONS

    said = {"prepare": prepare, "columns": columns, "target": target, "max_samples": max_samples}
    kept = {name: value for name, value in said.items() if value}
    if data is None and kept:
        raise InputError(f"{OPTIONS[next(iter(kept))]} says how --data are read", hint="add --data")
    return None if data is None else Given(word=data, **kept)  # type: ignore[arg-type]


def say(lines: Iterable[str]) -> None:
    """Lines on standard error: what is known before the work begins, beside results on standard output."""
    from toolkit.core import printable

    for line in lines:
        click.echo(printable(line), err=True)


def console(*, error: bool = False) -> Console:
    """A rich console: standard output for results, standard error for progress."""
    from rich.console import Console

    return Console(stderr=error, highlight=False)


@contextlib.contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on standard error; where that is no terminal, a line every ten seconds, or as `LINE_EVERY` says."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    out = console(error=True)
    # Where it is no terminal, even a display that draws nothing would leave an empty line before an error.
    # What is left is estimated by all that was done: a step may take longer than the half minute that rich looks back.
    display = Progress(*columns, console=out, transient=True, disable=not out.is_terminal, speed_estimate_period=86400)
    seconds = 0.0 if out.is_terminal else _line_every_s()
    with display, _lines(display, every_s=seconds) if seconds else contextlib.nullcontext():
        yield display


def counted(display: Progress, bar: TaskID) -> OnCount:
    """What shows on a bar how far a long piece of work is."""
    return lambda what, done, total: display.update(bar, description=what, completed=done, total=total or None)


def _line_every_s() -> float:
    try:
        return max(0.0, float(os.environ.get(LINE_EVERY, _LINE_EVERY_S)))
    except ValueError:
        return _LINE_EVERY_S


@contextlib.contextmanager
def _lines(display: Progress, *, every_s: float) -> Iterator[None]:
    """Print a line for each task of `display` that has not ended, every `every_s` seconds."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s):
            for task in display.tasks:
                if not task.finished:
                    click.echo(_line(task), err=True)

    printer = threading.Thread(target=run, daemon=True)
    printer.start()
    try:
        yield
    finally:
        ended.set()
        printer.join()


def _line(task: Task) -> str:
    """``onnx-int8: 12 of 80 in 45 s, about 4 min left``."""
    from rich.markup import render

    from toolkit.pipeline.text import rough

    count = "" if task.total is None else f"{task.completed:.0f} of {task.total:.0f} in "
    left = "" if task.time_remaining is None else f", about {rough(task.time_remaining)} left"
    return f"{render(task.description).plain}: {count}{rough(task.elapsed or 0.0)}{left}"


def say_estimate(least_s: float, *, of: str) -> None:
    """Say on standard error how long the work `of` takes at least; what ends before the first line of `progress` needs none."""
    from toolkit.pipeline.text import rough

    if 0 < _line_every_s() <= least_s:
        click.echo(f"{of}: {rough(least_s)} at least", err=True)


def print_json(value: object, json_to: str | None = "-") -> None:
    """Print `value` as JSON to standard output for ``-``, else write it to the file `json_to`."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2)
    if json_to in {None, "-"}:
        click.echo(text)  # Bytes: JSON is UTF-8, whatever the terminal's encoding is.
    else:
        from toolkit.core.files import write_file

        write_file(Path(str(json_to)), text + b"\n")


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """A table that fits the terminal; cells may hold rich markup, text from outside must be `plain` in them. The title has no markup.

    The columns in `right` are set flush right, those in `whole` are never folded, those in `spare` are left out where the terminal is
    narrower than 120 characters.
    """
    from rich.table import Table

    table = Table(
        title=plain(title), title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold"
    )
    out = console()
    kept = [i for i, name in enumerate(columns) if out.width >= WIDE or name not in spare]
    for name in (columns[i] for i in kept):
        table.add_column(name, justify="right" if name in right else "left", overflow="fold", no_wrap=name in whole)
    for row in rows:
        table.add_row(*(row[i] for i in kept))
    out.print(table)


def styled(verdict: object) -> str:
    """A verdict in its colour; a dash for none."""
    text = str(verdict) if verdict else "-"
    return f"[{VERDICT_STYLE[text]}]{text}[/]" if text in VERDICT_STYLE else text


def plain(text: object) -> str:
    """Text from outside, safe inside rich markup and on a terminal, in one line."""
    from rich.markup import escape

    from toolkit.core import printable

    return escape(printable(str(text)))


def size(count: int) -> str:
    """A file size in KiB or MiB."""
    from toolkit.pipeline.text import size as text

    return text(count)


def evidence_line(artifact: Artifact) -> str:
    """The reason of the worst report about an artifact, with the edge that failed, and the metric itself where it did not pass."""
    from toolkit.core import Verdict

    own = [r for r in artifact.manifest.evidence if r.candidate == artifact.manifest.content_sha256]
    if not own:
        return "not verified"
    worst = next((r for r in own if r.verdict == artifact.verdict), own[0])
    task = worst.task if worst.verdict is not Verdict.PASSED else None
    metric = f"{task.name} {task.value(task.candidate)}, reference {task.value(task.reference)}; " if task else ""
    return f"{worst.failed_edge}: {metric}{worst.reason}" if worst.failed_edge else f"{metric}{worst.reason}"
