"""``toolkit pull``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import console, counted, json_option, plain, print_json, progress, size


@click.command(short_help="Download a bundle from a store.")
@click.argument("url")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="NAME.zip for the file that toolkit check takes, another name for a folder that toolkit.load takes. Default: <name>.zip here.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path),
    metavar="KEYS",
    help="A public key (PEM), or a folder of them: the bundle is opened only if one of their owners signed it as it is.",
)
@click.option("--overwrite", is_flag=True, help="Replace something else at PATH.")
@json_option
def command(url: str, out: Path | None, trust: Path | None, overwrite: bool, json_to: str | None) -> None:
    """Download the bundle at URL, where toolkit push put it.

    It is checked before it takes its name: its signature where somebody is trusted, the hash of every file in it. Nothing half is
    left behind.

    \b
    toolkit pull oci://registry.example.org/nets/cnn:1 --trust release.pub
    toolkit pull hf://my-team/cnn@v2 --out nets/cnn
    """
    from toolkit.pipeline.store import pull

    with progress() as display:
        bar = display.add_task("asking the store", total=None)
        done = pull(
            url,
            out,
            trust=trust,
            overwrite=overwrite,
            on_progress=counted(display, bar),
        )
    if json_to:
        print_json(done, json_to)
    if json_to != "-":
        what = "was here already" if done.unchanged else f"{', '.join(done.artifacts)}; {size(done.bytes)}"
        console().print(f"[bold]{plain(done.path)}[/]: {plain('; '.join(part for part in (what, done.signature) if part))}")
        path = plain(done.path)
        told = (
            f"To verify and measure it here: toolkit check {path}" if done.path.suffix == ".zip" else f'To open it: toolkit.load("{path}")'
        )
        console().print(told, soft_wrap=True)
