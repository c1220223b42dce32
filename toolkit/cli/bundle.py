"""``toolkit bundle``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._common import Words, console, data_options, json_option, plain, print_json, progress, say, size
from ._request import limits_options

if TYPE_CHECKING:
    from toolkit.pipeline.data import Given
    from toolkit.tasks import Limits


@click.command(short_help="Pack artifacts to be verified on another device.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--artifact", "names", type=Words(list), help="Artifacts to pack. Default: all that were made.")
@click.option("--samples", type=click.IntRange(min=1), default=1000, show_default=True, help="Most real inputs to pack with them.")
@limits_options
@data_options
@click.option("--out", type=click.Path(path_type=Path), help="The zip file. Default: <bundle>.zip here.")
@click.option(
    "--sign", type=click.Path(path_type=Path), metavar="KEY", help="A private key (PEM) that signs the file, for --trust of toolkit check."
)
@json_option
def command(
    bundle: Path,
    names: tuple[str, ...] | None,
    samples: int,
    asked: Limits,
    data: Given | None,
    data_dir: Path | None,
    out: Path | None,
    sign: Path | None,
    json_to: str | None,
) -> None:
    """Pack artifacts of BUNDLE with real inputs and the trained model's answers.

    On the device, with no more than its engine installed, toolkit check verifies and measures what was packed. The trained model
    does not travel.

    \b
    toolkit bundle artifacts/cnn --out cnn.zip
    toolkit bundle artifacts/cnn --artifact onnx-int8,tflite-int8 --samples 500
    toolkit bundle artifacts/cnn --sign release.pem
    """
    from toolkit.core import Bundle
    from toolkit.pipeline.bundle import PrivateKey, pack
    from toolkit.pipeline.source.remembered import limits_for
    from toolkit.pipeline.source.resolve import trained
    from toolkit.pipeline.source.samples import split_samples

    key = PrivateKey.read(sign) if sign else None
    loaded = Bundle.load(bundle)
    limits, limits_of = limits_for(asked, loaded.path)
    chosen = split_samples(trained(loaded), data, folder=data_dir, evaluation=samples, limits=limits).evaluation
    say(f"samples: {note}" for note in chosen.notes)
    if limits_of:
        say([f"{limits.text}, as {limits_of} remembers"])
    target = out or Path(f"{bundle.resolve().name}.zip")
    with progress() as display:
        display.add_task("asking the trained model", total=None)
        packed = pack(loaded, chosen, target, names=names or (), limits=limits, key=key)
    told = {"file": str(target), "bytes": target.stat().st_size, "artifacts": [each.name for each in packed], "samples": len(chosen)}
    if json_to:
        print_json(told, json_to)
    if json_to != "-":
        parts = f"{', '.join(each.name for each in packed)}; {len(chosen)} samples of {chosen.origin}; {size(target.stat().st_size)}"
        console().print(f"[bold]{plain(target)}[/]: {plain(parts)}")
        trust = " --trust KEY.pub" if key else ""
        console().print(f"On the device: toolkit check {plain(target.name)}{trust}")
