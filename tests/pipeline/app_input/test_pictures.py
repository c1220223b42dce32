"""Mistakes that are planted by torch, torchvision's way, and by Pillow's own helpers are named; right inputs are called right."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.pipeline.app_input.networks import taking
from toolkit.core import DataError, InputError, Preprocessing
from toolkit.pipeline.app_input import diagnose

HEIGHT, WIDTH = 48, 64
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
IMAGENET = Preprocessing(1 / 255, tuple(MEAN), tuple(STD), "NCHW", size=(HEIGHT, WIDTH), fit="stretch", channels="rgb")
NET = taking(f"image:float32[batch,3,{HEIGHT},{WIDTH}]", IMAGENET, layout="NCHW")
Array = np.ndarray


@functools.cache
def photograph(seed: int) -> Image.Image:
    """Something with structure at every scale, no symmetry and other colours in each place."""
    random = np.random.default_rng(seed)
    height, width = random.integers(60, 300, 2)
    layers = []
    for cells in (2, 5, 17, 61):
        small = random.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
        layers.append(np.asarray(Image.fromarray(small).resize((int(width), int(height)), Image.Resampling.BICUBIC), np.float64))
    return Image.fromarray(np.clip(sum(layers) / len(layers) * 1.4 - 50, 0, 255).astype(np.uint8))


def resized(image: Image.Image) -> Array:
    return as_picture(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))


def by_torch(image: Image.Image, **how: bool) -> Array:
    import torch

    tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    found = torch.nn.functional.interpolate(tensor, (HEIGHT, WIDTH), mode="bilinear", **how)
    return np.asarray(found[0].permute(1, 2, 0).numpy(), np.float64)


def normal(values: Array) -> Array:
    found: Array = (values / 255 - MEAN) / STD
    return found


def first(values: Array) -> Array:
    """Channels first, as float32."""
    return np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)


def as_picture(image: Image.Image) -> Array:
    return np.asarray(image, np.float64)


PLANTED: list[tuple[str, Callable[[Image.Image], Array], list[str]]] = [
    ("channels", lambda image: first(normal(resized(image)[..., ::-1])), ["channels are blue, green, red"]),
    ("channels late", lambda image: first(normal(resized(image))[..., ::-1]), ["swapped after mean and std"]),
    ("no scale", lambda image: first((resized(image) - MEAN) / STD), ["raw values from 0 to 255"]),
    ("scale twice", lambda image: first((resized(image) / 255**2 - MEAN) / STD), ["scaled twice"]),
    ("no mean", lambda image: first(resized(image) / 255 / STD), ["the mean was left out"]),
    ("no std", lambda image: first(resized(image) / 255 - MEAN), ["the std was left out"]),
    ("neither", lambda image: first(resized(image) / 255), ["mean and std were left out"]),
    ("mean twice", lambda image: first((normal(resized(image)) - MEAN) / STD), ["applied twice"]),
    ("from -1 to 1", lambda image: first(resized(image) / 127.5 - 1), ["values from -1 to 1"]),
    ("layout", lambda image: normal(resized(image)).astype(np.float32), ["the array is height, width, channels"]),
    ("reshaped", lambda image: normal(resized(image)).astype(np.float32).reshape(3, HEIGHT, WIDTH), ["which mixes pixels"]),
    ("nearest", lambda image: first(normal(as_picture(image.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST)))), ["nearest pixels"]),
    ("bicubic", lambda image: first(normal(as_picture(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)))), ["cubic"]),
    ("no antialias", lambda image: first(normal(by_torch(image, align_corners=False))), ["without antialiasing"]),
    ("half pixel", lambda image: first(normal(by_torch(image, align_corners=True))), ["align_corners"]),
    (
        "letterbox",
        lambda image: first(normal(as_picture(ImageOps.pad(image, (WIDTH, HEIGHT), Image.Resampling.BILINEAR, color=(114,) * 3)))),
        ["letterboxed"],
    ),
    (
        "crop",
        lambda image: first(normal(as_picture(ImageOps.fit(image, (WIDTH, HEIGHT), Image.Resampling.BILINEAR)))),
        ["cut to its middle"],
    ),
    ("mirrored", lambda image: first(normal(resized(image)[:, ::-1])), ["mirrored"]),
    ("upside down", lambda image: first(normal(resized(image)[::-1])), ["on its head"]),
    ("height and width", lambda image: first(normal(resized(image).swapaxes(0, 1))), ["height and width are swapped"]),
    ("inverted", lambda image: first(normal(255 - resized(image))), ["inverted"]),
    ("integers", lambda image: first((resized(image) // 255 - MEAN) / STD), ["divided as integers"]),
    ("dtype", lambda image: normal(resized(image)).transpose(2, 0, 1), ["the array is float64, the network takes float32"]),
    ("two", lambda image: first((resized(image)[..., ::-1] - MEAN) / STD), ["channels are blue, green, red", "raw values from 0 to 255"]),
]


@pytest.mark.parametrize(("plant", "words"), [each[1:] for each in PLANTED], ids=[each[0] for each in PLANTED])
def test_a_planted_mistake_is_named_with_what_mends_it(plant: Callable[[Image.Image], Array], words: list[str], tmp_path: Path) -> None:
    for seed in (1, 2):
        image = photograph(seed)
        image.save(file := tmp_path / f"{seed}.png")
        found = diagnose(NET, plant(image), file)
        assert [word for word in words if any(word in change.what for change in found.changes)] == words, found.verdict
        assert len(found.changes) == len(words)
        assert all(change.mend for change in found.changes)
        assert not found.right


def test_fifty_right_inputs_are_called_right(tmp_path: Path) -> None:
    """By torch's antialiased interpolation, which rounds nothing between."""
    wrong = []
    for seed in range(50):
        photograph(seed).save(file := tmp_path / f"{seed}.png")
        found = diagnose(NET, first(normal(by_torch(photograph(seed), align_corners=False, antialias=True)))[None], file)
        wrong += [] if found.right else [found.verdict]
    assert wrong == []


