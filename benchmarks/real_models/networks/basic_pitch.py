"""basic-pitch: which notes sound in two seconds of music, as ONNX, SavedModel and TF Lite."""

from __future__ import annotations

import numpy as np

from benchmarks.real_models.agree import cells_alike
from benchmarks.real_models.base import Arrays, Network
from benchmarks.real_models.inputs import sound

_PLACE, _PACKAGE = "basic_pitch/saved_models/icassp_2022", "basic-pitch==0.4.0"
_NOTES = "StatefulPartitionedCall:1"


def _music(name: str, seed: int, count: int) -> Arrays:
    random = np.random.default_rng(seed)
    return {name: np.stack([sound(random, 43_844, rate=22_050) for _ in range(count)])[..., None].astype(np.float32)}


def music(seed: int, count: int) -> Arrays:
    """Chords, speech and noise, ``float32[count, 43844, 1]``."""
    return _music("serving_default_input_2:0", seed, count)


def music_by_signature(seed: int, count: int) -> Arrays:
    """As `music`, by the name in the signature of the SavedModel and of the TF Lite file."""
    return _music("input_2", seed, count)


def notes(output: dict[str, np.ndarray], target: np.ndarray) -> float:
    """F1 of the cells in which a note sounds"""
    return cells_alike(_sounding(output), target)


def _sounding(outputs: Arrays) -> np.ndarray:
    return np.asarray((outputs[_NOTES] if _NOTES in outputs else outputs["note"]) > 0.3)


def _decided(outputs: Arrays) -> np.ndarray:
    return np.asarray(_sounding(outputs)[0])


NETWORKS = [
    Network(
        name=name, package=_PACKAGE, file=f"{_PLACE}/{file}", what=f"tells the notes of music, a {kind}", samples=samples, metric=notes,
        decide=_decided, calibrates=100, held_out=24,
    )
    for name, file, kind, samples in (
        ("basic-pitch", "nmp.onnx", "ONNX file", music),
        ("basic-pitch-savedmodel", "nmp", "SavedModel", music_by_signature),
        ("basic-pitch-tflite", "nmp.tflite", "TF Lite file", music_by_signature),
    )
]  # fmt: skip
