"""Recordings that tests make."""

from __future__ import annotations

import csv
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def save(values: np.ndarray, file: Path, *, rate: int = 16_000, width: int = 2) -> None:
    """Samples ``[S]`` or ``[S, channels]`` in [-1, 1) as a WAV file of so many bytes a sample."""
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = np.round(values * 2.0 ** (8 * width - 1)).astype(np.int64)
    raw = (whole + 128 * (width == 1)).astype("<i8").reshape(-1, 1).view(np.uint8)[:, :width]
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1 if values.ndim == 1 else values.shape[1])
        stream.setsampwidth(width)
        stream.setframerate(rate)
        stream.writeframes(np.ascontiguousarray(raw).tobytes())


def write_recordings(folder: Path, waves: Sequence[np.ndarray], texts: Sequence[str], *, rate: int = 16_000) -> None:
    """``1.wav``, ``2.wav`` and so on with their texts in ``metadata.csv``."""
    for number, values in enumerate(waves, 1):
        save(values, folder / f"{number}.wav", rate=rate)
    with (folder / "metadata.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file_name", "text"])
        table.writerows([f"{number}.wav", text] for number, text in enumerate(texts, 1))
