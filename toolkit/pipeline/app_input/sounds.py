"""Recordings: how they are resampled, cut and made features, and what apps do otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import DataError, Manifest, Sound
from toolkit.core.sounds import mel_bands
from toolkit.pipeline.data._preparation import FILE, Preparation
from toolkit.pipeline.data.audio import SUFFIXES, length_of, note_of, recording

from .base import Change, InputSteps, Kind

_LOGS = {
    "natural": "natural logarithms",
    "whisper": "Whisper's logarithms",
    "decades": "logarithms to the base 10",
    "decibels": "decibels",
    "one more": "log(1 + x)",
    "none": "no logarithm",
}
_FLOOR = 1e-10


@dataclass(frozen=True, kw_only=True)
class SoundSteps(InputSteps):
    """How a recording becomes an input.

    Args:
        samples: of the recording, ``[S, channels]``.
        rate: how many there are a second.
        sound: what is done with it.
        gain: what samples are multiplied by.
        channel: mean, left or sum.
        resampled: whether it has the network's rate.
        log: of the bands.
        power: 2 of a power spectrum, 1 of amplitudes.
        hann: whether frames have a window.
        centred: whether frames are centred on every hop-th sample, by a mirrored border.
        normal: whether each band has mean 0 and deviation 1.
        turned: whether bands and frames are swapped.
        ahead: whether silence stands in front of what is too short.
    """

    samples: np.ndarray
    rate: int
    sound: Sound
    gain: float = 1.0
    channel: str = "mean"
    resampled: bool = True
    log: str
    power: int = 2
    hann: bool = True
    centred: bool = True
    normal: bool = False
    turned: bool = False
    ahead: bool = False


class Sounds(Kind[SoundSteps]):
    """A recording."""

    name = "sounds"
    tolerance = 0.02
    takes = "a WAV recording"

    def owns(self, file: Path) -> bool:
        """By its ending."""
        return file.suffix.lower() in SUFFIXES

    def right(self, file: Path, manifest: Manifest, preparation: Preparation) -> SoundSteps:
        """As `toolkit convert` prepares recordings."""
        sound = preparation.audio or (manifest.preprocessing.sound if manifest.preprocessing else None)
        if sound is None or len(manifest.signature.inputs) != 1:
            raise DataError(f"nothing says how '{file}' becomes {manifest.signature.inputs[0]}", hint=f"say it in {FILE}: [audio]")
        spec = manifest.signature.inputs[0]
        length_of(spec, sound)
        samples, rate = recording(file)
        return SoundSteps(spec=spec, samples=samples, rate=rate, sound=sound, log=sound.log)

    def wanted(self, steps: SoundSteps) -> str:
        """As `toolkit convert` says it."""
        return note_of(steps.spec, steps.sound)

    def array(self, steps: SoundSteps) -> np.ndarray:
        """Step by step."""
        sound, spec = steps.sound, steps.spec
        samples, rate = steps.samples, steps.rate
        one = {"mean": samples.mean(axis=1), "left": samples[:, 0], "sum": samples.sum(axis=1)}[steps.channel]
        values = (sound.resampled(one, rate) if steps.resampled else one) * steps.gain
        length = length_of(spec, sound)
        missing = max(0, length - len(values))
        values = np.pad(values[:length], (missing, 0) if steps.ahead else (0, missing))
        shape = tuple(size if isinstance(size, int) else -1 for size in spec.shape[1:])
        if sound.features == "waveform":
            return values.reshape(shape)
        bands = _bands(values, steps)
        frames_first = spec.shape[-1] == sound.mels and spec.shape[-2] != sound.mels
        own = bands.T if frames_first else bands
        return own.T if steps.turned else own.reshape(shape) if own.size == np.prod([abs(size) for size in shape]) else own

    def changes(self, steps: SoundSteps) -> Iterator[Change]:
        """The usual ones."""
        rate = steps.rate
        sound = steps.sound
        if rate != sound.rate:
            yield Change(
                f"the recording keeps its {rate:,} Hz: the network takes {sound.rate:,} Hz",
                f"x = resample(x, {rate}, {sound.rate})",
                {"resampled": False},
            )
        yield Change("samples are whole numbers of 16 bits: the network takes -1 to 1", "x = x / 32768", {"gain": 32768.0})
        yield Change("one channel is taken: the network takes the mean of all", "x = x.mean(axis=1)", {"channel": "left"})
        yield Change("channels are added: the network takes their mean", "x = x.mean(axis=1)", {"channel": "sum"})
        yield Change("silence stands in front: the network takes it behind", "x = np.pad(x, (0, length - len(x)))", {"ahead": True})
        if sound.features == "log-mel":
            yield from _of_features(steps)


def _of_features(steps: SoundSteps) -> Iterator[Change]:
    sound = steps.sound
    for log, words in _LOGS.items():
        if log != steps.log:
            yield Change(f"{words}: the network takes {_LOGS[steps.log]}", f"log = {_LOGS[steps.log]!r}", {"log": log})
    other = "htk" if sound.scale == "slaney" else "slaney"
    yield Change(
        f"mel bands of the scale {other}: the network takes {sound.scale}",
        f"bands on the scale {sound.scale}",
        {"sound": _but(sound, scale=other)},
    )
    yield Change("a spectrum of amplitudes: the network takes its power", "np.abs(spectrum) ** 2", {"power": 1})
    yield Change("frames have no window: the network takes a Hann window", f"frames * np.hanning({sound.window} + 1)[:-1]", {"hann": False})
    yield Change(
        "frames begin at every hop: the network takes them centred there", "np.pad(x, window // 2, mode='reflect')", {"centred": False}
    )
    yield Change("each band has mean 0 and deviation 1, which the network does not take", "no normalization", {"normal": True})
    yield Change("bands and frames are swapped", "x = x.T", {"turned": True})
    for name, values in (("window", (200, 256, 320, 400, 480, 512, 640, 1024)), ("hop", (80, 128, 160, 200, 256, 320, 512))):
        own = getattr(sound, name)
        for value in values:
            if value != own:
                yield Change(f"{name} = {value}: the network takes {own}", f"{name} = {own}", {"sound": _but(sound, **{name: value})})
    for low in (0.0, 20.0, 50.0, 60.0, 64.0, 80.0, 125.0, 300.0):
        if low != sound.low:
            yield Change(
                f"bands from {low:g} Hz on: the network takes them from {sound.low:g} Hz on",
                f"low = {sound.low:g}",
                {"sound": _but(sound, low=low)},
            )
    for high in (None, 3800.0, 4000.0, 7500.0, 7600.0, 8000.0):
        words = f"{sound.high or sound.rate / 2:g}"
        if (high or sound.rate / 2) != (sound.high or sound.rate / 2) and (high or 0) <= sound.rate / 2:
            yield Change(
                f"bands to {high or sound.rate / 2:g} Hz: the network takes them to {words} Hz",
                f"high = {words}",
                {"sound": _but(sound, high=high)},
            )


def _but(sound: Sound, **changed: Any) -> Sound:
    return replace(sound, **changed)


def _bands(values: np.ndarray, steps: SoundSteps) -> np.ndarray:
    """As `Sound.log_mel`, with the mistakes."""
    sound = steps.sound
    if steps.power == 2 and steps.hann and steps.centred and not steps.normal and steps.log == sound.log:
        return sound.log_mel(values)
    half = sound.window // 2
    padded = (
        np.pad(values, half, mode="reflect" if len(values) > half else "constant") if steps.centred else np.pad(values, (0, sound.window))
    )
    frames = np.lib.stride_tricks.sliding_window_view(padded, sound.window)[:: sound.hop][: max(1, len(values) // sound.hop)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(sound.window) / sound.window) if steps.hann else 1.0
    bands = mel_bands(sound) @ (np.abs(np.fft.rfft(frames * hann, axis=1)) ** steps.power).T
    kept = np.maximum(bands, _FLOOR)
    decades = np.log10(kept)
    found = {
        "natural": lambda: np.log(kept),
        "whisper": lambda: (np.maximum(decades, decades.max() - 8) + 4) / 4,
        "decades": lambda: decades,
        "decibels": lambda: 10 * decades,
        "one more": lambda: np.log1p(bands),
        "none": lambda: bands,
    }[steps.log]()
    if steps.normal:
        found = (found - found.mean(axis=1, keepdims=True)) / np.maximum(found.std(axis=1, keepdims=True), _FLOOR)
    return np.asarray(found)