def test_what_nothing_explains_is_said_with_what_comes_nearest(tmp_path: Path) -> None:
    photograph(1).save(file := tmp_path / "1.png")
    found = diagnose(NET, np.random.default_rng(0).standard_normal((3, HEIGHT, WIDTH)).astype(np.float32), file)
    assert (found.right, found.changes) == (False, ())
    assert found.verdict.startswith("no known mistake explains the app's input")
    assert "nearest: " in found.verdict


def test_a_gray_network_with_its_channels_last(tmp_path: Path) -> None:
    own = Preprocessing(1 / 127.5, (1.0,), (1.0,), "NHWC", size=(28, 28), fit="letterbox", channels="gray")
    net = taking("image:float32[batch,28,28,1]", own, layout="NHWC")
    photograph(3).resize((112, 56)).save(file := tmp_path / "3.png")
    gray = photograph(3).resize((112, 56)).convert("L")
    whole = as_picture(ImageOps.pad(gray, (28, 28), Image.Resampling.BILINEAR, color=114))[..., None]
    told = {
        "right": diagnose(net, (whole / 127.5 - 1).astype(np.float32), file).right,
        "border": diagnose(
            net, (as_picture(ImageOps.pad(gray, (28, 28), Image.Resampling.BILINEAR))[..., None] / 127.5 - 1).astype(np.float32), file
        ).verdict,
        "scale": diagnose(net, (whole / 255 - 1).astype(np.float32), file).verdict,
    }
    assert told["right"]
    assert "the border is 0: the network takes 114" in str(told["border"])
    assert "divided by 255" in str(told["scale"])


@pytest.mark.parametrize(
    ("app", "line"),
    [
        (np.zeros((2, 3, HEIGHT, WIDTH), np.float32), "expected one row, got 2"),
        (np.full((3, HEIGHT, WIDTH), np.nan, np.float32), "got NaN or infinity"),
        (np.array(["a"]), "expected numbers for image:float32"),
        (np.zeros((0, 3, HEIGHT, WIDTH), np.float32), "got none"),
    ],
)
def test_what_is_no_input_is_one_line(app: Array, line: str, tmp_path: Path) -> None:
    photograph(1).save(file := tmp_path / "1.png")
    with pytest.raises(InputError, match=line):
        diagnose(NET, app, file)


def test_files_that_are_none_are_one_line(tmp_path: Path) -> None:
    app = np.zeros((3, HEIGHT, WIDTH), np.float32)
    with pytest.raises(InputError, match=r"net.onnx'.*expected a picture .*, or a WAV recording, or a text"):
        diagnose(NET, app, tmp_path / "net.onnx")
    with pytest.raises(DataError, match="there is no file"):
        diagnose(NET, app, tmp_path / "none.png")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match="cannot be read as a picture"):
        diagnose(NET, app, tmp_path / "cut.png")
