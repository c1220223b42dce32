"""How a picture becomes the input: one size, one order of channels, scaled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")
Image.MAX_IMAGE_PIXELS = None  # Below is a limit of our own, which is an error and no warning.


def prepare(file: Path, about: dict[str, Any]) -> np.ndarray:
    """The input ``[1, ...]`` of a picture; raises ValueError and FileNotFoundError."""
    return values(picture(file, about), about)


def picture(file: Path, about: dict[str, Any]) -> Image.Image:
    """The picture, gray or in colours as the network takes it; what is transparent keeps its colours."""
    try:
        with Image.open(file) as image:
            if image.width * image.height > about["most_pixels"]:
                raise ValueError(f"{image.width} x {image.height} pixels, expected at most {about['most_pixels']:,}")
            if image.mode not in {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}:
                raise ValueError(f"its values are {image.mode}, expected 8 bits")
            return image.convert("L" if about["channels"] == "gray" else "RGB")
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # Damaged files make Pillow raise anything.
        raise ValueError(f"'{file}' cannot be read as a picture: {error}") from error


def values(image: Image.Image, about: dict[str, Any]) -> np.ndarray:
    """The input of a decoded picture."""
    raw = np.asarray(placed(image, about))
    raw = raw[..., None] if raw.ndim == 2 else raw
    raw = raw[..., ::-1] if about["channels"] == "bgr" else raw
    if about["dtype"] != "uint8":
        mean, std = (np.asarray(about[name], np.float32) for name in ("mean", "std"))
        raw = ((raw.astype(np.float32) * np.float32(about["scale"]) - mean) / std).astype(about["dtype"])
    raw = raw.transpose(2, 0, 1) if about["layout"] == "NCHW" else raw
    return np.ascontiguousarray(raw[None])


def placed(image: Image.Image, about: dict[str, Any]) -> Image.Image:
    """The picture in the size of the input: stretched, whole with a border, or its middle."""
    width, height = about["width"], about["height"]
    if about["fit"] == "stretch":
        return resized(image, width, height)
    choose = min if about["fit"] == "letterbox" else max
    wide = max(1, choose(width, (2 * image.width * height + image.height) // (2 * image.height)))
    high = max(1, choose(height, (2 * image.height * width + image.width) // (2 * image.width)))
    pad = about["pad"]
    whole = Image.new(image.mode, (width, height), pad if image.mode == "L" else (pad, pad, pad))
    whole.paste(resized(image, wide, high), ((width - wide) // 2, (height - high) // 2))
    return whole


def resized(image: Image.Image, width: int, height: int) -> Image.Image:
    """Across and then down: Pillow from 13 on turns that round for tall pictures, which rounds other levels."""
    return image.resize((width, image.height), Image.Resampling.BILINEAR).resize((width, height), Image.Resampling.BILINEAR)
