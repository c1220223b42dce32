"""How a sample becomes an input, a picture above all: preparation as data, from ``prepare.toml``, else as manifest and signature say."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from toolkit.core import DataError, Preprocessing, Signature, Sound, TensorSpec, Tokens, needs
from toolkit.core.reading import decode_toml, read_file
from toolkit.tasks.segmentation import NOT_COUNTED

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "prepare.toml"
"""Beside the data: how they are prepared, unless another file is named."""
_CHANNELS = {1: "gray", 3: "rgb"}

Fit = Literal["stretch", "letterbox", "crop"]


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What ``prepare.toml`` says; what it leaves out is as the network's manifest or signature has it.

    Args:
        size: height and width, or both in one number.
        fit: how a picture gets them: stretched, whole with a border, or its middle.
        channels: their order.
        scale: what raw values from 0 to 255 are multiplied by, such as ``"1/255"``.
        mean: what is then subtracted, one number or one a channel.
        std: what it is then divided by.
        layout: where the channels stand.
        dtype: of the input; it must be the network's own.
        pad: the raw value of a letterbox's border.
        audio: how a recording becomes an input.
        text: how a column of texts becomes an input: tokens.
        target: how texts become targets.
    """

    size: int | tuple[int, int] | None = None
    fit: Fit | None = None
    channels: Literal["rgb", "bgr", "gray"] | None = None
    scale: float | str | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    layout: Literal["NCHW", "NHWC"] | None = None
    dtype: str | None = None
    pad: int | None = None
    audio: Sound | None = None
    text: Tokens | None = None
    target: Tokens | None = None

    @classmethod
    def beside(cls, path: Path, named: str = "") -> Preparation:
        """That of the file that somebody names, or that lies in the folder of data or beside it; nothing where none does. Raises
        `DataError`.
        """
        places = [(path if path.is_dir() else path.parent) / FILE, path.parent / FILE]
        file = Path(named) if named else next((each for each in places if each.is_file()), None)
        return cls.load(file) if file else cls()

    @classmethod
    def load(cls, file: Path) -> Preparation:
        """Read a TOML file; raises `DataError`."""
        try:
            content = decode_toml(read_file(file), dict[str, Any])
            _check_known(content, [field.name for field in fields(cls)], file)
            if isinstance(audio := content.get("audio"), dict):
                _check_known(audio, [field.name for field in fields(Sound)], file)
            for name in ("text", "target"):
                if isinstance(part := content.get(name), dict):
                    content[name] = _with_tokens(part, file)
            return msgspec.convert(content, cls)
        except OSError as error:
            raise DataError(
                f"'{file}' cannot be read: {error.strerror}", expected="a TOML file that says how samples are prepared, and what it names"
            ) from error
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise DataError(f"'{file}' cannot be read: {error}") from error


def _check_known(content: dict[str, Any], known: list[str], file: Path) -> None:
    unknown = [name for name in content if name not in known]
    if unknown:
        raise DataError(f"'{file}' says '{unknown[0]}'", expected=f"one of {', '.join(known)}")


def _with_tokens(part: dict[str, Any], file: Path) -> dict[str, Any]:
    """What is said of texts, with the tokens themselves in place of ``vocabulary``, the file that has one a line, found beside `file`."""
    said = dict(part)
    _check_known(said, ["vocabulary", *(field.name for field in fields(Tokens))], file)
    name = said.pop("vocabulary", None)
    if isinstance(name, str):
        said["tokens"] = read_file(file.parent / name).decode().removesuffix("\n").split("\n")
    return said


