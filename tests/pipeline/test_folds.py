"""With folds every row of a file verifies, and no file is asked for the rows that calibrated it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.tiny import FEATURES, as_trained, tiny_artifact, tiny_samples
from toolkit.cli import toolkit
from toolkit.converters.task import obtain as really_obtain
from toolkit.core import MANIFEST, Artifact, CalibrationRecord, InputError, Precision, Samples
from toolkit.pipeline.convert import Request, convert, nodes
from toolkit.pipeline.folds import Folds
from toolkit.pipeline.quantize import divide
from toolkit.pipeline.source.samples import Split, split_samples
from toolkit.pipeline.verify import Verifier
from toolkit.runtimes.parity import BATCH_SIZES, Observation
from toolkit.runtimes.parity import observe as really_observe

Asked = list[tuple[str, set[bytes]]]
"""The content of each file that was asked, and for which rows."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is asked of the engines from here on, each once, with a cache of its own."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    seen: Asked = []
    known: dict[tuple[str, str, str], Observation] = {}

    def observe(artifact: Artifact, engine: str, samples: Samples, **more: Any) -> Observation:
        seen.append((artifact.manifest.content_sha256, set(samples.row_keys())))
        key = (artifact.manifest.content_sha256, artifact.manifest.precision, samples.sha256)
        known[key] = known.get(key) or really_observe(artifact, engine, samples, **more)
        return known[key]

    monkeypatch.setattr("toolkit.pipeline.verify.observe", observe)
    return seen


def calibrated(folder: Path, rows: Samples, *, seed: int = 0, batch: int | str = "batch") -> Artifact:
    """An artifact whose ranges `rows` are said to have fixed, with other weights for another seed."""
    made = tiny_artifact(folder, Precision.INT8, seed=seed, batch=batch)
    record = CalibrationRecord("s.npz", len(rows), rows.sha256)
    (made.path / MANIFEST).write_bytes(replace(made.manifest, calibration=record).to_json())
    return Artifact.load(made.path)


def test_240_rows_count_as_240(tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=random.standard_normal((240, FEATURES)).astype(np.float32), targets=random.integers(0, 10, 240))
    shutil.move(tiny_artifact(tmp_path / "net").model_file, tmp_path / "mine.onnx")
    calibrating: dict[str, set[bytes]] = {}

    def obtain(converter: Any, source: Artifact, out: Path, recipe: Any, **more: Any) -> Any:
        made = really_obtain(converter, source, out, recipe, **more)
        if converter.target.precision.is_calibrated:
            calibrating[made.artifact.manifest.content_sha256] = set(recipe.calibration.row_keys())
        return made

    monkeypatch.setattr("toolkit.pipeline.convert.obtain", obtain)
    words = ("--data", tmp_path / "rows.npz", "--to", "onnx", "--precision", "fp16,int8", "--out", tmp_path, "--folds", "--json")
    told = CliRunner().invoke(toolkit, ["convert", str(tmp_path / "mine.onnx"), *map(str, words)])
    assert told.stderr.splitlines()[:2] == [
        "samples of rows.npz: 48 calibrate, 192 verify by accuracy",
        "samples: those 48 verify too: of what they calibrate, twins answer that 48 others calibrate",
    ]
    half, made = json.loads(told.stdout)
    assert (made["samples"]["evaluation"], made["samples"]["folds"]) == (192, 48)
    (report,) = made["artifact"]["manifest"]["evidence"]
    assert (report["task"]["name"], report["task"]["samples"], report["twin_rows"]) == ("accuracy", 240, 48)
    assert ", n=240; " in report["reason"]
    assert "48 of the 240 rows by a twin that other rows calibrated" in report["reason"]
    (report,) = half["artifact"]["manifest"]["evidence"]
    assert (report["outputs"][0]["rows"], report["twin_rows"]) == (240 + sum(BATCH_SIZES), 0)
    both = {content: set().union(*(rows for each, rows in asked if each == content)) for content in calibrating}
    assert len(both) == 2, "the file that ships and its twin"
    shipped = Artifact.load(tmp_path / "mine" / "onnx-int8").manifest.content_sha256
    assert len(both[shipped]) == 192, "of which the file itself was asked"
    assert len(set().union(*both.values())) == 240
    for content, rows in both.items():
        assert not rows & calibrating[content], "a file must not be judged by the rows that calibrated it"
    assert sorted(path.name for path in (tmp_path / "mine").glob("*/")) == ["logs", "onnx-fp16", "onnx-fp32", "onnx-int8"], "no twin ships"


