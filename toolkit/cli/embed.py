"""``toolkit embed``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import complete, console, data_names, evidence_line, json_option, plain, print_json, print_table, progress, styled
from ._request import source_argument


@click.command(short_help="Put a picture's preparation inside the model files.")
@source_argument
@click.option("--out", type=click.Path(path_type=Path), help="The folder of the new bundle. Default: SOURCE-embedded.")
@click.option(
    "--channels",
    type=click.Choice(["rgb", "bgr", "gray"]),
    help="Order of the channels of the app's pictures. Default: gray for a grey network, else rgb.",
)
@click.option("--prepare", metavar="FILE", help="A prepare.toml. Default: as the manifest says, else stretched.")
@click.option(
    "--data",
    metavar="NAME|FILE|FOLDER",
    shell_complete=complete(data_names, files=True),
    help="Samples to verify with, as toolkit verify takes them. Default: those of the bundle.",
)
@click.option("--evaluation", type=click.IntRange(min=1), default=1000, show_default=True, help="Most pictures to verify with.")
@json_option
def command(
    source: str, out: Path | None, channels: str | None, prepare: str | None, data: str | None, evaluation: int, json_to: str | None
) -> None:
    """Write the artifacts of a bundle, or one of them, again with an input that is a picture as an app has it.

    The new input is uint8[batch, height, width, channels], of any size: the file itself resizes, places, scales and turns it, as the
    bundle's data were prepared, with the same bits as Pillow. Each file is verified on pictures of several sizes against the trained
    model behind Python's preparation; SOURCE stays as it is. Exit code 1 unless every file passed that could be made.

    \b
    toolkit embed artifacts/cnn
    toolkit embed artifacts/detector/onnx-int8 --channels bgr --out app
    """
    from toolkit.pipeline.embed import embed

    with progress() as display:
        bar = display.add_task("embedding", total=None)
        results = embed(
            source,
            out=out,
            channels=channels or "",
            prepare=prepare or "",
            data=data,
            evaluation=evaluation,
            on_progress=lambda name, event: display.update(bar, description=f"{name} {event}"),
        )
    if json_to:
        print_json(results, json_to)
    if json_to != "-":
        rows = []
        for each in results:
            own = each.artifact
            evidence = evidence_line(own) if own is not None else each.reason
            engine = own.manifest.evidence[0].engine if own is not None and own.manifest.evidence else "-"
            rows.append([each.name, engine, styled(own.verdict if own is not None else None), plain(evidence)])
        print_table("", ["artifact", "engine", "parity", "evidence"], rows)
        made = next((each.artifact for each in results if each.artifact is not None), None)
        if made is not None:
            console().print(f"[bold]{plain(made.path.parent)}[/]: {plain(made.manifest.signature.inputs[0])}", soft_wrap=True)
    if not all(each.passed for each in results if each.available):
        raise click.exceptions.Exit(1)
