"""What the commands that make artifacts begin with: their options, a source with its samples, and a request."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ._common import (
    Numbers,
    Words,
    complete,
    format_names,
    metric_names,
    model_names,
    precision_names,
    progress,
    recipe_names,
    say,
    task_names,
)

if TYPE_CHECKING:
    from toolkit.converters.base import Node
    from toolkit.converters.recipes import NamedRecipe
    from toolkit.core import Samples
    from toolkit.pipeline.convert import Request
    from toolkit.pipeline.source.place import Source
    from toolkit.pipeline.source.plan import SamplePlan
    from toolkit.pipeline.source.samples import Split
    from toolkit.tasks import Limits

F = TypeVar("F", bound=Callable[..., Any])

source_argument = click.argument("source", shell_complete=complete(model_names, files=True))
to_option = click.option(
    "--to", "formats", type=Words(format_names), default="onnx,tflite,openvino", show_default=True, help="Target formats."
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of bundles. Default: where the source's bundle is, else artifacts."
)
calibration_option = click.option(
    "--calibration", type=click.IntRange(min=1), default=512, show_default=True, help="Most samples to calibrate with."
)
batch_sizes_option = click.option(
    "--batch-sizes", type=Numbers(), default="1,32", show_default=True, help="Batch sizes that TF Lite files get a signature for."
)
recipe_option = click.option(
    "--recipe",
    "recipes",
    type=Words(recipe_names, files=True),
    metavar="NAME|FILE,...",
    help="Recipes (toolkit recipes) or .toml or .json files, in place of the default precisions.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace another trained model, or int8 with chosen layers, in OUT/<model>."
)
timeout_option = click.option(
    "--timeout", type=click.FloatRange(min=1), default=600.0, show_default=True, help="Seconds for each conversion step."
)


class _Drop(click.ParamType):
    """What may be lost: ``0.5`` in the metric's unit, ``1%`` of its value."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, bool]:
        """The number, and whether it is a percentage."""
        if isinstance(value, tuple):
            return value
        from toolkit.core.rules import parse_drop

        try:
            return parse_drop(value)
        except ValueError:
            self.fail(f"expected a number of at least 0, such as 0.5, or 1% of the metric's value, got '{value}'", param, ctx)


def meaning_options(function: F) -> F:
    """``--task`` and ``--metric``, which reach the command as ``asked``, a `Limits`."""
    return _asking(function, drop=False)


def limits_options(function: F) -> F:
    """``--max-drop``, ``--task`` and ``--metric``, which reach the command as ``asked``, a `Limits`."""
    return _asking(function, drop=True)


def _asking(function: F, *, drop: bool) -> F:
    @functools.wraps(function)
    def command(*args: Any, task: str | None, metric: str | None, max_drop: tuple[float, bool] | None = None, **options: Any) -> Any:
        return function(*args, asked=_asked(max_drop, task, metric), **options)

    options = [
        click.option(
            "--metric",
            metavar="NAME|FILE.py:FUNCTION",
            shell_complete=complete(metric_names, files=True),
            help="Metric that decides, or your own (docs/tasks.md). Default: the task's first.",
        ),
        click.option(
            "--task",
            shell_complete=complete(task_names),
            help="What the outputs mean (docs/tasks.md). Default: what model and samples say.",
        ),
        click.option(
            "--max-drop",
            type=_Drop(),
            help="What int8 may lose of the metric: points of a share, else its unit, or 1% of its value. "
            "Default: what the bundle was made with, else 1 point or 1%.",
        ),
    ]
    for option in options if drop else options[:2]:
        command = option(command)
    return command  # type: ignore[return-value]


def _asked(max_drop: tuple[float, bool] | None, task: str | None, metric: str | None) -> Limits:
    from toolkit.pipeline.request import asked_limits

    return asked_limits(max_drop, task=task or "", metric=metric or "")


