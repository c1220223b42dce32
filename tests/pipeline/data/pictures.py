"""Small real pictures, and the ways in which people keep their labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE = (40, 20)
"""Width and height."""
BOXES = {number: [(number % 2, 4.0 + number, 2.0, 12.0, 8.0)] * (number % 3) for number in range(1, 10)}
"""By picture: class, x, y, width and height, in pixels."""


def picture(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A gradient, another one for each number."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 20 * number % 256)], -1).astype(np.uint8))


def save(image: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


def write_coco(folder: Path, home: Path | None = None) -> dict[str, Any]:
    """Pictures in `folder`, the annotations in `home`, by default there too."""
    for number in BOXES:
        save(picture(number), folder / f"{number}.jpg")
    content = {
        "images": [{"id": number, "file_name": f"{number}.jpg", "width": SIZE[0], "height": SIZE[1]} for number in BOXES],
        "annotations": [
            {
                "id": 10 * number,
                "image_id": number,
                "category_id": [3, 7][kind],
                "bbox": box,
                "iscrowd": 0,
                "area": 96.0,
                "segmentation": [],
            }
            for number, boxes in BOXES.items()
            for kind, *box in boxes
        ],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    (home or folder).mkdir(parents=True, exist_ok=True)
    ((home or folder) / "annotations.json").write_text(json.dumps(content))
    return content


def write_yolo(folder: Path, part: str = "") -> None:
    """The same boxes; a picture without one has no file."""
    (folder / "labels" / part).mkdir(parents=True, exist_ok=True)
    for number, boxes in BOXES.items():
        save(picture(number), folder / "images" / part / f"{number}.jpg")
        lines = [
            f"{kind} {(x + width / 2) / SIZE[0]} {(y + height / 2) / SIZE[1]} {width / SIZE[0]} {height / SIZE[1]}"
            for kind, x, y, width, height in boxes
        ]
        if lines:
            (folder / "labels" / part / f"{number}.txt").write_text("\n".join(lines) + "\n")


def write_voc(folder: Path) -> None:
    """Masks with a left half of class 1, a right one of class 2, and a border of 255 between them."""
    for number in range(1, 7):
        save(picture(number), folder / "JPEGImages" / f"{number}.jpg")
        classes = np.ones((SIZE[1], SIZE[0]), np.uint8)
        classes[:, SIZE[0] // 2 :] = 2
        classes[:, SIZE[0] // 2 - 2 : SIZE[0] // 2 + 2] = 255
        mask = Image.fromarray(classes, "L").convert("P") if number % 2 else Image.fromarray(classes)
        if mask.mode == "P":
            mask.putdata(classes.ravel().tolist())
        save(mask, folder / "SegmentationClass" / f"{number}.png")
