"""``toolkit debug``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._common import console, data_options_for, json_option, plain, print_json, print_table, progress

if TYPE_CHECKING:
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.debug import Finding, Layer

_BEFORE, _AFTER, _WORST = 4, 7, 8


@click.command(short_help="Find the layer at which a converted network diverges.")
@click.argument("source", type=str)
@click.argument("artifact", type=str, required=False)
@data_options_for("random inputs in the range of the preprocessing")
@click.option("--rounds", type=click.IntRange(min=1), default=4, show_default=True, help="Number of inputs to compare.")
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Batch size; a TF Lite file must have it.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed for the inputs.")
@click.option(
    "--fix",
    metavar="NAME=SIZE,...",
    help="At which of several sizes, such as h=32,w=320. Default: the first that ARTIFACT was made for.",
)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for the page and the reproduction.")
@click.option(
    "--app-input",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="What an app hands to the network, in place of ARTIFACT; with --from.",
)
@click.option("--from", "origin", type=click.Path(path_type=Path), help="The picture, WAV recording or .txt that --app-input is of.")
@json_option
def command(
    source: str,
    artifact: str | None,
    data: Given | None,
    data_dir: Path | None,
    rounds: int,
    batch: int,
    seed: int,
    fix: str | None,
    out: Path | None,
    app_input: Path | None,
    origin: Path | None,
    json_to: str | None,
) -> None:
    """Compare what a converted network computes inside with the network that it was made from, layer by layer.

    SOURCE is a bundle, an artifact or a model file, ARTIFACT an artifact's folder or its name in the bundle. Names the first layer
    whose output diverges while its inputs agree. With --out also a page with the error over depth, and a reproduction: the failing
    part as a model file, its inputs, and a script of five lines. Exit code 1 when a layer diverges.

    With --app-input it tells by which mistake an app's input is another one than the network was trained with: channels, scale, mean,
    layout, resizing, features, tokens (docs/app-input.md). Exit code 1 unless it is right.

    \b
    toolkit debug artifacts/cnn onnx-int8
    toolkit debug artifacts/cnn tflite-fp32 --data digits --out debug/
    toolkit debug artifacts/cnn --app-input x.npy --from cat.png
    """
    if app_input is not None or origin is not None:
        _app_input(source, artifact, app_input, origin, json_to)
        return
    if artifact is None:
        raise click.MissingParameter(param_hint="'ARTIFACT'", param_type="argument")
    from toolkit.pipeline.debug import Inputs, chosen, debug
    from toolkit.pipeline.source.sizing import Sizing

    what = chosen(source, artifact, sizing=Sizing.parse(fix=[fix] if fix else ()))
    with progress() as display:
        display.add_task(f"{what.candidate.name}: every layer", total=None)
        found = debug(what, inputs=Inputs(data, data_dir, rounds, batch, seed), out=out)
    if json_to:
        print_json({"verdict": found.verdict, **_fields(found)}, json_to)
    if json_to != "-":
        _show(found, out)
    if found.divergences:
        raise click.exceptions.Exit(1)


def _app_input(source: str, artifact: str | None, app: Path | None, origin: Path | None, json_to: str | None) -> None:
    """The other half of the command: what an app hands to the network."""
    from toolkit.core import InputError
    from toolkit.core.samples import read_arrays
    from toolkit.pipeline.app_input import diagnose
    from toolkit.pipeline.source.opened import opened

    if app is None or origin is None or artifact is not None:
        raise InputError("an app's input", expected="--app-input FILE.npy with --from FILE, and no ARTIFACT behind SOURCE")
    arrays = read_arrays(app)
    if len(arrays) != 1:
        raise InputError(f"'{app}'", expected="one array", got=", ".join(arrays))
    with opened(source) as found:
        diagnosis = diagnose(found.subject, next(iter(arrays.values())), origin)
    if json_to:
        print_json(diagnosis, json_to)
    if json_to != "-":
        console().print(f"[bold {'green' if diagnosis.right else 'red'}]{plain(diagnosis.verdict)}[/]")
        for change in diagnosis.changes:
            console().print(f"mend: {plain(change.mend)}")
        console().print(f"{diagnosis.tried} inputs made of {plain(diagnosis.source)} were compared; {plain(diagnosis.wanted)}")
    if not diagnosis.right:
        raise click.exceptions.Exit(1)


def _fields(found: Finding) -> dict[str, object]:
    import msgspec

    fields: dict[str, object] = msgspec.to_builtins(found)
    return fields


def _show(found: Finding, out: Path | None) -> None:
    console().print(f"[bold {'red' if found.divergences else 'green'}]{plain(found.verdict)}[/]")
    if found.precision.startswith("int"):
        console().print(plain(found.noisiest))
    for note in found.notes:
        console().print(f"[yellow]note:[/] {plain(note)}")
    rows = [_row(layer) for layer in _around(found)]
    where = "around it" if found.first else "with the largest errors"
    title = f"{found.model}: {found.candidate} against {found.reference}, the layers {where}"
    print_table(title, ["layer", "operator", "error", "dB", "own error", "matched by", ""], rows, right=["error", "dB", "own error"])
    console().print(f"{len(found.layers)} layers compared, {len(found.unseen)} not found in the candidate; {plain(found.inputs)}")
    if out is not None:
        console().print(f"page{' and reproduction' if found.divergences else ''}: {plain(out)}")


def _around(found: Finding) -> list[Layer]:
    """The layers before and after the first divergence; where there is none, those with the largest errors, in order."""
    if found.first is not None:
        return list(found.layers[max(0, found.first.index - _BEFORE) : found.first.index + _AFTER])
    largest = sorted(found.layers, key=lambda layer: -layer.error)[:_WORST]
    return [layer for layer in found.layers if layer in largest]


def _row(layer: Layer) -> list[str]:
    mark = "[red]diverges[/]" if layer.diverges else ""
    return [
        plain(layer.layer),
        plain(layer.operator),
        f"{layer.error:.1e}",
        f"{layer.ratio_db:.0f}",
        f"{layer.own_error:.1e}",
        layer.matched_by,
        mark,
    ]
