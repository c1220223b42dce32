"""``toolkit cache``."""

from __future__ import annotations

import click

from ._common import console, json_option, plain, print_json, print_table, size

_DAY_S = 86400.0


@click.group(invoke_without_command=True, short_help="Show the cache.")
@json_option
@click.pass_context
def command(context: click.Context, json_to: str | None) -> None:
    """Say where the cache is, how many entries it has and how large they are.

    It keeps converted artifacts, evidence, what toolkit.load has measured, compiled programs and kernels, data sets that were
    fetched, nets whose features judge generators, and the engines for web pages. TOOLKIT_CACHE moves it.

    \b
    toolkit cache
    toolkit cache clear --older-than 30
    toolkit cache clear --max-size 2
    """
    if context.invoked_subcommand is not None:
        return
    from toolkit.core import cache_home
    from toolkit.pipeline.cache import FETCHED, MADE, entries

    found = entries()
    sizes = {kind: [entry.size_bytes for entry in found if entry.kind == kind] for kind in (*MADE, *FETCHED)}
    total = sum(entry.size_bytes for entry in found)
    if json_to:
        kinds = {kind: {"entries": len(own), "size_bytes": sum(own)} for kind, own in sizes.items()}
        print_json({"folder": str(cache_home()), "entries": len(found), "size_bytes": total, "kinds": kinds}, json_to)
    if json_to != "-":
        rows = [[kind, str(len(own)), size(sum(own))] for kind, own in sizes.items()]
        print_table("Cache", ["kept", "entries", "size"], rows, right=["entries", "size"])
        console().print(f"{plain(cache_home())}: {len(found)} entries, {size(total)}", soft_wrap=True)


@command.command(short_help="Make the cache smaller.")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Remove only what was not used for so many days.")
@click.option("--max-size", type=click.FloatRange(min=0), metavar="GB", help="Stop when the rest is no larger than this.")
@click.option(
    "--data",
    is_flag=True,
    help="Also remove data sets, nets for features and the engines for web pages, which have to be fetched and trained again.",
)
@json_option
def clear(older_than: float | None, max_size: float | None, data: bool, json_to: str | None) -> None:
    """Remove converted artifacts, evidence and compiled code, used longest ago first; they are made again when they are needed.

    \b
    toolkit cache clear
    toolkit cache clear --older-than 30
    toolkit cache clear --max-size 2 --data
    """
    from toolkit.pipeline.cache import FETCHED, MADE, clear, entries

    kinds = (*MADE, *FETCHED) if data else MADE
    gone = clear(kinds=kinds, older_than_s=(older_than or 0.0) * _DAY_S, most_bytes=int((max_size or 0.0) * 2**30))
    left = entries()
    freed = sum(entry.size_bytes for entry in gone)
    if json_to:
        print_json({"removed": len(gone), "freed_bytes": freed, "left": len(left)}, json_to)
    if json_to != "-":
        rest = sum(entry.size_bytes for entry in left)
        console().print(f"removed {len(gone)} entries, {size(freed)}; {len(left)} stay, {size(rest)}")
