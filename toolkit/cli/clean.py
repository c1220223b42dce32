"""``toolkit clean``."""

from __future__ import annotations

from pathlib import Path

import click

from ._commands import Command
from ._common import console, json_option, plain, print_json, print_table, size


@click.command(
    cls=Command,
    interrupted="interrupted; what was removed is gone. Rerun the same command to resume",
    short_help="Remove leftovers, logs and what can be made again.",
)
@click.argument("folder", type=click.Path(path_type=Path), default=Path("artifacts"))
@click.option(
    "--artifacts", is_flag=True, help="Also remove converted artifacts whose trained model is beside them, on data that are known."
)
@click.option("--yes", is_flag=True, help="Remove the files; without this they are only listed.")
@json_option
def command(folder: Path, artifacts: bool, yes: bool, json_to: str | None) -> None:
    """Remove from FOLDER (default: artifacts) what killed runs left, and logs; without --yes only show what would go.

    A trained model is never touched, nor a file that no command of the toolkit wrote.

    \b
    toolkit clean
    toolkit clean artifacts/cnn --artifacts
    toolkit clean --yes
    """
    from toolkit.pipeline.clean import find_waste, remove

    found = find_waste(folder, artifacts=artifacts)
    if yes:
        for waste in found:
            remove(waste)
    total = sum(waste.size_bytes for waste in found)
    if json_to:
        print_json({"removed": yes, "size_bytes": total, "found": found}, json_to)
    if json_to == "-":
        return
    if found:
        rows = [[waste.kind, plain(waste.path), size(waste.size_bytes), plain(waste.why)] for waste in found]
        print_table("Not needed", ["what", "where", "size", "why"], rows, right=["size"])
    what = f"{len(found)} files and folders, {size(total)}"
    console().print(f"removed {what}" if yes else f"would remove {what}" + ("; to do it: --yes" if found else ""))
