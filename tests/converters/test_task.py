"""Conversions in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from tests.converters.contract import truncated
from tests.tiny import tiny_artifact, tiny_samples
from toolkit.converters.base import Converter, Recipe
from toolkit.converters.edges.tflite_from_pt2 import TfliteFromPt2
from toolkit.converters.planner import all_converters
from toolkit.converters.recipes import Choices
from toolkit.converters.task import Task, convert_isolated, convert_task, obtain
from toolkit.core import Artifact, ArtifactError, DataError, ProcessError, UnknownNameError
from toolkit.core.forks import ADDRESS


def converter(name: str) -> Converter:
    return next(one for one in all_converters() if one.name == name)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "tiny")


def test_a_calibrated_conversion_then_the_cache(artifact: Artifact, tmp_path: Path) -> None:
    recipe = Recipe(calibration=tiny_samples())
    made = obtain(converter("onnx_int8"), artifact, tmp_path / "made", recipe, log=tmp_path / "log.txt")
    assert not made.from_cache
    assert made.artifact == Artifact.load(tmp_path / "made")
    record = made.artifact.manifest.calibration
    assert record is not None
    assert (record.origin, record.samples) == (tiny_samples().origin, 20)
    again = obtain(converter("onnx_int8"), artifact, tmp_path / "again", recipe)
    assert again.from_cache
    assert again.seconds < 1
    assert again.artifact.manifest == made.artifact.manifest


def test_the_same_bytes_as_in_this_process(artifact: Artifact, tmp_path: Path) -> None:
    for name in ("onnx_fp16", "onnx_int8_dynamic", "openvino_from_onnx"):
        here = converter(name).convert(artifact, tmp_path / "here", Recipe())
        there = convert_isolated(converter(name), artifact, tmp_path / "there", Recipe())
        assert here.manifest == there.manifest


def test_a_conversion_that_needs_too_much_memory_leaves_nothing_but_its_log(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)  # A fork is done before it is looked at.
    with pytest.raises(ProcessError, match=r"used more than 0\.0 GB of memory and was stopped; .*--memory"):
        convert_isolated(converter("onnx_int8_dynamic"), artifact, tmp_path / "made", Recipe(), memory_bytes=2**20, log=tmp_path / "log")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "tiny"]


def test_an_edge_imports_only_what_it_needs(artifact: Artifact, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from toolkit.core import Artifact
from toolkit.converters.base import Recipe
from toolkit.converters.planner import all_converters
edges = {{converter.name: converter for converter in all_converters()}}
source = Artifact.load(Path({str(artifact.path)!r}))
out = Path({str(tmp_path / "out")!r})
fp32 = edges["openvino_from_onnx"].convert(source, out / "fp32", Recipe())
edges["openvino_fp16"].convert(fp32, out / "fp16", Recipe())
for name in ("onnx_fp16", "onnx_int8_dynamic", "onnx_int8_weights"):
    edges[name].convert(source, out / name, Recipe())
imported = {{name for name, module in sys.modules.items() if module}}
print(sorted({{"torch", "tensorflow", "nncf", "litert_torch", "transformers", "openvino_telemetry"}} & imported))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    code = """
import sys
from toolkit.converters.openvino import import_nncf
import_nncf()
import nncf.telemetry.wrapper, openvino.tools.ovc.telemetry_utils
print(type(nncf.telemetry.wrapper.telemetry).__name__, openvino.tools.ovc.telemetry_utils.tm.__name__)
print([name for name, module in sys.modules.items() if module and name.startswith("openvino_telemetry")])
"""
    environment = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout.splitlines() == ["MagicMock openvino.tools.ovc.telemetry_stub", "[]"]
    assert not (tmp_path / "intel").exists()


@pytest.mark.parametrize("name", ["onnx_fp16", "onnx_int8", "onnx_int8_dynamic"])
def test_onnxruntime_reports_nothing_either(name: str, artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    convert_isolated(converter(name), artifact, tmp_path / "out", Recipe(calibration=tiny_samples()))
    assert list(home.rglob("*onnxruntime*")) == []


def test_a_time_limit_leaves_nothing_behind(source: Artifact, tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="took longer than 2 s"):
        obtain(TfliteFromPt2(), source, tmp_path / "out" / "tflite-fp32", Recipe(), timeout_s=2)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_error_of_the_child_comes_back_as_it_is(artifact: Artifact, tmp_path: Path) -> None:
    bad = truncated(artifact, tmp_path / "truncated")
    with pytest.raises(ArtifactError, match="no valid ONNX model"):
        obtain(converter("onnx_fp16"), bad, tmp_path / "out" / "made", Recipe())
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_calibration_is_found_without_a_process(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.converters.task.run_isolated", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(DataError):
        obtain(converter("onnx_int8"), artifact, tmp_path / "out", Recipe())
    wrong = replace(tiny_samples(), inputs={"x": np.zeros((5, 3), np.float32)})
    with pytest.raises(DataError):
        obtain(converter("onnx_int8"), artifact, tmp_path / "out", Recipe(calibration=wrong))


def test_a_cache_that_cannot_be_written_does_not_matter(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
    made = obtain(converter("onnx_int8_weights"), artifact, tmp_path / "out", Recipe())
    assert not made.from_cache
    made.artifact.verify_files()


def test_unknown_converter(artifact: Artifact) -> None:
    with pytest.raises(UnknownNameError, match="onnx_int9"):
        convert_task(Task("onnx_int9", "", "", None, (), (), Choices(), "", 1, 60.0))


def test_the_whole_recipe_goes_with_the_task() -> None:
    """One that stayed behind was its default in the process that converts."""
    assert {field.name for field in fields(Recipe)} <= {field.name for field in fields(Task)}
