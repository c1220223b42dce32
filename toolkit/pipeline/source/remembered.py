"""What a bundle remembers of the command that made it, so that no later one needs to be told: its samples, its metric and its limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec

from toolkit.core import decode_json, read_file, write_file
from toolkit.tasks import Limits

from ..data import Given, as_given, find_reader

REMEMBERED = "data.json"
"""Beside a bundle's artifacts; it does not travel."""


@dataclass(frozen=True)
class Remembered:
    """What is in the file.

    Args:
        data: what was named, as it is understood from any folder; empty where nothing was.
        path: the file or folder that must be there; empty for a name that is found elsewhere.
        prepare: the file that says how to prepare it.
        columns: of a table, and which inputs they are.
        target: the column of the targets.
        max_samples: at most so many are read.
        root: the folder in which the command was given.
        max_drop: what integers may lose; None for the default, as where the file does not say.
        relative: whether that is in percent of the metric's value; None for the metric's own way.
        task: what the outputs mean; empty where nobody said.
        metric: the one that decides; empty for the task's first.
    """

    data: str = ""
    path: str = ""
    prepare: str = ""
    columns: tuple[str, ...] = ()
    target: str = ""
    max_samples: int = 0
    root: str = ""
    max_drop: Annotated[float, msgspec.Meta(ge=0)] | None = None
    relative: bool | None = None
    task: str = ""
    metric: str = ""


def remember(bundle: Path, *, data: str | Given | None = None, limits: Limits | None = None) -> None:
    """Keep in a bundle's folder which samples it was made with, what it had if they were not named, and by what it was judged.

    Raises:
        StorageError: the file cannot be written.
    """
    before, limits, given = remembered(bundle), limits or Limits(), as_given(data)
    now = before if given is None else _noted(given)
    own = limits.max_drop if (limits.max_drop, limits.relative) != (Limits().max_drop, None) else None
    now = replace(now, max_drop=own, relative=limits.relative, task=limits.task, metric=limits.metric)
    if now != before:
        write_file(bundle / REMEMBERED, msgspec.json.encode(now) + b"\n")


def _noted(given: Given) -> Remembered:
    reader = find_reader(given.word)
    path = reader.path(given.word)
    return Remembered(
        reader.absolute(given.word),
        "" if path is None else str(path.resolve()),
        str(Path(given.prepare).resolve()) if given.prepare else "",
        given.columns,
        given.target,
        given.max_samples,
        given.root or str(Path.cwd()),
    )


def remembered(bundle: Path) -> Remembered:
    """What `remember` kept in the folder of a bundle; nothing where there is no such file, or a damaged one."""
    try:
        return decode_json(read_file(bundle / REMEMBERED), Remembered)
    except (OSError, msgspec.DecodeError):
        return Remembered()


def limits_for(asked: Limits, *bundles: Path) -> tuple[Limits, str]:
    """The limits that a user names, or where that is nothing those of the first of `bundles` that remembers some, with that bundle's name;
    the name is empty for the user's own and for the default.
    """
    if asked == Limits():
        for bundle in bundles:
            known = remembered(bundle)
            found = Limits(known.max_drop, known.relative) if known.max_drop is not None else Limits()
            found = replace(found, task=known.task, metric=known.metric)
            if found != Limits():
                return found, str(bundle)
    return asked, ""
