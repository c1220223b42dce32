"""What a bundle remembers of the command that made it, so that no later one needs to be told: its samples and its limit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from toolkit.core import MAX_DROP, decode_json, read_file, write_file
from toolkit.runtimes.parity import Limits

REMEMBERED = "data.json"
"""Beside a bundle's artifacts; it does not travel."""
SAMPLE_FILES = (".npz", ".npy")


@dataclass(frozen=True)
class Remembered:
    """What is in the file.

    Args:
        data: a data set's name, or the absolute path of a file; empty where none was named.
        max_drop: what integers may lose in points of the metric; None for the default, as where the file does not say.
    """

    data: str = ""
    max_drop: Annotated[float, msgspec.Meta(ge=0)] | None = None


def remember(bundle: Path, *, data: str | None = None, limits: Limits | None = None) -> None:
    """Keep in a bundle's folder which samples it was made with, what it had if they were not named, and by which limit it was judged.

    Raises:
        StorageError: the file cannot be written.
    """
    before, max_drop = remembered(bundle), (limits or Limits()).max_drop
    name = before.data if not data else str(Path(data).resolve()) if Path(data).suffix in SAMPLE_FILES else data
    now = Remembered(name, None if max_drop == MAX_DROP else max_drop)
    if now != before:
        write_file(bundle / REMEMBERED, msgspec.json.encode(now) + b"\n")


def remembered(bundle: Path) -> Remembered:
    """What `remember` kept in the folder of a bundle; nothing where there is no such file, or a damaged one."""
    try:
        return decode_json(read_file(bundle / REMEMBERED), Remembered)
    except (OSError, msgspec.DecodeError):
        return Remembered()


def limits_for(max_drop: float | None, *bundles: Path) -> tuple[Limits, str]:
    """The limits that a user names, or else those of the first of `bundles` that remembers some, with that bundle's name; the name is
    empty for the user's own and for the default.
    """
    if max_drop is not None:
        return Limits(max_drop), ""
    for bundle in bundles:
        if (known := remembered(bundle).max_drop) is not None:
            return Limits(known), str(bundle)
    return Limits(), ""
