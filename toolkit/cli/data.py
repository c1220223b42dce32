"""``toolkit data``."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit._interrupted import RESUMES

from ._commands import Command
from ._common import complete, console, data_names, json_option, plain, print_json, print_table


@click.command(cls=Command, interrupted=RESUMES, short_help="List or fetch the data sets.")
@click.argument("fetch", required=False, metavar="[NAME]", shell_complete=complete(data_names))
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="TOOLKIT_DATA", help="A folder that holds the data set's own files.")
@json_option
def command(fetch: str | None, data_dir: Path | None, json_to: str | None) -> None:
    """List the data sets, or fetch the one called NAME into the cache and check its SHA-256.

    \b
    toolkit data
    toolkit data fashion-mnist
    """
    from toolkit.models.data import all_data, find_data

    if fetch:
        data = find_data(fetch)
        train, test = data.load("train", data_dir), data.load("test", data_dir)
        if json_to:
            print_json({"name": data.name, "train": len(train), "test": len(test)}, json_to)
        if json_to != "-":
            console().print(f"{data.name}: {len(train)} training and {len(test)} test samples, every file's SHA-256 as expected")
        return
    sets = [
        {
            "name": d.name,
            "here": d.is_here(data_dir),
            "input": list(d.signature.inputs[0].shape[1:]),
            "labels": list(d.labels),
            "summary": d.summary,
        }
        for d in all_data()
    ]
    if json_to:
        print_json(sets, json_to)
    if json_to != "-":
        rows = [
            [
                d.name,
                "here" if d.is_here(data_dir) else "-",
                "x".join(map(str, d.signature.inputs[0].shape[1:])),
                str(len(d.labels)),
                plain(d.summary),
            ]
            for d in all_data()
        ]
        print_table("Data sets", ["data", "on disk", "input", "labels", "what it is"], rows, right=["labels"])
