"""Pictures with masks of classes, as PASCAL VOC lays them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from toolkit.core import DataError

from ._pictures import Entry, Listing, PictureReader, opened, pictures_below
from ._preparation import PictureInput
from .base import Wanted, named_parts

_PICTURES, _MASKS, _SETS = "JPEGImages", "SegmentationClass", Path("ImageSets", "Segmentation")


class VocMasks(PictureReader):
    """``JPEGImages/1.jpg`` with ``SegmentationClass/1.png``, whose palette indices are the classes and 255 counts for nothing;
    ``ImageSets/Segmentation/train.txt`` and ``val.txt`` name the parts.
    """

    name = "voc"
    takes = "pictures in JPEGImages/ with VOC's masks in SegmentationClass/, such as VOC2012/"
    example = "VOC2012/"

    def owns(self, word: str) -> bool:
        """By its two folders."""
        return all((Path(word) / name).is_dir() for name in (_PICTURES, _MASKS))

    def _listing(self, path: Path, wanted: Wanted) -> Listing:  # noqa: ARG002 - masks hold numbers, and no names
        pictures = {file.stem: file for file in pictures_below(path / _PICTURES)}
        masks = {file.stem: file for file in pictures_below(path / _MASKS)}

        def entries(stems: list[str], said_by: str) -> list[Entry]:
            for stem in stems:
                if stem not in pictures or stem not in masks:
                    missing = path / (_PICTURES if stem not in pictures else _MASKS) / stem
                    raise DataError(f"{said_by} names '{stem}', and there is no '{missing}.*'", hint="remove it, or bring the file")
            return [Entry(pictures[stem], masks[stem]) for stem in stems]

        if lists := named_parts(lambda name: file if (file := path / _SETS / f"{name}.txt").is_file() else None):
            first, rest = (entries(sorted(file.read_text(encoding="utf-8").split()), f"'{file}'") for file in lists)
            return Listing(first, rest)
        return Listing(entries(sorted(masks), f"'{path / _MASKS}'"))

    def _target(self, entry: Entry, size: tuple[int, int], picture: PictureInput, most: int) -> np.ndarray:  # noqa: ARG002
        with opened(entry.label) as mask:
            if mask.mode not in {"P", "L"} or mask.size != size:
                raise DataError(
                    f"mask '{entry.label}'",
                    expected=f"class numbers as palette indices or gray values, {size[0]} x {size[1]} as its picture",
                    got=f"{mask.mode} of {mask.size[0]} x {mask.size[1]}",
                )
            return picture.mask(mask)
