"""A folder of pictures, with a folder for each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.core import DataError, scores_classes

from ._pictures import Entry, Listing, PictureReader, is_picture, pictures_below, split_folders
from ._preparation import PictureInput
from .base import Wanted


class ClassFolders(PictureReader):
    """``photos/cat/1.jpg``: the folders are the classes, in the order of the network's own labels, else of their numbers or names.
    ``photos/train/cat/1.jpg`` and ``photos/val/cat/2.jpg`` where the parts are named; ``photos/1.jpg`` where nothing is known.
    """

    name = "folder"
    takes = "a folder of pictures such as photos/, with a folder for each class"
    example = "photos/"
    rank = -1  # Other kinds are folders of pictures too, with more in them.

    def owns(self, word: str) -> bool:
        """A folder with pictures in it or below."""
        return Path(word).is_dir() and any(True for _ in pictures_below(Path(word)))

    def _listing(self, path: Path, wanted: Wanted) -> Listing:
        parts = split_folders(path) or (path, None)
        classes = [_classes(part) for part in parts if part is not None]
        names = sorted({name for each in classes for name in each})
        if not names:
            return Listing([Entry(file) for file in _direct(path)])
        numbers = _numbers(names, wanted, path)
        entries = [[Entry(file, numbers[name]) for name, folder in each.items() for file in pictures_below(folder)] for each in classes]
        known = sorted(numbers, key=lambda name: numbers[name])
        labels = tuple(known) if sorted(numbers.values()) == list(range(len(names))) else ()
        loose = sum(len(_direct(part)) for part in parts if part is not None)
        notes = (f"{loose:,} pictures in no folder of a class are not used",) if loose else ()
        return Listing(entries[0], entries[1] if len(entries) > 1 else None, labels, notes)

    def _target(self, entry: Entry, size: tuple[int, int], picture: PictureInput, most: int) -> np.ndarray | None:  # noqa: ARG002
        return None if entry.label is None else np.array(entry.label, np.int64)


def _classes(folder: Path) -> dict[str, Path]:
    """The folders in a folder, whether or not there is a picture in each: an empty class still has its number."""
    return {each.name: each for each in sorted(folder.iterdir()) if each.is_dir() and not each.name.startswith(".")}


def _direct(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if is_picture(file))


def _numbers(names: list[str], wanted: Wanted, path: Path) -> dict[str, int]:
    """The number of each class."""
    if wanted.labels and set(names) <= set(wanted.labels):
        return {name: wanted.labels.index(name) for name in names}
    if all(name.isdecimal() for name in names):
        return {name: int(name) for name in names}
    signature = wanted.signature
    count = signature.outputs[0].shape[1] if scores_classes(signature) else None
    if isinstance(count, int) and count != len(names):
        raise DataError(
            f"'{path}' has {len(names)} folders, and the network {count} classes",
            expected="a folder for each class, in the order of their names",
            hint="make an empty folder for a class without pictures, or name the folders by the numbers of their classes",
        )
    return {name: number for number, name in enumerate(names)}