@dataclass(frozen=True)
class Placement:
    """Where a picture's points come to lie: ``x * scale_x + left``, ``y * scale_y + top``, in pixels of the input."""

    scale_x: float
    scale_y: float
    left: int
    top: int
    width: int
    height: int

    def boxes(self, boxes: np.ndarray, *, width: int, height: int) -> np.ndarray:
        """Boxes ``[K, 5]`` (class, x1, y1, x2, y2) of the picture as boxes of the input, cut at its borders; what is outside goes."""
        moved = boxes.astype(np.float64)
        moved[:, 1::2] = np.clip(moved[:, 1::2] * self.scale_x + self.left, 0, width)
        moved[:, 2::2] = np.clip(moved[:, 2::2] * self.scale_y + self.top, 0, height)
        inside = (moved[:, 3] > moved[:, 1]) & (moved[:, 4] > moved[:, 2])
        return moved[inside].astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class PictureInput:
    """One input of a network, and how a picture fills it.

    Args:
        name: the input's.
        height: in pixels.
        width: in pixels.
        channels: rgb, bgr or gray.
        layout: NCHW or NHWC.
        dtype: of the values.
        fit: stretch, letterbox or crop.
        pad: the raw value of a letterbox's border.
        scale: what raw values are multiplied by.
        mean: what is then subtracted, one a channel.
        std: what it is then divided by, one a channel.
    """

    name: str
    height: int
    width: int
    channels: str
    layout: str
    dtype: str
    fit: str
    pad: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def preprocessing(self) -> Preprocessing:
        """What a manifest keeps of it."""
        return Preprocessing(
            self.scale,
            self.mean,
            self.std,
            self.layout,
            size=(self.height, self.width),
            fit=self.fit,
            channels=self.channels,
            pad=self.pad,
        )

    @property
    def note(self) -> str:
        """In words."""
        how = {"stretch": "stretched to", "letterbox": "letterboxed to", "crop": "cropped in the middle to"}[self.fit]
        plain = self.scale == 1 and set(self.mean) == {0} and set(self.std) == {1}
        values = "raw values" if plain else f"(values * {self.scale:.6g} - {_listed(self.mean)}) / {_listed(self.std)}"
        return f"pictures are {how} {self.height} x {self.width}, {self.channels}, {values}; another preparation: {FILE} or --prepare"

    def placement(self, width: int, height: int) -> Placement:
        """Where a picture of this size comes to lie."""
        if self.fit == "stretch":
            return Placement(self.width / width, self.height / height, 0, 0, self.width, self.height)
        choose = min if self.fit == "letterbox" else max
        # Rounded in whole numbers, a half up, so that a file that prepares its picture itself comes to the same.
        wide = max(1, choose(self.width, (2 * width * self.height + height) // (2 * height)))
        high = max(1, choose(self.height, (2 * height * self.width + width) // (2 * width)))
        return Placement(wide / width, high / height, (self.width - wide) // 2, (self.height - high) // 2, wide, high)

    def array(self, picture: Image) -> np.ndarray:
        """The input's values for a picture, without the batch."""
        from PIL import Image

        mode = "L" if self.channels == "gray" else "RGB"
        border = self.pad if mode == "L" else (self.pad,) * 3
        raw = np.asarray(self._placed(picture.convert(mode), Image.Resampling.BILINEAR, border))
        raw = raw[..., None] if raw.ndim == 2 else raw
        raw = raw[..., ::-1] if self.channels == "bgr" else raw
        if self.layout == "NCHW":
            raw = raw.transpose(2, 0, 1)
        dtype = np.dtype(self.dtype)
        if dtype == np.uint8:
            return np.ascontiguousarray(raw)
        shape = (-1, 1, 1) if self.layout == "NCHW" else (1, 1, -1)
        mean, std = (np.asarray(each, np.float32).reshape(shape) for each in (self.mean, self.std))
        values: np.ndarray = (raw.astype(np.float32) * np.float32(self.scale) - mean) / std
        return np.ascontiguousarray(values.astype(dtype))

    def mask(self, mask: Image) -> np.ndarray:
        """The class of each pixel of the input ``[H, W]`` int64 for a mask of class numbers; what the picture does not cover is ignored."""
        from PIL import Image

        return np.asarray(self._placed(mask, Image.Resampling.NEAREST, NOT_COUNTED)).astype(np.int64)

    def _placed(self, picture: Image, resampling: Any, border: int | tuple[int, ...]) -> Image:
        from PIL import Image

        place = self.placement(*picture.size)
        # Across and then down: Pillow from 13 on turns that round for tall pictures, which rounds other levels.
        sized = picture.resize((place.width, picture.height), resampling).resize((place.width, place.height), resampling)
        if self.fit == "stretch":
            return sized
        whole = Image.new(picture.mode, (self.width, self.height), border)
        whole.paste(sized, (place.left, place.top))
        return whole


def _listed(values: tuple[float, ...]) -> str:
    return f"{values[0]:.4g}" if len(set(values)) == 1 else f"[{', '.join(f'{value:.4g}' for value in values)}]"


def picture_input(signature: Signature, preparation: Preparation, known: Preprocessing | None, *, fit: Fit) -> PictureInput:
    """The one input of a network that a picture fills; `known` is what its manifest says, `fit` what is usual for the data.

    Raises:
        DataError: the network takes no picture, or a size or a number of channels is missing or contradicts it.
    """
    with needs("pictures"):
        import PIL  # noqa: F401 - asked for before the work
    spec = _spec(signature)
    layout, sizes = sides_of(spec, preparation)
    count = spec.shape[3 if layout == "NHWC" else 1]
    height, width = _size(preparation.size or (known.size if known else None), sizes, spec)
    channels = preparation.channels or (
        known.channels if known and known.channels else _CHANNELS.get(count if isinstance(count, int) else 3)
    )
    if channels is None or (isinstance(count, int) and count != (1 if channels == "gray" else 3)):
        raise DataError(f"a picture in {channels or 'rgb'} does not fill {spec} as {layout}", hint=f"say channels and layout in {FILE}")
    if preparation.dtype not in {None, spec.dtype} or spec.dtype not in {"float32", "float16", "uint8"}:
        raise DataError(f"input {spec}", expected="float32, float16 or uint8, for pictures", got=preparation.dtype or spec.dtype)
    own = known or Preprocessing(scale=1.0 if spec.dtype == "uint8" else 1 / 255)
    number = 1 if channels == "gray" else 3
    mean = _numbers("mean", own.mean if preparation.mean is None else preparation.mean, number)
    std = _numbers("std", own.std if preparation.std is None else preparation.std, number)
    # Without a size the manifest speaks of a set's own levels, which end at 16 in digits: times its scale they end at 1, as these do.
    levels = own.scale if own.size or spec.dtype == "uint8" else 1 / 255
    scale = _scale(levels if preparation.scale is None else preparation.scale)
    if spec.dtype == "uint8" and (scale != 1 or {*mean, *std} - {0.0, 1.0}):
        raise DataError(f"input {spec} takes raw values", expected="no scale, mean and std", got=f"scale {scale:g}")
    if not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
        raise DataError("mean and std", expected="numbers, those of std above 0", got=f"{_listed(mean)} and {_listed(std)}")
    return PictureInput(
        name=spec.name,
        height=height,
        width=width,
        channels=channels,
        layout=layout,
        dtype=spec.dtype,
        fit=preparation.fit or (known.fit if known and known.fit else fit),
        pad=own.pad if preparation.pad is None else preparation.pad,
        scale=scale,
        mean=mean,
        std=std,
    )


def _spec(signature: Signature) -> TensorSpec:
    if len(signature.inputs) != 1 or len(signature.inputs[0].shape) != 4:
        raise DataError(
            "pictures do not fill the inputs of this network",
            expected="one input [batch, channels, height, width] or [batch, height, width, channels]",
            got=", ".join(map(str, signature.inputs)),
            hint="write a loader in Python: --data mydata.py:load",
        )
    return signature.inputs[0]


def sides_of(spec: TensorSpec, preparation: Preparation) -> tuple[str, tuple[int | str, ...]]:
    """The layout of a picture's input, with its height and width there."""
    said = preparation.layout or (spec.layout if spec.layout in {"NCHW", "NHWC"} else "")
    layout = said or ("NHWC" if spec.shape[3] in {1, 3} and spec.shape[1] not in {1, 3} else "NCHW")
    return layout, spec.shape[1:3] if layout == "NHWC" else spec.shape[2:4]


def _size(wanted: int | tuple[int, int] | None, sizes: tuple[int | str, ...], spec: TensorSpec) -> tuple[int, int]:
    both = (wanted, wanted) if isinstance(wanted, int) else wanted or sizes
    height, width = both
    if not isinstance(height, int) or not isinstance(width, int):
        raise DataError(f"input {spec} has no fixed height and width", hint=f"say them in {FILE}: size = [HEIGHT, WIDTH]")
    if min(height, width) < 1 or any(isinstance(size, int) and size != own for size, own in zip(sizes, (height, width), strict=True)):
        raise DataError(f"input {spec}", expected=f"pictures of {sizes[0]} x {sizes[1]}", got=f"size {height} x {width}")
    return height, width


def _scale(value: float | str) -> float:
    try:
        above, _, below = str(value).partition("/")
        found = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"scale = '{value}'", expected="a number, such as 0.5 or '1/255'") from error
    if not math.isfinite(found):
        raise DataError(f"scale = '{value}'", expected="a number, such as 0.5 or '1/255'")
    return found


def _numbers(name: str, value: float | tuple[float, ...], count: int) -> tuple[float, ...]:
    values = value if isinstance(value, tuple) else (float(value),)
    if len(values) not in {1, count}:
        raise DataError(name, expected=f"one number, or {count}", got=str(len(values)))
    return values if len(values) == count else values * count
