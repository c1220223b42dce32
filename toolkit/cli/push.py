"""``toolkit push``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import console, counted, json_option, plain, print_json, progress, say, size


@click.command(short_help="Upload a bundle to a store.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("url")
@click.option("--sign", type=click.Path(path_type=Path), metavar="KEY", help="A private key (PEM) that signs the bundle of a folder.")
@click.option("--overwrite", is_flag=True, help="Replace another bundle that is there.")
@json_option
def command(bundle: Path, url: str, sign: Path | None, overwrite: bool, json_to: str | None) -> None:
    """Upload BUNDLE, what toolkit bundle packed or a bundle folder, to the store at URL, for toolkit pull.

    URL is hf://ORG/NAME[@REVISION] (Hugging Face Hub), oci://HOST/REPOSITORY:TAG (a registry of containers), or a file's address as
    fsspec has it: file:///FOLDER/cnn.zip, s3://BUCKET/cnn.zip and others. A bundle is there whole or not at all.

    \b
    toolkit push cnn.zip oci://registry.example.org/nets/cnn:1
    toolkit push cnn.zip hf://my-team/cnn
    toolkit push artifacts/cnn s3://nets/cnn.zip --sign release.pem
    """
    from toolkit.pipeline.store import push

    with progress() as display:
        bar = display.add_task("reading", total=None)
        done = push(
            bundle,
            url,
            sign=sign,
            overwrite=overwrite,
            on_progress=counted(display, bar),
        )
    say([done.note] if done.note else [])
    if json_to:
        print_json(done, json_to)
    if json_to != "-":
        what = "was there already" if done.unchanged else f"{', '.join(done.artifacts)}; {size(done.bytes)}"
        console().print(f"[bold]{plain(done.url)}[/]: {plain(what)}")
        console().print(f"To get this very version: toolkit pull {plain(done.version or done.url)}", soft_wrap=True)
