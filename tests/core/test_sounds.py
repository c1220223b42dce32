"""Recordings at another rate, and their mel bands: by what other libraries give for them."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.core import Sound
from toolkit.core.sounds import mel_bands, resample


@pytest.mark.parametrize(("rate", "wanted"), [(44_100, 16_000), (8_000, 16_000), (48_000, 16_000), (16_000, 16_000)])
def test_a_tone_is_the_same_tone_at_another_rate(rate: int, wanted: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)
    found = resample(tone, rate, wanted)
    assert len(found) == wanted // 2
    expected = np.sin(2 * np.pi * 440 * np.arange(len(found)) / wanted)
    assert np.abs(found - expected)[200:-200].max() < 1e-3


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    tone = np.sin(2 * np.pi * 12_000 * np.arange(48_000) / 48_000)
    assert np.abs(resample(tone, 48_000, 16_000))[200:-200].max() < 0.02


def test_features_are_those_of_whisper() -> None:
    transformers = pytest.importorskip("transformers")
    wave = np.random.default_rng(0).normal(0, 0.1, 16_000)
    expected = transformers.WhisperFeatureExtractor(feature_size=80)._np_extract_fbank_features(wave[None].astype(np.float32), "cpu")[0]
    found = Sound(features="log-mel", log="whisper").log_mel(wave)
    assert found.shape == expected.shape == (80, 100)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("scale", "norm"), [("slaney", "slaney"), ("htk", None)])
def test_bands_are_those_of_librosa_and_torchaudio(scale: str, norm: str | None) -> None:
    audio_utils = pytest.importorskip("transformers.audio_utils")
    expected = audio_utils.mel_filter_bank(201, 40, 20.0, 7600.0, 16_000, norm=norm, mel_scale=scale).T
    found = mel_bands(Sound(mels=40, low=20.0, high=7600.0, scale=scale))  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_natural_logarithms_of_silence_are_finite() -> None:
    found = Sound(features="log-mel").log_mel(np.zeros(1600))
    assert found.shape == (80, 10)
    assert np.allclose(found, np.log(1e-10))
