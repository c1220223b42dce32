"""How a recording becomes the input: one rate, one length, its samples or their power in mel bands."""

from __future__ import annotations

import math
import wave
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".wav", ".wave")
HERE = Path(__file__).resolve().parent
_ZEROS, _ROLL_OFF = 6, 0.99
"""Zero crossings of the low-pass filter to each side, and where it begins, as a share of the lower rate's half."""


def prepare(file: Path, about: dict[str, Any]) -> np.ndarray:
    """The input ``[1, ...]`` of a recording; raises ValueError and OSError."""
    samples, rate = recording(file)
    mono = resampled(samples.mean(axis=1), rate, about["rate"])[: about["length"]]
    mono = np.pad(mono, (0, about["length"] - len(mono)))
    if about["features"] == "log-mel":
        bands = log_mel(mono, about)
        mono = bands.T if about["frames_first"] else bands
    return np.ascontiguousarray(mono.astype(about["dtype"]).reshape(1, *about["shape"]))


def recording(file: Path) -> tuple[np.ndarray, int]:
    """Samples ``[S, channels]`` in [-1, 1], and how many there are a second."""
    try:
        with wave.open(str(file), "rb") as stream:
            about = stream.getparams()
            content = stream.readframes(about.nframes)
    except (EOFError, wave.Error) as error:
        raise ValueError(f"'{file}' cannot be read as a WAV recording: {error or 'it is cut short'}") from error
    width = about.sampwidth
    if not about.nframes or len(content) < about.nframes * about.nchannels * width:
        raise ValueError(f"'{file}' cannot be read as a WAV recording: it is cut short")
    raw = np.frombuffer(content, np.uint8)
    if width == 1:
        values = (raw.astype(np.float64) - 128) / 128
    else:
        wide = np.zeros((raw.size // width, 4), np.uint8)  # The bytes of a sample, the largest last, above zeros.
        wide[:, 4 - width :] = raw.reshape(-1, width)
        values = wide.view("<i4")[:, 0] / 2.0**31
    return values.reshape(-1, about.nchannels), about.framerate


def resampled(wave_: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """A recording ``[S]`` at another rate: by a sinc low-pass filter under a Hann window, one for each output of a period."""
    if rate == wanted:
        return wave_
    common = math.gcd(rate, wanted)
    step, phases = rate // common, wanted // common
    cutoff = _ROLL_OFF * min(step, phases)
    width = math.ceil(_ZEROS * step / cutoff)
    time = np.arange(-width, width + step)[None] / step - np.arange(phases)[:, None] / phases
    time = np.clip(time * cutoff, -_ZEROS, _ZEROS)
    filters = np.sinc(time) * np.cos(time * np.pi / _ZEROS / 2) ** 2 * (cutoff / step)
    padded = np.pad(wave_, (width, width + step))
    periods = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1])[::step]
    found: np.ndarray = (periods @ filters.T).reshape(-1)[: -(-len(wave_) * phases // step)]
    return found


def log_mel(mono: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    """The logarithms of the power in each band, ``[bands, frames]``."""
    window, hop = about["window"], about["hop"]
    padded = np.pad(mono, window // 2, mode="reflect" if len(mono) > window // 2 else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop][: max(1, len(mono) // hop)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power = np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2
    bands = np.maximum(np.load(HERE / "bands.npy") @ power.T, 1e-10)
    decades: np.ndarray = np.log10(bands)
    found: np.ndarray = np.log(bands) if about["log"] == "natural" else (np.maximum(decades, decades.max() - 8) + 4) / 4
    return found