def source_options(function: F) -> F:
    """``--weights`` and ``--input``, which a SOURCE may need; ``--fix``, ``--range``, ``--set`` and ``--state`` reach it as ``sizing``."""
    return _input_options(_sizing_options(function))


def state_option(function: F) -> F:
    """``--state``, which may be repeated: ``states``."""
    help = "A state, with the output that is its next value: h=h_out (docs/streams.md)."
    return click.option("--state", "states", multiple=True, metavar="INPUT=OUTPUT", help=help)(function)


def _sizing_options(function: F) -> F:
    @functools.wraps(function)
    def command(
        *args: Any, fix: tuple[str, ...], ranges: tuple[str, ...], values: tuple[str, ...], states: tuple[str, ...], **options: Any
    ) -> Any:
        from toolkit.pipeline.source.sizing import Sizing

        return function(*args, sizing=Sizing.parse(fix=fix, ranges=ranges, values=values, states=states), **options)

    wrapped = click.option(
        "--set",
        "values",
        multiple=True,
        metavar="INPUT=NUMBER",
        help="What an input is in every sample: sr=16000, state=0 (docs/sizes.md).",
    )(state_option(command))
    wrapped = click.option(
        "--range", "ranges", multiple=True, metavar="NAME=LOW:HIGH[:STEP]", help="Bounds of a free size, whose ends are verified too."
    )(wrapped)
    return click.option(
        "--fix",
        multiple=True,
        metavar="NAME=SIZE,...",
        help="Sizes where a format needs fixed ones, such as h=32,w=320; several make several signatures. Default: those of the samples.",
    )(wrapped)  # type: ignore[return-value]


def _input_options(function: F) -> F:
    function = click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="NAME:DTYPE[DIMS]",
        help="An input of Python code or TorchScript; a name in place of a size is free.",
    )(function)
    return click.option(
        "--weights", type=click.Path(path_type=Path), help="Weights (.safetensors) for a reference model or Python code named as SOURCE."
    )(function)


def precision_option(default: str) -> Callable[[F], F]:
    """Which precisions to make."""
    return click.option(
        "--precision", "precisions", type=Words(precision_names), default=default, show_default=True, help="Target precisions."
    )


def targets_of(
    formats: tuple[str, ...], precisions: tuple[str, ...], words: tuple[str, ...] | None
) -> tuple[tuple[Node, ...], tuple[NamedRecipe, ...]]:
    """What to make, and by which recipes; precisions that nobody asked for give way to recipes."""
    from toolkit.pipeline import request

    source = click.get_current_context().get_parameter_source("precisions")
    asked = None if source is ParameterSource.DEFAULT else precisions
    return request.targets_of(formats, asked, words or (), default=precisions)


def read_source(source: str, targets: tuple[Node, ...], **options: Any) -> tuple[Source, Split]:
    """As `toolkit.pipeline.request.read_source`, with a display."""
    from toolkit.pipeline import request

    with progress() as display:
        task = display.add_task(f"reading {source}", total=None)
        found, split = request.read_source(source, targets, on_step=lambda words: display.update(task, description=words), **options)
    say(found.notes)
    return found, split


def request_for(
    found: Source, split: Split, targets: tuple[Node, ...], *, timeout: float, memory: float | None = None, **options: Any
) -> Request:
    """As `toolkit.pipeline.request.request_for`, with seconds and GiB as the options have them."""
    from toolkit.pipeline import request

    memory_bytes = None if memory is None else int(memory * 2**30)
    return request.request_for(found, split, targets, timeout_s=timeout, memory_bytes=memory_bytes, **options)


def say_plan(request: Request, choice: Samples | None = None, *, among: bool = False) -> SamplePlan:
    """How the samples are divided and whether they are enough, said before the work; arguments as `plan_of`."""
    from toolkit.pipeline.request import plan_of

    plan = plan_of(request, choice, among=among)
    say(plan.lines)
    return plan
