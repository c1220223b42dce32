"""What the kinds of labelled folders of pictures share: they are listed, decoded side by side, prepared, and written down."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from toolkit.core import DataError, available_threads, words_of

from ._order import fair_order
from ._preparation import Fit, PictureInput, Placement, Preparation, picture_input
from ._prepared import Batch, cached, key_of, written
from .base import DataReader, Found, Given, Wanted, named_parts

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})
_AT_ONCE = 16


@dataclass(frozen=True)
class Entry:
    """A picture and what is known of it: a class number, boxes ``[K, 5]``, or the file of its mask; None for nothing."""

    picture: Path
    label: Any = None


@dataclass(frozen=True)
class Listing:
    """What a folder holds: all entries, or those that train and those that test; names of classes by their numbers; what to say."""

    entries: list[Entry]
    tests: list[Entry] | None = None
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Reading:
    """How the parts of a folder are read: ``most`` is the largest number of boxes of any picture."""

    given: Given
    wanted: Wanted
    picture: PictureInput
    most: int
    labels: tuple[str, ...]
    notes: tuple[str, ...]


class PictureReader(DataReader):
    """A folder of pictures with labels."""

    options: ClassVar = frozenset({"prepare", "max_samples"})
    fit: ClassVar[Fit] = "stretch"
    """How pictures get their size unless somebody says it."""

    def path(self, word: str) -> Path:
        """The folder, or the file that describes it."""
        return Path(word)

    @abstractmethod
    def _listing(self, path: Path, wanted: Wanted) -> Listing:
        """What is there, nothing decoded yet; raises `DataError` for a label without its picture."""

    @abstractmethod
    def _target(self, entry: Entry, size: tuple[int, int], picture: PictureInput, most: int) -> np.ndarray | None:
        """The target of an entry whose picture has this width and height; `most` is the largest number of boxes of any."""

    @final
    def _read(self, given: Given, wanted: Wanted) -> Found:
        path = Path(given.word)
        picture = picture_input(wanted.fixed, Preparation.beside(path, given.prepare), wanted.preprocessing, fit=self.fit)
        listing = self._listing(path, wanted)
        every = [*listing.entries, *(listing.tests or ())]
        if not listing.entries or listing.tests == []:
            raise DataError(f"no pictures in '{path}'", expected=self.takes)
        most = max((len(entry.label) for entry in every if isinstance(entry.label, np.ndarray)), default=0)
        reading = _Reading(given, wanted, picture, max(1, most), listing.labels, (picture.note, *listing.notes))
        if listing.tests is None:
            return self._part(listing.entries, given.limit, reading)
        first = self._part(listing.entries, min(given.limit, wanted.calibration), replace(reading, notes=()))
        rest = self._part(listing.tests, min(given.limit, wanted.evaluation or given.limit), reading)
        return replace(first, tests=rest.samples)

    def _part(self, entries: list[Entry], limit: int, reading: _Reading) -> Found:
        given, picture = reading.given, reading.picture
        classes = [entry.label for entry in entries]
        labelled = np.array(classes) if all(isinstance(each, int) for each in classes) else None
        chosen = [entries[row] for row in fair_order(len(entries), labelled)[:limit]]
        notes = [*reading.notes]
        if len(chosen) < len(entries) and limit == given.limit:
            notes.append(f"{limit:,} of {len(entries):,} pictures are taken (--max-samples)")
        facts = [(str(entry.picture.resolve()), *_state(entry.picture), _known(entry.label)) for entry in chosen]
        origin = Path(given.word).resolve().name

        def batches() -> Iterator[Batch]:
            def row(entry: Entry) -> tuple[np.ndarray, np.ndarray | None]:
                with opened(entry.picture) as image:
                    return picture.array(image), self._target(entry, image.size, picture, reading.most)

            with ThreadPoolExecutor(available_threads()) as pool:
                for start in range(0, len(chosen), _AT_ONCE):
                    rows = list(pool.map(row, chosen[start : start + _AT_ONCE]))
                    targets = [target for _, target in rows if target is not None]
                    yield Batch(
                        {picture.name: np.stack([array for array, _ in rows])},
                        np.stack(targets) if targets else None,
                        f"pictures from {start + 1} on",
                    )

        def make(folder: Path) -> None:
            written(
                folder,
                "samples",
                batches(),
                signature=reading.wanted.fixed,
                origin=origin,
                notes=notes,
                labels=reading.labels,
                preprocessing=picture.preprocessing,
                ordered=True,
            )

        return cached(key_of(self.name, facts, picture, reading.most, notes, reading.labels), make)


def _state(file: Path) -> tuple[int, int]:
    """By what a changed file is known, without being read."""
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def _known(label: Any) -> Any:
    if isinstance(label, Path):
        return (str(label.resolve()), *_state(label))
    return label.tolist() if isinstance(label, np.ndarray) else label


@contextmanager
def opened(file: Path) -> Iterator[Image]:
    """A decoded picture; raises `DataError` for one that is cut short or none at all."""
    from PIL import Image

    with file.open("rb") as stream:
        try:
            image = Image.open(stream)
            image.load()
        except MemoryError:
            raise
        except Exception as error:  # Damaged files make Pillow raise anything.
            raise DataError(
                f"'{file}' cannot be read as a picture: {words_of(error)}", hint="remove it, or put a whole one there"
            ) from error
        yield image


def is_picture(file: Path) -> bool:
    """By the end of its name; what begins with a dot is another program's."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".")


def pictures_below(folder: Path) -> Iterator[Path]:
    """The pictures in a folder and below, in the order of their names."""
    for home, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (file for name in sorted(files) if is_picture(file := Path(home, name)))


def split_folders(folder: Path) -> tuple[Path, Path] | None:
    """The folders of what trains and of what verifies, where a folder has both."""
    return named_parts(lambda name: place if (place := folder / name).is_dir() else None)


def boxes_target(boxes: np.ndarray, size: tuple[int, int], picture: PictureInput, most: int) -> np.ndarray:
    """Boxes ``[most, 5]`` float32 (class, x1, y1, x2, y2) in pixels of the input; rows of class -1 are none."""
    place: Placement = picture.placement(*size)
    moved = place.boxes(boxes, width=picture.width, height=picture.height)
    target = np.zeros((most, 5), np.float32)
    target[:, 0] = -1
    target[: len(moved)] = moved
    return target


def find_picture(name: str, folders: Sequence[Path], *, named_by: Path) -> Path:
    """The picture that a label file names; raises `DataError` where it is in none of the folders."""
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        f"'{named_by}' has labels for '{name}', and there is no such picture", expected=f"it in {' or '.join(map(str, folders))}"
    )
