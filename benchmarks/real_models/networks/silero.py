"""silero-vad: how likely each 32 ms of sound is speech; a recurrence whose state the app keeps, with 64 samples of the frame before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.real_models.base import Arrays, Call, Network
from benchmarks.real_models.inputs import sound

_FRAME, _BEFORE, _FRAMES = 512, 64, 30


def recordings(seed: int, count: int) -> Arrays:
    """Frames of recordings of a second each, ``float32[count, 576]``; a recording is 30 frames that follow each other."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(-(-count // _FRAMES)):
        wave = np.r_[np.zeros(_BEFORE, np.float32), sound(random, _FRAMES * _FRAME)]
        found += [wave[k * _FRAME : k * _FRAME + _BEFORE + _FRAME] for k in range(_FRAMES)]
    return {"input": np.stack(found)[:count].astype(np.float32)}


def streamed(call: Call, samples: Arrays) -> list[dict[str, np.ndarray]]:
    """Each recording from a state of zeros on, the state of a frame going into the next."""
    return [outputs for _, outputs in _streamed(call, samples)]


def with_states(call: Call, samples: Arrays) -> Arrays:
    """The samples with the state that comes before each, ``float32[2, count, 128]``."""
    return {**samples, "state": np.concatenate([state for state, _ in _streamed(call, samples)], axis=1)}


def _streamed(call: Call, samples: Arrays) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    state = np.zeros((2, 1, 128), np.float32)
    for place, frame in enumerate(samples["input"]):
        before = state = np.zeros_like(state) if place % _FRAMES == 0 else state
        outputs = call({"input": frame[None], "state": state, "sr": np.array(16_000, np.int64)})
        state = outputs["stateN"]
        yield before, outputs


def frames(output: dict[str, np.ndarray], target: np.ndarray) -> float:
    """Frames that are told alike to be speech"""
    return float((output["output"].reshape(-1)[0] > 0.5) == target)


def _speech(outputs: Arrays) -> np.ndarray:
    return np.array(outputs["output"].reshape(-1)[0] > 0.5)


NETWORKS = [
    Network(
        name="silero-vad", package="silero-vad==6.2.3", file="silero_vad/data/silero_vad.onnx",
        what="tells speech from other sound, with a state",
        samples=recordings, run=streamed, rows=with_states, metric=frames, decide=_speech,
        calibrates=600, held_out=300, options=("--set", "sr=16000"),
    ),
]  # fmt: skip