@pytest.mark.usefixtures("asked")
def test_a_twin_that_answers_otherwise_is_another_result(tmp_path: Path) -> None:
    root, rows = as_trained(tiny_artifact(tmp_path / "net")), tiny_samples(60)
    first, rest = rows.rows(slice(20)), rows.rows(slice(20, None))
    made = calibrated(tmp_path / "net", first)
    good, bad = calibrated(tmp_path / "good", rest, seed=0), calibrated(tmp_path / "bad", rest, seed=5)
    content = made.manifest.content_sha256
    for twin, differing in ((good, 0), (bad, 20)):
        (report,) = Verifier(root, rest, folds=Folds(first, {content: twin})).reports(made, "onnxruntime")
        assert report.task is not None
        assert (report.task.samples, report.twin_rows) == (60, 20)
        assert bool(report.task.differing) == bool(differing), "and nothing of the one is kept for the other"
    (report,) = Verifier(root, rest, folds=Folds(first, missing={content: "out of memory"})).reports(made, "onnxruntime")
    assert report.task is not None
    assert (report.task.samples, report.twin_rows) == (40, 0)
    assert report.reason.endswith("; no twin answers for the rows that calibrated: out of memory")


@pytest.mark.usefixtures("asked")
def test_rows_that_fill_no_fixed_batch_do_not_count(tmp_path: Path) -> None:
    root, rows = as_trained(tiny_artifact(tmp_path / "net", batch=16)), tiny_samples(58)
    first, rest = rows.rows(slice(10)), rows.rows(slice(10, None))
    made = calibrated(tmp_path / "net", first, batch=16)
    content = made.manifest.content_sha256
    (report,) = Verifier(root, rest, folds=Folds(first, {content: made})).reports(made, "onnxruntime")
    assert report.task is not None
    assert (report.task.samples, report.twin_rows) == (48, 0)
    assert report.reason.endswith("; no twin answers for the rows that calibrated: they fill no batch of it")


def test_only_the_rows_of_a_file_can_be_folded(tmp_path: Path) -> None:
    source = as_trained(tiny_artifact(tmp_path / "net"))
    drawn = split_samples(source, None, may_draw=True)
    request = Request(source, nodes(["onnx"], ["fp16"]), tmp_path / "out", drawn, folds=True)
    with pytest.raises(InputError, match=r"--folds: expected rows of one \.npz or \.npy file, .* got random inputs: .*; leave it out"):
        convert(request)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("rows", "calibration", "twin"), [(240, 512, 48), (240, 20, 20), (9, 512, 1), (2, 512, 1)])
def test_a_twins_rows_are_others(tmp_path: Path, rows: int, calibration: int, twin: int) -> None:
    tiny_samples(rows).save(tmp_path / "s.npz")
    split = split_samples(tiny_artifact(tmp_path / "net"), str(tmp_path / "s.npz"), calibration=calibration, evaluation=100)
    assert split.twin is not None
    assert (len(split.calibration), len(split.twin)) == (twin, twin)
    assert not set(split.twin.row_keys()) & set(split.calibration.row_keys())


def test_rows_that_are_equal_calibrate_one_of_the_two(tmp_path: Path) -> None:
    """Of rows that a file holds several times none calibrates the one and verifies the other."""
    few = tiny_samples(30)
    np.savez(tmp_path / "s.npz", x=np.concatenate([few.inputs["x"]] * 4))
    split = split_samples(tiny_artifact(tmp_path / "net"), str(tmp_path / "s.npz"), evaluation=20)
    assert split.twin is not None
    assert len(split.twin) <= len(split.calibration)
    assert not set(split.twin.row_keys()) & set(split.calibration.row_keys())


def test_layers_are_chosen_without_twins(tmp_path: Path) -> None:
    rows = tiny_samples(60)
    split, _ = divide(Split(rows.rows(slice(20)), rows.rows(slice(20, 60)), rows.rows(slice(20, 40))), 10)
    assert split.twin is None, "their rows may be those that choose"
