"""Real inputs that are made on the spot or come with libraries: text that is printed, speech of espeak-ng, photographs of scikit-image."""

from __future__ import annotations

import functools
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

WORDS = (
    "the quick brown fox jumps over a lazy dog while seven wizards mix dark potions under bright northern lights and twenty"
    " engineers measure how fast small networks answer on old phones near river banks where market stalls sell bread olives and coffee"
)


def words(random: np.random.Generator, count: int) -> str:
    """``count`` words with a number now and then."""
    return " ".join(str(random.integers(10, 9999)) if random.random() < 0.2 else str(random.choice(WORDS.split())) for _ in range(count))


def printed(text: str, *, height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """A line of print, ``uint8[height, width, 3]``: dark on light in one of matplotlib's fonts, a little noise."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    fonts = ["DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf", "DejaVuSans-Bold.ttf"]
    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{random.choice(fonts)}", int(height * random.uniform(0.5, 0.66)))
    picture = Image.new("RGB", (width, height), tuple(int(v) for v in random.integers(200, 256, 3)))
    ink = tuple(int(v) for v in random.integers(0, 80, 3))
    ImageDraw.Draw(picture).text((int(random.integers(2, 9)), height * 0.12), text, font=font, fill=ink)
    noisy = np.asarray(picture, np.float32) + random.normal(0, 4, (height, width, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


@functools.cache
def photographs() -> tuple[np.ndarray, ...]:
    """Colour photographs that scikit-image and scikit-learn have in their packages, ``uint8[h, w, 3]``."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    mine = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket(), data.hubble_deep_field(), data.immunohistochemistry()]
    return (*(np.ascontiguousarray(each[..., :3]) for each in mine), *(np.asarray(each) for each in load_sample_images().images))


def crop(random: np.random.Generator, *, height: int, width: int) -> np.ndarray:
    """Part of a photograph at a scale of its own, mirrored or not, ``uint8[height, width, 3]``."""
    from PIL import Image

    photo = photographs()[int(random.integers(len(photographs())))]
    part = random.uniform(0.4, 1.0)
    h, w = int(photo.shape[0] * part), int(photo.shape[1] * part)
    top, left = int(random.integers(photo.shape[0] - h + 1)), int(random.integers(photo.shape[1] - w + 1))
    cut = photo[top : top + h, left : left + w]
    picture = np.asarray(Image.fromarray(cut).resize((width, height), Image.Resampling.BILINEAR))
    return picture[:, ::-1] if random.random() < 0.5 else picture


@functools.cache
def faces() -> np.ndarray:
    """A hundred faces of LFW, ``uint8[100, 25, 25]`` in grey, as scikit-image has them."""
    from skimage import data

    return np.asarray(data.lfw_subset()[:100] * 255, np.uint8)


@functools.cache
def speech(text: str, *, voice: str = "en", rate: int = 16_000) -> np.ndarray:
    """espeak-ng's voice, ``float32[samples]`` in [-1, 1] at ``rate`` a second.

    Raises:
        RuntimeError: there is no espeak-ng.
    """
    from scipy.signal import resample_poly

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speech.wav"
        try:
            subprocess.run(["espeak-ng", "-v", voice, "-w", str(file), text], check=True, capture_output=True)
        except FileNotFoundError as error:
            raise RuntimeError("espeak-ng is not installed: apt-get install espeak-ng") from error
        with wave.open(str(file)) as sound:
            found, own = np.frombuffer(sound.readframes(sound.getnframes()), np.int16), sound.getframerate()
    return np.asarray(resample_poly(found / 32768, rate, own), np.float32)


def sound(random: np.random.Generator, samples: int, *, rate: int = 16_000) -> np.ndarray:
    """Speech, chords or noise, by turns of half a second to two, ``float32[samples]``."""
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < samples:
        seconds = random.uniform(0.5, 2.0)
        t = np.arange(int(seconds * rate)) / rate
        kind = random.integers(3)
        if kind == 0:
            part = speech(
                words(np.random.default_rng(int(random.integers(12))), 5), voice=str(random.choice(["en", "de", "fr"])), rate=rate
            )
            part = part[: len(t)] * random.uniform(0.3, 1)
        elif kind == 1:
            notes = 220 * 2 ** (random.choice(25, 3, replace=False) / 12)
            wave_ = sum(np.sin(2 * np.pi * f * k * t) / k**1.5 for f in notes for k in range(1, 6))
            part = 0.15 * wave_ * np.exp(-t * random.uniform(0.5, 3))
        else:
            part = random.normal(0, random.uniform(0.001, 0.05), len(t))
        parts.append(part.astype(np.float32))
    return np.concatenate(parts)[:samples] + random.normal(0, 0.001, samples).astype(np.float32)


def planes(picture: np.ndarray) -> np.ndarray:
    """``uint8[h, w, 3]`` to ``float32[3, h, w]`` in [0, 1]."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32) / 255
