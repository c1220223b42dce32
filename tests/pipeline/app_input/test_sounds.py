"""Mistakes in features of recordings."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.app_input.networks import taking
from toolkit.core import DataError, Preprocessing, Sound
from toolkit.pipeline.app_input import diagnose

SOUND = Sound(features="log-mel", mels=40, window=400, hop=160)
FRAMES = 100
NET = taking(f"mel:float32[batch,40,{FRAMES}]", Preprocessing(sound=SOUND))
RAW = taking("wave:float32[batch,16000]", Preprocessing(sound=Sound()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A second of two channels, with tones that rise, and noise."""
    time = np.arange(16_000) / 16_000
    random = np.random.default_rng(0)
    left = 0.4 * np.sin(2 * np.pi * (200 + 1500 * time) * time) + 0.02 * random.standard_normal(16_000)
    right = 0.2 * np.sin(2 * np.pi * 700 * time) + 0.02 * random.standard_normal(16_000)
    with wave.open(str(tmp_path / "a.wav"), "wb") as stream:
        stream.setparams((2, 2, 16_000, 0, "NONE", ""))
        stream.writeframes((np.stack([left, right], axis=1) * 32767).astype("<i2").tobytes())
    return tmp_path / "a.wav"


def samples(file: Path) -> np.ndarray:
    """``[S, 2]`` in [-1, 1]."""
    with wave.open(str(file)) as stream:
        return np.frombuffer(stream.readframes(-1), "<i2").reshape(-1, 2) / 32768


def mel(values: np.ndarray, **changed: object) -> np.ndarray:
    return replace(SOUND, **changed).log_mel(values)[:, :FRAMES]  # type: ignore[arg-type]


def test_right_features_and_samples_are_right(file: Path) -> None:
    mono = samples(file).mean(axis=1)
    assert diagnose(NET, mel(mono), file).right
    assert diagnose(RAW, mono.astype(np.float32)[None], file).right


def test_planted_mistakes_are_named(file: Path) -> None:
    both = samples(file)
    mono = both.mean(axis=1)
    right = mel(mono)
    planted = {
        "logarithms to the base 10": right / np.log(10),
        "decibels": right * 10 / np.log(10),
        "window = 512": mel(mono, window=512),
        "the scale htk": mel(mono, scale="htk"),
        "bands from 20 Hz on": mel(mono, low=20.0),
        "bands to 4000 Hz": mel(mono, high=4000.0),
        "Whisper's logarithms": mel(mono, log="whisper"),
        "one channel is taken": mel(both[:, 0]),
        "channels are added": mel(both.sum(axis=1)),
        "16 bits": mel(mono * 32768),
        "bands and frames are swapped": right.T,
        "mean 0 and deviation 1": (right - right.mean(axis=1, keepdims=True)) / right.std(axis=1, keepdims=True),
    }
    told = {name: diagnose(NET, array.astype(np.float32), file) for name, array in planted.items()}
    assert {name: found.verdict for name, found in told.items() if not (len(found.changes) == 1 and name in found.changes[0].what)} == {}
    raw = diagnose(RAW, (mono * 32768).astype(np.float32), file)
    assert "16 bits" in raw.changes[0].what


def test_a_recording_that_keeps_its_rate(tmp_path: Path) -> None:
    values = 0.3 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100) * np.linspace(0, 1, 44_100)
    with wave.open(str(tmp_path / "b.wav"), "wb") as stream:
        stream.setparams((1, 2, 44_100, 0, "NONE", ""))
        stream.writeframes((values * 32767).astype("<i2").tobytes())
    found = diagnose(RAW, values[:16_000].astype(np.float32), tmp_path / "b.wav")
    assert "keeps its 44,100 Hz: the network takes 16,000 Hz" in found.verdict


def test_a_network_of_which_nothing_is_known(file: Path) -> None:
    with pytest.raises(DataError, match=r"nothing says how .* becomes wave.*\[audio\]"):
        diagnose(taking("wave:float32[batch,16000]", Preprocessing()), np.zeros(16_000, np.float32), file)
