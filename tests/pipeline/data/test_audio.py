"""Folders of recordings: samples or mel bands become an input, texts, numbers or folders the targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.data.recordings import save, write_recordings
from toolkit.core import DataError, Signature, Sound, TensorSpec
from toolkit.pipeline.data import Found, Given, Wanted, find_reader

LENGTH = 64
RNG = np.random.default_rng(0)
WAVES = [np.round(RNG.uniform(-0.9, 0.9, LENGTH - 8 * (number % 2)) * 2**15) / 2**15 for number in range(6)]
TEXTS = ["ab", "ba a", "bbb", "a", "b", "ab"]
TOKENS = 'target = {vocabulary = "tokens.txt", split = "characters"}\n'


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def signature(*shape: int | str) -> Signature:
    return Signature((TensorSpec("sound", "float32", ("batch", *shape)),), (TensorSpec("y", "float32", ("batch", "steps", 4)),))


def read(*shape: int | str, prepare: str = "", **options: object) -> Found:
    Path("audio").mkdir(exist_ok=True)
    if prepare:
        Path("audio/prepare.toml").write_text(prepare)
        Path("audio/tokens.txt").write_text("-\n \na\nb\n")
    given = Given(word="audio", **options)  # type: ignore[arg-type]
    return find_reader("audio").read(given, Wanted(signature=signature(*(shape or (LENGTH,)))))


def test_samples_and_their_texts_as_tokens() -> None:
    write_recordings(Path("audio"), WAVES, TEXTS)
    samples = read(prepare=TOKENS).samples
    assert samples.targets is not None
    assert samples.targets.dtype == np.int64
    assert samples.targets.shape == (6, 4), "padded to the longest"
    rows = {tuple(row[row >= 0].tolist()): sound for row, sound in zip(samples.targets, samples.inputs["sound"], strict=True)}
    np.testing.assert_allclose(rows[3, 2, 1, 2], np.pad(WAVES[1], (0, 8)), atol=1e-7)
    assert samples.notes == ("recordings are 0.004 s at 16,000 Hz, the samples themselves; another preparation: prepare.toml or --prepare",)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_and_several_channels(width: int) -> None:
    values = np.round(np.random.default_rng(1).uniform(-0.9, 0.9, (LENGTH, 2)) * 127) / 128
    save(values, Path("audio/1.wav"), width=width)
    found = read(1, LENGTH)
    assert found.samples.targets is None
    np.testing.assert_allclose(found.samples.inputs["sound"][0, 0], values.mean(axis=1), atol=1e-7)


def test_folders_are_classes() -> None:
    for number, name in enumerate(["dog", "cat", "dog"]):
        save(WAVES[number], Path("audio", name, f"{number}.wav"))
    found = read()
    assert found.labels == ("cat", "dog")
    assert sorted(np.asarray(found.samples.targets).tolist()) == [0, 1, 1]


@pytest.mark.parametrize(("shape", "turned"), [((20, 4), False), ((4, 20), True), ((1, 20, 4), False)])
def test_mel_bands_stand_where_the_input_has_them(shape: tuple[int, ...], turned: bool) -> None:
    save(WAVES[0], Path("audio/1.wav"), rate=8000)
    prepare = '[audio]\nrate = 16000\nfeatures = "log-mel"\nmels = 20\nwindow = 32\nhop = 32\n'
    found = read(*shape, prepare=prepare)
    sound = Sound(features="log-mel", mels=20, window=32, hop=32)
    expected = sound.log_mel(sound.resampled(WAVES[0], 8000))
    np.testing.assert_allclose(found.samples.inputs["sound"][0].reshape(shape[-2:]), expected.T if turned else expected, atol=1e-4)
    assert found.preprocessing is not None
    assert found.preprocessing.sound == sound


def test_a_free_length_is_said_in_seconds() -> None:
    write_recordings(Path("audio"), WAVES, ["1"] * 6)
    with pytest.raises(DataError, match=r"has no fixed length.*\[audio\] seconds = 10"):
        read("samples")
    assert read("samples", prepare="audio = {seconds = 0.01}").samples.inputs["sound"].shape == (6, 160)


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "cut short": (
        lambda: Path("audio/2.wav").write_bytes(Path("audio/2.wav").read_bytes()[:-3]),
        "2.wav' cannot be read .* it is cut short",
    ),
    "no recording": (
        lambda: Path("audio/2.wav").write_bytes(b"ID3 no WAV at all"),
        "2.wav' cannot be read as a WAV recording: file does not",
    ),
    "not there": (lambda: Path("audio/2.wav").unlink(), "metadata.csv' line 3 names '2.wav', and there is no such recording"),
    "no column": (lambda: Path("audio/metadata.csv").write_text("name,text\n1.wav,a\n"), "has no column 'file_name': expected one of name"),
    "no token": (lambda: Path("audio/metadata.csv").write_text("file_name,text\n1.wav,abc\n"), "line 2, column 'text': 'c' is no token"),
    "a misspelt key": (
        lambda: Path("audio/prepare.toml").write_text("audio = {rat = 3}"),
        "prepare.toml' says 'rat': expected one of rate",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_recordings_are_one_line(what: str) -> None:
    write_recordings(Path("audio"), WAVES, TEXTS)
    read(prepare=TOKENS)
    change, told = BAD[what]
    change()
    with pytest.raises(DataError, match=told) as caught:
        find_reader("audio").read(Given(word="audio"), Wanted(signature=signature(LENGTH)))
    assert len(str(caught.value).splitlines()) == 1
