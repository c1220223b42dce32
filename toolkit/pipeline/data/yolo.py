"""Pictures with text files of boxes, as ultralytics lays them out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from toolkit.core import DataError

from ._pictures import Entry, Listing, PictureReader, boxes_target, is_picture, pictures_below
from ._preparation import PictureInput
from .base import TESTS, TRAIN, Wanted

_ABOUT = ("data.yaml", "data.yml")
_ENTRY = re.compile(r"^(?:- *|(?P<number>\d+) *: *)(?P<name>.+)$")


class Yolo(PictureReader):
    """``images/`` and ``labels/`` beside it, with ``train/`` and ``val/`` in or above them, ``data.yaml`` if it is there. A line of a label
    is a class and a box (middle, width, height) or a polygon, as shares of the picture.
    """

    name = "yolo"
    takes = "pictures in images/ with YOLO's text files in labels/, or their data.yaml"
    example = "data.yaml"
    fit = "letterbox"  # As ultralytics trains and validates.

    def owns(self, word: str) -> bool:
        """A folder of that layout, or its description."""
        path = Path(word)
        return path.name in _ABOUT if not path.is_dir() else bool(_parts(path))

    def _listing(self, path: Path, wanted: Wanted) -> Listing:  # noqa: ARG002 - the files tell the classes
        folder = path if path.is_dir() else path.parent
        about = path if not path.is_dir() else next((folder / name for name in _ABOUT if (folder / name).is_file()), None)
        parts = _parts(folder)
        if not parts:
            raise DataError(f"no pictures with labels in '{folder}'", expected=self.takes)
        listed = [_entries(images, labels) for images, labels in parts]
        return Listing(listed[0], listed[1] if len(listed) > 1 else None, _names(about) if about else ())

    def _target(self, entry: Entry, size: tuple[int, int], picture: PictureInput, most: int) -> np.ndarray:
        return boxes_target(entry.label * [1, size[0], size[1], size[0], size[1]], size, picture, most)


def _parts(folder: Path) -> list[tuple[Path, Path]]:
    """The folders of pictures and labels: of what trains and what verifies, or of all; nothing where there are none."""

    def first(names: tuple[str, ...]) -> tuple[Path, Path] | None:
        pairs = [(folder / "images" / name, folder / "labels" / name) for name in names]
        pairs += [(folder / name / "images", folder / name / "labels") for name in names]
        return next((pair for pair in pairs if all(each.is_dir() for each in pair)), None)

    train, tests = first(TRAIN), first(TESTS)
    if train and tests:
        return [train, tests]
    whole = (folder / "images", folder / "labels")
    only = train or tests or (whole if all(each.is_dir() for each in whole) else None)
    return [only] if only else []


def _entries(images: Path, labels: Path) -> list[Entry]:
    pictures = {file.relative_to(images).with_suffix(""): file for file in pictures_below(images)}
    texts = {file.relative_to(labels).with_suffix(""): file for file in sorted(labels.rglob("*.txt")) if file.name != "classes.txt"}
    for name, file in texts.items():
        if name not in pictures:
            raise DataError(f"'{file}' has labels, and there is no picture '{name}' in '{images}'", hint="remove it, or bring the picture")
    # A picture without a file shows nothing of the classes: that is how ultralytics has it.
    none = np.zeros((0, 5))
    return [Entry(file, _boxes(texts[name]) if name in texts else none) for name, file in pictures.items() if is_picture(file)]


def _boxes(file: Path) -> np.ndarray:
    """Boxes ``[K, 5]`` (class, x1, y1, x2, y2) in shares of the picture."""
    return np.array(list(_lines(file)), np.float64).reshape(-1, 5)


def _lines(file: Path) -> Iterator[tuple[float, ...]]:
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            kind, *values = [float(word) for word in words]
        except ValueError:
            kind, values = -1.0, []
        points = np.array(values)
        is_polygon = len(values) >= 6 and len(values) % 2 == 0
        if kind < 0 or kind != int(kind) or not (len(values) == 4 or is_polygon) or not ((points >= 0) & (points <= 1)).all():
            raise DataError(
                f"'{file}' line {number}",
                expected="a class number and a box or polygon in shares of the picture from 0 to 1",
                got=line[:60],
            )
        if is_polygon:
            yield kind, points[::2].min(), points[1::2].min(), points[::2].max(), points[1::2].max()
        else:
            x, y, width, height = values
            yield kind, x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _names(file: Path) -> tuple[str, ...]:
    """The names of the classes in ``data.yaml``, in the two forms that ultralytics writes; nothing where there are none.

    No reader of YAML is needed for these lines, nor what it can do besides.
    """
    text = re.sub(r"\s+#.*$", "", file.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE)
    if inline := re.search(r"^names *: *\[(.*?)\]", text, re.MULTILINE | re.DOTALL):
        return tuple(name.strip().strip("'\"") for name in inline[1].split(",") if name.strip())
    block = re.search(r"^names *:[ \t]*\n((?:[ \t]+.*\n?|- .*\n?)+)", text, re.MULTILINE)
    found = [_ENTRY.match(line.strip()) for line in block[1].splitlines() if line.strip()] if block else []
    return tuple(match["name"].strip().strip("'\"") for match in found if match)
