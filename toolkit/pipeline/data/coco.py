"""Pictures with boxes in COCO's JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import DataError
from toolkit.core.reading import decode_json, read_file

from ._pictures import Entry, Listing, PictureReader, boxes_target, find_picture, split_folders
from ._preparation import PictureInput
from .base import TESTS, TRAIN, Wanted

_NAMES = ("annotations.json", "_annotations.coco.json", "instances.json")
_MOST_BYTES = 2**31


@dataclass(frozen=True)
class _Image:
    id: int
    file_name: str


@dataclass(frozen=True)
class _Annotation:
    image_id: int
    category_id: int
    bbox: tuple[float, ...]
    iscrowd: int = 0


@dataclass(frozen=True)
class _Category:
    id: int
    name: str


@dataclass(frozen=True)
class _Content:
    images: tuple[_Image, ...]
    annotations: tuple[_Annotation, ...]
    categories: tuple[_Category, ...]


class Coco(PictureReader):
    """``annotations.json`` in the folder, above it or beside it, or the parts ``annotations/instances_train*.json`` and
    ``instances_val*.json``. Classes are the categories in the order of their numbers, counted from 0; crowds are left out.
    """

    name = "coco"
    takes = "pictures with COCO's annotations.json"
    example = "annotations.json"

    def owns(self, word: str) -> bool:
        """A JSON file, or a folder with one by its usual name."""
        path = Path(word)
        return path.suffix == ".json" if not path.is_dir() else bool(_files(path))

    def _listing(self, path: Path, wanted: Wanted) -> Listing:  # noqa: ARG002 - the annotations tell the classes
        files = _files(path) if path.is_dir() else [path]
        contents = [_content(file) for file in files]
        categories = {category.id: category.name for content in contents for category in content.categories}
        numbers = {each: number for number, each in enumerate(sorted(categories))}
        parts = [_entries(file, content, numbers, path) for file, content in zip(files, contents, strict=True)]
        labels = tuple(categories[each] for each in sorted(categories))
        return Listing(parts[0], parts[1] if len(parts) > 1 else None, labels)

    def _target(self, entry: Entry, size: tuple[int, int], picture: PictureInput, most: int) -> np.ndarray:
        return boxes_target(entry.label, size, picture, most)


def _files(folder: Path) -> list[Path]:
    """The file of annotations, or those of what trains and of what verifies; nothing where there is none."""
    parts, below = split_folders(folder), folder / "annotations"
    both: list[Path] = []
    for place, names in enumerate((TRAIN, TESTS)):
        tries = [parts[place] / name for name in _NAMES] if parts else []
        tries += [file for name in names for file in sorted(below.glob(f"instances_{name}*.json"))]
        both += [file for file in tries if file.is_file()][:1]
    if len(both) == 2:
        return both
    single = [home / name for home in (folder, below, folder.parent) for name in _NAMES]
    return [*(file for file in single if file.is_file()), *both][:1]


def _content(file: Path) -> _Content:
    try:
        return decode_json(read_file(file, most=_MOST_BYTES), _Content)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"'{file}' cannot be read as COCO annotations: {error}", expected="images, annotations with bbox, and categories"
        ) from error


def _entries(file: Path, content: _Content, numbers: dict[int, int], path: Path) -> list[Entry]:
    folders = _places(file, path)
    boxes: dict[int, list[tuple[float, ...]]] = {image.id: [] for image in content.images}
    for each in content.annotations:
        if each.image_id not in boxes:
            raise DataError(f"'{file}' has a box of picture {each.image_id}, which is not among its images")
        if len(each.bbox) != 4 or not all(map(math.isfinite, each.bbox)) or each.category_id not in numbers:
            raise DataError(
                f"'{file}' has a box of picture {each.image_id} that is none",
                expected="x, y, width and height, and a category that it names",
                got=f"{list(each.bbox)} of category {each.category_id}",
            )
        if not each.iscrowd:
            x, y, width, height = each.bbox
            boxes[each.image_id].append((numbers[each.category_id], x, y, x + width, y + height))
    return [
        Entry(find_picture(image.file_name, folders, named_by=file), np.array(boxes[image.id], np.float64).reshape(-1, 5))
        for image in sorted(content.images, key=lambda image: image.file_name)
    ]


def _places(file: Path, path: Path) -> Sequence[Path]:
    """Where the pictures may be."""
    own = file.stem.removeprefix("instances_")
    homes = dict.fromkeys([file.parent, path if path.is_dir() else file.parent, file.parent.parent])
    return [*homes, *(home / name for home in homes for name in ("images", own, f"images/{own}"))]
