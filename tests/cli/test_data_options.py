"""How ``--data`` are read is said by options that mean nothing without them, and what the data tell is kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.commands import Commands
from tests.pipeline.data.pictures import picture, save, write_coco
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


METRICS = """
import numpy as np

def raises(output, target): raise KeyError("dice")
def nan(outputs, targets): return float("nan")
def nan_each(output, target): return float("nan")
def fewer(outputs, targets): return np.zeros(len(targets) - 1)
"""
LOADERS = """
import numpy as np

def nothing(): return iter(())
def endless():
    while True: yield {"image": np.zeros((1000, 1, 8, 8), np.float32), "target": np.zeros(1000, np.int64)}
def shapes():
    for size in (8, 9): yield {"image": np.zeros((1, size, 8), np.float32), "target": 0}
"""
BAD = {
    "a metric that raises": ("s.npz", "m.py:raises", "m.py:raises' raised KeyError: 'dice'; the metric runs"),
    "a metric that is NaN": ("s.npz", "m.py:nan", "m.py:nan' returned nan: expected a finite number"),
    "a metric that is NaN for a sample": ("s.npz", "m.py:nan_each", "m.py:nan_each' returned nan: expected a finite number"),
    "another count than samples": (
        "s.npz",
        "m.py:fewer",
        "m.py:fewer' returned no number for each sample: expected 16 numbers, or one",
    ),
    "no samples": ("d.py:nothing", "", "d.py:nothing' gives no samples"),
    "endless samples": ("d.py:endless", "", "d.py:endless' gives more than 100,000 samples: it may have no end"),
    "shapes that change": ("d.py:shapes", "", "' does not fit the model's input 'image': expected float32[1,8,8], got float32[1,9,8]"),
    "a label without its picture": ("coco", "", "has labels for '4.jpg', and there is no such picture"),
    "a truncated JPEG": ("photos", "", "photos/0/3.jpg' cannot be read as a picture"),
    "no column": ("t.csv", "", "'t.csv' has no column 'kind': expected one of q0"),
}


@pytest.mark.parametrize("what", BAD)
def test_users_data_and_metrics_that_are_bad_are_one_line_and_leave_nothing(commands: Commands, what: str, tmp_path: Path) -> None:
    data, metric, told = BAD[what]
    shutil.copy(EARLIER / "onnx-fp32" / "model.onnx", "net.onnx")
    Path("m.py").write_text(METRICS)
    Path("d.py").write_text(LOADERS)
    Path("t.csv").write_text("q0\n1\n")
    np.savez("s.npz", image=np.random.default_rng(0).random((40, 1, 8, 8), np.float32), targets=np.arange(40) % 10)
    for number in range(4):
        save(picture(number), Path("photos", "0", f"{number}.jpg"))
    Path("photos/0/3.jpg").write_bytes(Path("photos/0/3.jpg").read_bytes()[:-60])
    write_coco(Path("coco"))
    Path("coco/4.jpg").unlink()
    words = ["convert", "net.onnx", "--to", "onnx", "--precision", "fp32", "--data", data, *(["--metric", metric] if metric else [])]
    done = commands.run(*words, *(["--target", "kind"] if data == "t.csv" else []), folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    assert told in lines[0]
    assert not Path("artifacts").exists()
    assert [*Path("cache/prepared").glob("*")] == [] if data != "s.npz" else True
