"""The smallest form of what the fuzz run has found, and of what was tried by hand, each with the command that met it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.fuzz.seeds import Seeds
from toolkit.core import MANIFEST

DATA = ("--data", "samples.npz")
DIARY = ("dear diary, " * 400)[:4096]


@pytest.fixture
def work(seeds: Seeds, tmp_path: Path) -> Path:
    """A bundle of one net, samples, and a folder beside it that nobody may touch."""
    shutil.copytree(seeds / "net" / "onnx-fp32", tmp_path / "work" / "net" / "onnx-fp32")
    for name in ("x.npy", "samples.npz"):
        shutil.copyfile(seeds / name, tmp_path / "work" / name)
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary" / "diary").write_text(DIARY)
    return tmp_path / "work"


def run(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toolkit", *words]
    return subprocess.run(command, cwd=work, capture_output=True, text=True, check=False, timeout=200)


def assert_refused(work: Path, *words: str, told: str) -> None:
    """One printable line that says `told`, and nothing beside the working folder has changed."""
    result = run(work, *words)
    assert result.returncode == 2, result.stdout + result.stderr
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("samples")]  # How they are divided comes before.
    assert line.startswith("error: ")
    assert told in line
    assert line.isprintable()
    assert (work.parent / "canary" / "diary").read_text() == DIARY
    assert os.listdir(work.parent / "canary") == ["diary"]


def changed(work: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = work / "net" / "onnx-fp32" / MANIFEST
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def test_torch_says_nothing_of_its_own_about_a_broken_archive(seeds: Seeds, work: Path) -> None:
    """It wrote its traceback on the terminal while ``toolkit run`` opened the file in its own process."""
    with zipfile.ZipFile(seeds / "pt2" / "pt2-fp32" / "model.pt2") as good, zipfile.ZipFile(work / "bad.pt2", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, b"?" if name.endswith("version") else good.read(name))
    assert_refused(work, "run", "bad.pt2", "--input", "x.npy", told="torch cannot open 'bad.pt2'")


def test_an_engines_message_with_escape_sequences_is_printable(work: Path) -> None:
    model = onnx.load(work / "net" / "onnx-fp32" / "model.onnx")
    model.graph.node[0].op_type = "Red\x1b[31m\x1b[2J"
    onnx.save(model, work / "bad.onnx")
    assert_refused(work, "run", "bad.onnx", "--input", "x.npy", told="Error No Op registered for Red with domain_version")


def with_weights_at(work: Path, place: str) -> None:
    """``bad.onnx``, whose first weights are in the file `place`: as large as they, so that only the place can be a reason to refuse it."""
    model = onnx.load(work / "net" / "onnx-fp32" / "model.onnx")
    tensor = model.graph.initializer[0]
    assert len(tensor.raw_data) == len(DIARY)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place.replace("ROOT", str(work.parent)))
    (work / "bad.onnx").write_bytes(model.SerializeToString())
    (work / "own").write_text(DIARY)
    (work / "link").symlink_to("../canary/diary")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("place", ["../canary/diary", "ROOT/canary/diary", "link", "own"])
def test_weights_outside_of_the_models_folder_are_not_read(work: Path, place: str, engine: str) -> None:
    with_weights_at(work, place)
    words = ("run", "bad.onnx", "--input", "x.npy", "--engine", engine)
    if place == "own":
        assert run(work, *words).returncode == 0
    else:
        assert_refused(work, *words, told=f"{engine} cannot open 'bad.onnx'")


@pytest.mark.parametrize("words", [("inspect",), ("convert", *DATA, "--to", "onnx", "--precision", "fp32", "--out", "out")])
def test_such_weights_are_neither_described_nor_converted(work: Path, words: tuple[str, ...]) -> None:
    with_weights_at(work, "link")
    assert_refused(work, words[0], "bad.onnx", *words[1:], told="bad.onnx")
    assert not (work / "out").exists()


def test_more_labels_than_classes(work: Path) -> None:
    changed(work, lambda manifest: manifest["labels"].append("k"))
    assert_refused(work, "evaluate", "net/onnx-fp32", *DATA, told="expected 10, got 11 labels")


@pytest.mark.parametrize("classes", ["many", 0, 2.5])
def test_classes_that_are_no_number(work: Path, classes: object) -> None:
    changed(work, lambda manifest: manifest["details"].update(samples="noise", classes=classes))
    assert_refused(work, "convert", "net", "--to", "onnx", "--precision", "fp32", told="a number from 1 on")


@pytest.mark.timeout(250)
@pytest.mark.parametrize("kind", ["pipe", "folder", "deep"])
def test_a_stored_benchmark_that_is_none_is_as_if_there_were_none(work: Path, kind: str) -> None:
    """A pipe was waited on for ever, and nested brackets ended in a traceback."""
    file = work / "net" / "benchmark.json"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_text("[" * 100_000)
    result = run(work, "run", "net", "--input", "x.npy")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["logs", "logs/onnx-int8-weights.log"])
def test_no_log_is_written_through_a_link(work: Path, name: str) -> None:
    place = work / "net" / name
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(work.parent / "canary" / ("diary" if name.endswith(".log") else ""))
    result = run(work, "convert", "net", *DATA, "--to", "onnx", "--precision", "int8-weights")
    assert result.returncode in {1, 2}
    assert "Traceback" not in result.stderr
    assert (work.parent / "canary" / "diary").read_text() == DIARY
    assert os.listdir(work.parent / "canary") == ["diary"]


def test_no_evidence_is_written_through_a_link(seeds: Seeds, work: Path) -> None:
    shutil.copytree(seeds / "net" / "openvino-fp32", work / "elsewhere")
    before = (work / "elsewhere" / MANIFEST).read_bytes()
    (work / "net" / "openvino-fp32").symlink_to("../elsewhere")
    assert_refused(work, "verify", "net", *DATA, told="is a link")
    assert (work / "elsewhere" / MANIFEST).read_bytes() == before


def test_an_input_called_file(work: Path) -> None:
    """NumPy took its name for an argument of its own."""
    model = onnx.load(work / "net" / "onnx-fp32" / "model.onnx")
    model.graph.input[0].name = model.graph.node[0].input[0] = "file"
    onnx.save(model, work / "odd.onnx")
    np.savez(work / "odd.npz", x=np.load(work / "samples.npz")["x"])
    words = ("--data", "odd.npz", "--to", "onnx", "--precision", "int8-dynamic", "--out", "out", "--max-drop", "50")
    result = run(work, "convert", "odd.onnx", *words)
    assert "Traceback" not in result.stderr
    assert (work / "out" / "odd" / "onnx-int8-dynamic" / MANIFEST).is_file(), result.stdout + result.stderr
