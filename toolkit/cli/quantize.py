"""``toolkit quantize``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit._interrupted import RESUMES

from ._commands import Command
from ._common import console, data_options, evidence_line, json_option, plain, print_json, print_table, progress, size, styled
from ._request import (
    batch_sizes_option,
    calibration_option,
    limits_options,
    out_option,
    overwrite_option,
    read_source,
    request_for,
    say_plan,
    source_argument,
    source_options,
    timeout_option,
    to_option,
)

if TYPE_CHECKING:
    from toolkit.core.measurement import Comparison
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.quantize import Quantized
    from toolkit.pipeline.source.sizing import Sizing
    from toolkit.tasks import Limits


@click.command(cls=Command, interrupted=RESUMES, short_help="Quantize a network to int8 within a limit, layer by layer.")
@source_argument
@to_option
@limits_options
@data_options
@source_options
@out_option
@overwrite_option
@calibration_option
@click.option("--choice", type=click.IntRange(min=1), default=2000, show_default=True, help="Most samples that choose the layers.")
@click.option("--evaluation", type=click.IntRange(min=1), help="Most samples that judge the result. Default: all.")
@batch_sizes_option
@timeout_option
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True, help="Rounds of the speed comparison.")
@json_option
def command(
    source: str,
    formats: tuple[str, ...],
    asked: Limits,
    data: Given | None,
    data_dir: Path | None,
    weights: Path | None,
    inputs: tuple[str, ...],
    sizing: Sizing,
    out: Path | None,
    overwrite: bool,
    calibration: int,
    choice: int,
    evaluation: int | None,
    batch_sizes: tuple[int, ...],
    timeout: float,
    rounds: int,
    json_to: str | None,
) -> None:
    """Quantize SOURCE to int8 so that the task metric's interval stays inside --max-drop.

    Where int8 in every layer loses more, each layer's sensitivity is measured, and as few of the most sensitive ones as are
    needed stay in float. Ranges, choice and judgement use different samples. The artifact is OUT/<model>/<format>-int8.

    \b
    toolkit quantize artifacts/cnn
    toolkit quantize net.onnx --data samples.npz --max-drop 0.5
    """
    from dataclasses import replace

    from toolkit.pipeline.convert import nodes
    from toolkit.pipeline.quantize import PROTOCOL, divide, quantize

    targets = nodes(formats, ["int8"])
    found, split = read_source(
        source,
        targets,
        data=data,
        data_dir=data_dir,
        out=out,
        calibration=calibration,
        evaluation=evaluation,
        weights=weights,
        inputs=inputs,
        sizing=sizing,
        asked=asked,
    )
    split, choosing = divide(split, choice)
    request = request_for(
        found, split, targets, out=out, asked=asked, batch_sizes=batch_sizes, timeout=timeout, overwrite=overwrite, data=data
    )
    plan = say_plan(request, choosing)
    with progress() as display:
        bars = {target.format.value: display.add_task(f"{target.format}", total=None) for target in targets}

        def on_progress(name: str, event: str) -> None:
            display.update(bars[name.partition("-")[0]], description=f"{name}: {event}")

        results = quantize(request, choice=choosing, protocol=replace(PROTOCOL, rounds=rounds), on_progress=on_progress)
    results = [replace(result, samples=plan) for result in results]
    if json_to:
        print_json(results, json_to)
    if json_to != "-":
        show(results, request.out)
    if not all(result.passed for result in results):
        raise click.exceptions.Exit(1)


def show(results: list[Quantized], folder: Path) -> None:
    """Print a table of what was made, and for each target what stays in float, why, and what that costs."""
    cells = []
    for result in results:
        made, cost = result.artifact, result.cost
        verdict = styled(result.verdict or "failed")
        share = f"{cost.share:.0%}" if cost else "-"
        reason = result.reason or (evidence_line(made) if made else "")
        cells.append([result.target, size(made.size_bytes) if made else "-", share, verdict, plain(reason)])
    columns = ["artifact", "size", "in int8", "parity", "evidence"]
    print_table(f"{folder}", columns, cells, right=["size", "in int8"], whole=columns[:-1])
    console().print("in int8: the share of the multiply-adds that the engine computes in integers on this machine; choices were")
    console().print("judged on other samples than the table's evidence")
    for result in results:
        for line in details(result):
            console().print(line)


def details(result: Quantized) -> list[str]:
    """What there is to say of one target besides its row."""
    found, cost = result.found, result.cost
    if found is None or cost is None:
        return []
    lines = [f"[bold]{result.target}[/bold]"]
    if found.excluded:
        count = sum(len(each.layers) for each in found.excluded)
        lines.append(f"  every layer in int8: {plain(found.plain.reason)}, {cost.plain_share:.0%} in int8")
        lines.append(f"  {count} layers kept in float, {found.trials} trials: {plain(found.chosen.reason)}")
        more = cost.size_bytes - cost.plain_size_bytes
        lines.append(f"  against every layer in int8: {more / 1000:+.0f} kB{_speed(cost.against_plain)}")
    lines.append(f"  against float: {cost.size_bytes / cost.float_size_bytes:.0%} of the size{_speed(cost.against_float)}")
    lines += [f"  slower than float: {reason}" for reason in cost.slower_because]
    alike = Counter((layer.kind, why) for layer, why in cost.in_float)
    first = {(layer.kind, why): layer.name for layer, why in reversed(cost.in_float)}
    for (kind, why), times in alike.items():
        lines.append(f"  in float: {plain(first[kind, why])}{f' and {times - 1} more' if times > 1 else ''} ({kind}): {plain(why)}")
    without = [layer for each in found.excluded for layer in each.layers if not layer.multiply_adds]
    if without:
        kinds = Counter(layer.kind for layer in without)
        lines.append(f"  in float, without multiply-adds: {', '.join(f'{times} {kind}' for kind, times in kinds.items())}")
    return lines


def _speed(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    ratio = comparison.ratio
    return f", {comparison.verdict}: {ratio.value:.2f} times as fast [{ratio.low:.2f}, {ratio.high:.2f}]"
