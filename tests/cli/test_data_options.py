"""How ``--data`` are read is said by options that mean nothing without them, and what the data tell is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.commands import Commands
from tests.pipeline.data.pictures import picture, save
from toolkit.core import Artifact, Preprocessing
from toolkit.pipeline.data import Given
from toolkit.pipeline.source.resolve import resolve_source
from toolkit.pipeline.source.samples import split_samples

EARLIER = Path(__file__).parents[1] / "data" / "0.1.0" / "perceptron"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    worker = Commands({"TOOLKIT_CACHE": str(tmp_path_factory.mktemp("commands") / "cache")})
    yield worker
    worker.close()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--column", "a=image"], "--column says how --data are read; add --data"),
        (["--prepare", "p.toml"], "--prepare says how --data are read; add --data"),
        (["--data", "digits", "--target", "y"], "data 'digits' take no --target: got a data set (toolkit data)"),
        (["--data", "photos"], "photos/0/0.png' cannot be read as a picture: UnidentifiedImageError"),
        (["--data", "t.csv", "--column", "p0=image"], "'t.csv' has no column 'p0': expected one of q0"),
        (["--data", "mydata.py:load"], "'mydata.py:load' raised ZeroDivisionError: division by zero"),
        (["--data", "nowhere/"], "unknown data set 'nowhere/'"),
    ],
)
def test_wrong_data_are_one_line(commands: Commands, words: list[str], told: str, tmp_path: Path) -> None:
    Path("t.csv").write_text("q0\n1\n")
    Path("mydata.py").write_text("load = 1 / 0\n")
    Path("photos/0").mkdir(parents=True)
    Path("photos/0/0.png").write_bytes(b"no picture")
    shutil.copytree(EARLIER / "onnx-fp32", "net/onnx-fp32")
    done = commands.run("evaluate", "net/onnx-fp32", *words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("samples"))
    assert told in line


def test_the_manifest_is_told_what_the_data_tell(tmp_path: Path) -> None:
    for number in range(20):
        save(picture(number), Path("photos") / f"class {number % 10}" / f"{number}.png")
    shutil.copy(EARLIER / "onnx-fp32" / "model.onnx", "net.onnx")
    found = resolve_source("net.onnx", out=tmp_path / "out")
    split = split_samples(found.artifact, Given(word="photos"))
    told = found.told(labels=split.labels, preprocessing=split.preprocessing)
    placed = Artifact.load(told.place().path)
    assert placed.manifest == told.artifact.manifest
    assert placed.manifest.labels == tuple(f"class {number}" for number in range(10))
    assert placed.manifest.preprocessing == Preprocessing(1 / 255, size=(8, 8), fit="stretch", channels="gray")
    again = told.told(labels=("other",), preprocessing=Preprocessing())
    assert again is told, "what the manifest says stays"
    assert np.asarray(split.evaluation.inputs["image"]).shape[1:] == (1, 8, 8)
