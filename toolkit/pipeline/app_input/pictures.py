"""Pictures: how they are decoded, turned, resized, ordered and scaled, and what apps do otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.core import Manifest
from toolkit.pipeline.data._pictures import SUFFIXES, opened
from toolkit.pipeline.data._preparation import PictureInput, Placement, Preparation, picture_input

from .base import Change, InputSteps, Kind

if TYPE_CHECKING:
    from PIL.Image import Image

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF_PIXEL, _CORNERS, _ASYMMETRIC = "half pixel", "corners", "asymmetric"
_RESIZES = {
    "nearest": "the nearest pixels are taken",
    "bicubic": "resized by cubic curves",
    "box": "resized by the mean of areas",
    _HALF_PIXEL: "resized without antialiasing, as OpenCV's INTER_LINEAR and torch's interpolate do",
    _CORNERS: "resized with align_corners",
    _ASYMMETRIC: "resized without half-pixel centres, as TensorFlow 1 did",
}
_RESIZE = "x = image.resize((width, height), Image.Resampling.BILINEAR)  # Pillow's, antialiased"
_FITS = {
    "stretch": ("stretched to the whole input", "x = image.resize((width, height), Image.Resampling.BILINEAR)"),
    "letterbox": ("letterboxed, with a border around it", "x = ImageOps.pad(image, (width, height), Image.Resampling.BILINEAR, color=pad)"),
    "crop": ("cut to its middle", "x = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)"),
}
_ROUNDS = {"stretch": ("",), "letterbox": ("", "up", "down"), "crop": ("", "up", "before", "box")}
_ORDERS = {"rgb": "red, green, blue", "bgr": "blue, green, red", "gray": "gray"}
_TURNS = {
    "transposed": ("height and width are swapped", "x = x.swapaxes(0, 1)"),
    "upside down": ("the picture stands on its head", "x = x[::-1]"),
    "mirrored": ("the picture is mirrored", "x = x[:, ::-1]"),
}


@dataclass(frozen=True, kw_only=True)
class PictureSteps(InputSteps):
    """How a picture becomes an input.

    Args:
        picture: itself.
        upright: turned as its camera says.
        base: what the network takes.
        fit: stretch, letterbox or crop.
        pad: the raw value of a letterbox's border.
        corner: whether a letterbox puts the picture into the upper left corner.
        rounds: how sizes and borders become whole pixels: as here, or otherwise; "before" and "box" cut a crop out of the picture before it
            is resized, the latter between pixels.
        resize: by what filter.
        turn: how the values are turned.
        exif: whether the upright one is taken.
        inverted: whether dark is bright.
        order: of the channels.
        late: whether the channels change their order after the mean was subtracted.
        scale: what raw values are multiplied by, one factor after the other.
        means: what is then subtracted, one step after the other.
        stds: what it is then divided by, as often.
        layout: NCHW, NHWC; or "read as", the memory of one taken for the other.
        whole: whether the scaled values are cut to whole numbers.
    """

    picture: Image
    upright: Image
    base: PictureInput
    fit: str
    pad: int
    corner: bool = False
    rounds: str = ""
    resize: str = "antialiased"
    turn: str = ""
    exif: bool = False
    inverted: bool = False
    order: str
    late: bool = False
    scale: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    stds: tuple[tuple[float, ...], ...]
    layout: str
    whole: bool = False


class Pictures(Kind[PictureSteps]):
    """A picture of any size."""

    name = "pictures"
    tolerance = 0.02
    takes = f"a picture ({', '.join(sorted(SUFFIXES))})"

    def owns(self, file: Path) -> bool:
        """By its ending."""
        return file.suffix.lower() in SUFFIXES

    def right(self, file: Path, manifest: Manifest, preparation: Preparation) -> PictureSteps:
        """As `toolkit convert` prepares pictures."""
        base = picture_input(manifest.signature, preparation, manifest.preprocessing, fit="stretch")
        from PIL import ImageOps

        mode = "L" if base.channels == "gray" else "RGB"
        with opened(file) as image:
            picture, upright = image.convert(mode), ImageOps.exif_transpose(image).convert(mode)
        (spec,) = manifest.signature.inputs
        return PictureSteps(
            spec=spec,
            picture=picture,
            upright=upright,
            base=base,
            fit=base.fit,
            pad=base.pad,
            order=base.channels,
            scale=(base.scale,),
            means=(base.mean,),
            stds=(base.std,),
            layout=base.layout,
        )

    def wanted(self, steps: PictureSteps) -> str:
        """As `toolkit convert` says it."""
        return steps.base.note

    def array(self, steps: PictureSteps) -> np.ndarray:
        """Step by step."""
        raw = _placed(steps)
        raw = 255.0 - raw if steps.inverted else raw
        swapped = (steps.order == "bgr") != (steps.late and steps.base.channels != "gray")
        values = raw[..., ::-1] if swapped else raw
        for factor in steps.scale:
            values = values * factor
        values = np.trunc(values) if steps.whole else values
        for mean, std in zip(steps.means, steps.stds, strict=True):
            values = (values - np.asarray(mean)) / np.asarray(std)
        values = values[..., ::-1] if steps.late and steps.base.channels != "gray" else values
        return _laid_out(_turned(values, steps.turn), steps.layout, steps.base.layout)

    def changes(self, steps: PictureSteps) -> Iterator[Change]:
        """The usual ones."""
        yield from _of_channels(steps)
        yield from _of_values(steps)
        yield from _of_places(steps)


def _of_channels(steps: PictureSteps) -> Iterator[Change]:
    base = steps.base
    if base.channels != "gray":
        other = "bgr" if base.channels == "rgb" else "rgb"
        wanted = f"channels are {_ORDERS[other]}: the network takes {_ORDERS[base.channels]}"
        yield Change(wanted, "x = x[..., ::-1]  # before mean and std", {"order": other})
        if len(set(base.mean)) > 1 or len(set(base.std)) > 1:
            yield Change(
                f"channels are {_ORDERS[other]}, swapped after mean and std: the network takes {_ORDERS[base.channels]}",
                "x = (x[..., ::-1] * scale - mean) / std",
                {"late": True, "order": other},
            )
    laid = "height, width, channels" if base.layout == "NCHW" else "channels, height, width"
    axes = "(2, 0, 1)" if base.layout == "NCHW" else "(1, 2, 0)"
    yield Change(
        f"the array is {laid}: the network takes {base.layout}",
        f"x = x.transpose{axes}",
        {"layout": "NHWC" if base.layout == "NCHW" else "NCHW"},
    )
    if base.channels != "gray":
        yield Change(f"an array of {laid} was reshaped, which mixes pixels", f"x = x.transpose{axes}  # no reshape", {"layout": "read as"})
    yield Change("dark is bright: the values are inverted", "x = 255 - x", {"inverted": True})


def _of_values(steps: PictureSteps) -> Iterator[Change]:
    base = steps.base
    count = len(base.mean)
    zeros, ones = (0.0,) * count, (1.0,) * count
    norm = base.mean != zeros or base.std != ones
    right = f"x = x * {base.scale:.6g}"
    if base.scale != 1:
        yield Change(f"raw values from 0 to 255: the network takes them times {base.scale:.6g}", right, {"scale": (1.0,)})
        yield Change(f"scaled twice: values are multiplied by {base.scale:.6g} a second time", right, {"scale": (base.scale,) * 2})
        yield Change("whole numbers: values were divided as integers", f"x = x.astype(np.float32) * {base.scale:.6g}", {"whole": True})
    if not np.isclose(base.scale, 1 / 255):
        yield Change(f"values were divided by 255: the network takes them times {base.scale:.6g}", right, {"scale": (1 / 255,)})
    as_it_is = f"x = (x * {base.scale:.6g} - {_text(base.mean)}) / {_text(base.std)}"
    if not (np.isclose(base.scale, 2 / 255) and base.mean == ones):
        yield Change("values from -1 to 1 (x / 127.5 - 1)", as_it_is, {"scale": (2 / 255,), "means": (ones,), "stds": (ones,)})
    if norm:
        yield Change("mean and std were left out", as_it_is, {"means": (zeros,), "stds": (ones,)})
        yield Change("mean and std were applied twice", as_it_is, {"means": (base.mean,) * 2, "stds": (base.std,) * 2})
    if base.mean != zeros and base.std != ones:
        yield Change("the mean was left out", as_it_is, {"means": (zeros,), "stds": (base.std,)})
        yield Change("the std was left out", as_it_is, {"means": (base.mean,), "stds": (ones,)})
    if base.mean != zeros and base.scale != 1:
        yield Change("the mean was subtracted from raw values", as_it_is, {"scale": (1.0,), "means": (base.mean,), "stds": (base.std,)})
    if count == 3 and not np.allclose(base.mean, _IMAGENET[0], atol=2e-3):
        fields: dict[str, object] = {"scale": (1 / 255,), "means": (_IMAGENET[0],), "stds": (_IMAGENET[1],)}
        yield Change("ImageNet's mean and std, which this network does not take", as_it_is, fields)


def _of_places(steps: PictureSteps) -> Iterator[Change]:
    for resize, what in _RESIZES.items():
        yield Change(f"{what}: the network takes antialiased bilinear", _RESIZE, {"resize": resize})
    wanted, mend = _FITS[steps.base.fit]
    for fit, (what, _) in _FITS.items():
        for rounds in _ROUNDS[fit]:
            if fit != steps.base.fit:
                yield Change(f"{what}: the network takes pictures {wanted}", mend, {"fit": fit, "rounds": rounds})
            elif rounds:
                yield Change("the picture lies up to a pixel elsewhere: sizes or borders are rounded otherwise", mend, {"rounds": rounds})
    if steps.base.fit == "letterbox":
        yield Change("the picture lies in the upper left corner, not in the middle", _FITS["letterbox"][1], {"corner": True})
        for pad in (0, 128, 255):
            if pad != steps.base.pad:
                yield Change(f"the border is {pad}: the network takes {steps.base.pad}", f"pad = {steps.base.pad}", {"pad": pad})
    for turn, (what, mend) in _TURNS.items():
        yield Change(what, mend, {"turn": turn})
    yield Change(
        "turned as its camera says (EXIF): the network was trained without", "x = Image.open(file)  # no exif_transpose", {"exif": True}
    )


def _text(values: tuple[float, ...]) -> str:
    return f"{values[0]:.6g}" if len(set(values)) == 1 else f"np.array([{', '.join(f'{value:.6g}' for value in values)}])"


def _placed(steps: PictureSteps) -> np.ndarray:
    """Raw values ``[height, width, channels]`` in float64."""
    base, picture = replace(steps.base, fit=steps.fit), steps.upright if steps.exif else steps.picture
    place = base.placement(*picture.size)
    box = None
    if steps.rounds in {"before", "box"}:
        box = _middle(picture.size, base, whole=steps.rounds == "before")
        place = replace(place, left=0, top=0, width=base.width, height=base.height)
    elif steps.rounds:
        place = _rounded(place, base, picture.size, up=steps.rounds == "up")
    sized = _resized(picture, place, steps.resize, box)
    sized = sized[..., None] if sized.ndim == 2 else sized
    whole = np.full((base.height, base.width, sized.shape[2]), float(steps.pad))
    top, left = (0, 0) if steps.corner else (place.top, place.left)
    down, across = slice(max(top, 0), top + place.height), slice(max(left, 0), left + place.width)
    part = whole[down, across]
    part[...] = sized[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
    return whole


def _turned(values: np.ndarray, turn: str) -> np.ndarray:
    return values.swapaxes(0, 1) if turn == "transposed" else values[::-1] if turn == "upside down" else values[:, ::-1] if turn else values


def _middle(size: tuple[int, int], base: PictureInput, *, whole: bool) -> tuple[float, float, float, float]:
    """The middle of a picture in the proportions of the input: left, top, right, bottom; with `whole` in whole pixels."""
    width, height = size
    ratio = max(base.width / width, base.height / height)
    wide, high = base.width / ratio, base.height / ratio
    left, top = max(0.0, (width - wide) / 2), max(0.0, (height - high) / 2)
    if not whole:
        return left, top, min(left + wide, width), min(top + high, height)
    return round(left), round(top), round(left) + round(wide), round(top) + round(high)


def _rounded(place: Placement, base: PictureInput, size: tuple[int, int], *, up: bool) -> Placement:
    """A placement with its sizes cut off instead of rounded, or its borders rounded up."""
    wide, high = (place.width, place.height) if up else (int(place.scale_x * size[0] - 1e-6) or 1, int(place.scale_y * size[1] - 1e-6) or 1)
    left, top = base.width - wide, base.height - high
    return replace(place, width=wide, height=high, left=-(-left // 2) if up else left // 2, top=-(-top // 2) if up else top // 2)


def _resized(picture: Image, place: Placement, resize: str, box: tuple[float, float, float, float] | None) -> np.ndarray:
    from PIL import Image

    kinds: dict[str, Any] = {
        "antialiased": Image.Resampling.BILINEAR,
        "nearest": Image.Resampling.NEAREST,
        "bicubic": Image.Resampling.BICUBIC,
        "box": Image.Resampling.BOX,
    }
    if resize in kinds:
        return np.asarray(picture.resize((place.width, place.height), kinds[resize], box=box), np.float64)
    values = np.asarray(picture if box is None else picture.crop(tuple(map(round, box))), np.float64)
    for axis, size in enumerate((place.height, place.width)):
        low, high, share = _between(values.shape[axis], size, resize)
        along = [-1 if each == axis else 1 for each in range(values.ndim)]
        values = np.take(values, low, axis) * (1 - share).reshape(along) + np.take(values, high, axis) * share.reshape(along)
    return np.rint(values)


def _between(have: int, want: int, resize: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel that is wanted the two that it lies between, and how much of the second."""
    places = np.arange(want, dtype=np.float64)
    if resize == _CORNERS:
        places *= (have - 1) / max(want - 1, 1)
    elif resize == _ASYMMETRIC:
        places *= have / want
    else:
        places = (places + 0.5) * (have / want) - 0.5
    places = np.clip(places, 0, have - 1)
    low = np.floor(places).astype(np.int64)
    return low, np.minimum(low + 1, have - 1), places - low


def _laid_out(values: np.ndarray, layout: str, wanted: str) -> np.ndarray:
    """Values ``[height, width, channels]`` in a layout."""
    first = values.transpose(2, 0, 1)
    if layout == "read as":
        return values.reshape(first.shape) if wanted == "NCHW" else np.ascontiguousarray(first).reshape(values.shape)
    return first if layout == "NCHW" else values
