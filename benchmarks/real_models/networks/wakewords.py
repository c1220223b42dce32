"""Wake words: openWakeWord's three stages (mel spectrogram, embedding, word) and a streaming TF Lite net of microWakeWord."""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import sound

_OWW, _FOLDER = "openwakeword==0.4.0", "openwakeword/resources/models"


def waves(seed: int, count: int) -> Arrays:
    """Sound of 1.28 s in 16-bit steps, ``float32[count, 20480]``."""
    random = np.random.default_rng(seed)
    return {"input": np.stack([sound(random, 20_480) * 32767 for _ in range(count)]).astype(np.float32)}


def spectrograms(seed: int, count: int) -> Arrays:
    """Log-mel spectrograms as the package scales them, ``float32[count, 76, 32, 1]``, by a mel bank of our own."""
    random = np.random.default_rng(seed)
    return {"input_1": np.stack([_log_mel(sound(random, 12_640))[:76, :, None] for _ in range(count)]).astype(np.float32)}


def _log_mel(wave: np.ndarray) -> np.ndarray:
    """Decibels of 32 mel bands every 10 ms, over ten and raised by two: what `melspectrogram.onnx` and the package do to it together."""
    places = np.arange(0, len(wave) - 512 + 1, 160)
    frames = np.stack([wave[k : k + 512] * np.hanning(512) for k in places]) * 32767
    power = np.abs(np.fft.rfft(frames)) ** 2
    low, high = 2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 3800 / 700)
    edges = 700 * (10 ** (np.linspace(low, high, 34) / 2595) - 1) / 16_000 * 512
    bins = np.arange(257)
    bank = np.stack(
        [
            np.clip(np.minimum((bins - a) / (b - a), (c - bins) / (c - b)), 0, None)
            for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)
        ]
    )
    decibels = 10 * np.log10(np.maximum(power @ bank.T, 1e-10))
    return np.asarray(np.maximum(decibels, decibels.max() - 80) / 10 + 2)


def same_direction(output: np.ndarray, target: np.ndarray) -> float:
    """Cosine of the embeddings"""
    mine = output.reshape(-1)
    return float(mine @ target / (np.linalg.norm(mine) * np.linalg.norm(target)))


def bands(output: np.ndarray, target: np.ndarray) -> float:
    """Cells of the spectrogram within a decibel"""
    return float((np.abs(output.reshape(-1) - target) < 1).mean())


def _flat(outputs: Arrays) -> np.ndarray:
    (array,) = outputs.values()
    return array.reshape(-1)


NETWORKS = [
    Network(
        name="openwakeword-embedding", package=_OWW, file=f"{_FOLDER}/embedding_model.onnx", what="what a word sounds like, an embedding",
        samples=spectrograms, metric=same_direction, decide=_flat,
    ),
    Network(
        name="openwakeword-melspectrogram", package=_OWW, file=f"{_FOLDER}/melspectrogram.onnx", what="the spectrogram itself as a network",
        samples=waves, metric=bands, decide=_flat, calibrates=100, held_out=32,
    ),
]  # fmt: skip
