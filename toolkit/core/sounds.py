"""How a recording becomes an input: plain data that travels in a manifest, and what it says, in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

_ZEROS, _ROLL_OFF = 6, 0.99
"""Zero crossings of the low-pass filter to each side, and where it begins, as a share of the lower rate's half: torchaudio's."""


@dataclass(frozen=True, kw_only=True)
class Sound:
    """What ``[audio]`` in ``prepare.toml`` says.

    Args:
        rate: samples a second of the input, to which recordings are resampled.
        features: the samples themselves, in [-1, 1], or the logarithms of their power in mel bands.
        window: samples of a frame, which are as many frequencies; a Hann window.
        hop: samples from one frame to the next.
        mels: how many bands.
        low: the lowest frequency in hertz.
        high: the highest; None for half the rate.
        scale: of the mel bands: Slaney's with bands of equal area, as librosa and Whisper, or HTK's with peaks of 1, as torchaudio.
        log: natural logarithms, or Whisper's: to the base 10, at most 8 below the largest, then ``(x + 4) / 4``.
        seconds: how long an input is that has no fixed size. What is shorter is filled up with silence, what is longer is cut.
    """

    rate: int = 16_000
    features: Literal["waveform", "log-mel"] = "waveform"
    window: int = 400
    hop: int = 160
    mels: int = 80
    low: float = 0.0
    high: float | None = None
    scale: Literal["slaney", "htk"] = "slaney"
    log: Literal["natural", "whisper"] = "natural"
    seconds: float | None = None

    def resampled(self, wave: np.ndarray, rate: int) -> np.ndarray:
        """A recording ``[S]`` at another rate, float64."""
        return resample(wave, rate, self.rate)

    def log_mel(self, wave: np.ndarray) -> np.ndarray:
        """The features ``[mels, frames]`` float32 of samples ``[S]`` at `rate`, of which S / hop frames are centred on every hop-th."""
        padded = np.pad(wave.astype(np.float64), self.window // 2, mode="reflect" if len(wave) > self.window // 2 else "constant")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop][: max(1, len(wave) // self.hop)]
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
        bands = mel_bands(self) @ power.T
        if self.log == "natural":
            found: np.ndarray = np.log(np.maximum(bands, 1e-10))
        else:
            decades = np.log10(np.maximum(bands, 1e-10))
            found = (np.maximum(decades, decades.max() - 8) + 4) / 4
        return found.astype(np.float32)


def resample(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """A recording ``[S]`` at another rate, float64: by a sinc low-pass filter under a Hann window (Smith, "Digital Audio Resampling")."""
    samples: np.ndarray = wave.astype(np.float64)
    if rate == wanted:
        return samples
    common = math.gcd(rate, wanted)
    step, phases = rate // common, wanted // common
    cutoff = _ROLL_OFF * min(step, phases)
    width = math.ceil(_ZEROS * step / cutoff)
    # Each of `phases` outputs of a period has a filter of its own over the samples around it.
    time = np.arange(-width, width + step)[None] / step - np.arange(phases)[:, None] / phases
    time = np.clip(time * cutoff, -_ZEROS, _ZEROS)
    filters = np.sinc(time) * np.cos(time * np.pi / _ZEROS / 2) ** 2 * (cutoff / step)
    count = -(-len(wave) * phases // step)
    padded = np.pad(samples, (width, width + step))
    periods = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1])[::step]
    found: np.ndarray = (periods @ filters.T).reshape(-1)[:count]
    return found


@cache
def mel_bands(sound: Sound) -> np.ndarray:
    """How much each frequency counts in each band, ``[mels, window // 2 + 1]`` float64: triangles on the mel scale."""
    high = sound.rate / 2 if sound.high is None else sound.high
    first, last = _mel(np.array([sound.low, high]), sound.scale).tolist()
    edges = _hertz(np.linspace(first, last, sound.mels + 2), sound.scale)
    frequencies = np.linspace(0, sound.rate / 2, sound.window // 2 + 1)
    rising = (frequencies[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies[None]) / (edges[2:] - edges[1:-1])[:, None]
    bands: np.ndarray = np.maximum(0, np.minimum(rising, falling))
    if sound.scale == "slaney":
        bands *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return bands


def _mel(hertz: np.ndarray, scale: str) -> np.ndarray:
    """Mel of frequencies: Slaney's is linear below 1 kHz (Auditory Toolbox, 1998); HTK's is 2595 log10(1 + f / 700)."""
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    return np.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4))


def _hertz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        found: np.ndarray = 700 * (10 ** (mel / 2595) - 1)
        return found
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
