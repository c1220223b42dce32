from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.plugins import add_distribution
from tests.core.test_needs import installed
from toolkit.core import MissingDependencyError, install_command
from toolkit.pipeline.doctor import _groups, diagnose
from toolkit.runtimes import all_runtimes, find_runtime


def look_at_only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """To import every engine takes long enough to do it once."""
    monkeypatch.setattr("toolkit.pipeline.doctor.all_runtimes", lambda: tuple(map(find_runtime, names)))


def test_every_engine_and_converter_is_a_row_and_what_is_missing_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(find_runtime("litert")), "module", "no_such_module")
    found = diagnose()
    engines = {engine.name: engine for engine in found.engines}
    assert list(engines) == [runtime.name for runtime in all_runtimes()]
    assert (engines["onnxruntime"].devices[-1], engines["onnxruntime"].problem) == ("cpu", "")
    assert (engines["litert"].devices, engines["litert"].problem) == ((), "not installed")
    assert engines["litert"].install == install_command("tflite")
    assert all(converter.install.startswith("pip install ") for converter in found.converters)
    assert found.machine.threads >= 1


def test_an_engine_that_is_too_old_is_told_with_the_command_that_repairs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, "ai_edge_litert", "1.0.1"))
    look_at_only(monkeypatch, "litert")
    (litert,) = diagnose().engines
    assert litert.problem == "at version 1.0.1, where >=2 is needed"
    assert litert.install == install_command("tflite")
    with pytest.raises(MissingDependencyError, match=r"'litert' is at version 1.0.1, where >=2 is needed; run: pip install .*tflite"):
        find_runtime("litert").open(tmp_path / "model.tflite")


def break_engine(module: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a package before an engine's own that runs `code` when it is imported."""
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)


def test_an_engine_whose_library_is_broken_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_engine("openvino", "raise OSError('libopenvino.so: invalid ELF header')\n", tmp_path, monkeypatch)
    look_at_only(monkeypatch, "openvino", "onnxruntime")
    engines = {engine.name: engine for engine in diagnose().engines}
    assert "invalid ELF header" in engines["openvino"].problem
    assert "\n" not in engines["openvino"].problem
    assert engines["openvino"].install == "pip install --force-reinstall openvino"
    assert engines["onnxruntime"].problem == ""


def test_a_plug_in_that_is_left_out_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: engines are found once a process."""
    module = "from toolkit.runtimes.onnxruntime import OnnxRuntime\nclass Mine(OnnxRuntime):\n    name = 'openvino'\n"
    add_distribution(tmp_path, "acme", {"acme_engines": module}, group="toolkit.runtimes")
    code = """
from click.testing import CliRunner
from toolkit.cli import toolkit
from toolkit.pipeline import doctor
doctor.all_runtimes = lambda: tuple(map(doctor.find_runtime, ("openvino",)))
print(CliRunner().invoke(toolkit, ["doctor"], env={"COLUMNS": "200"}).output)
"""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    ran = subprocess.run([sys.executable, "-P", "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert (
        "plug-in 'acme_engines' of acme 1.0 (toolkit.runtimes) is left out: 'openvino' is already the name of one of the toolkit"
        in ran.stdout
    )
    assert "works" in ran.stdout


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import os; os.abort()\n", "devices task crashed with signal 6 (SIGABRT): got no output"),
        ("raise OSError('libqnn.so: invalid ELF header')\n", "OSError: libqnn.so: invalid ELF header"),
    ],
)
def test_of_the_engines_of_one_framework_only_the_broken_one_is_told(
    code: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked at in one process, which a crash takes along."""
    break_engine("executorch", code, tmp_path, monkeypatch)
    look_at_only(monkeypatch, "executorch", "torch")
    executorch, torch = diagnose().engines
    assert (torch.devices[-1], torch.problem) == ("cpu", "")
    assert (executorch.devices, executorch.problem) == ((), problem)
    assert executorch.install == "pip install --force-reinstall executorch"


def test_engines_are_asked_once_for_each_framework_and_the_longest_first() -> None:
    groups = [[runtime.name for runtime in group] for group in _groups(all_runtimes())]
    assert ["keras", "savedmodel", "tensorflow"] in groups
    assert ["executorch", "torch", "torch-compiled", "torchscript"] in groups
    assert ["onnxruntime"] in groups
    assert sorted(name for group in groups for name in group) == [runtime.name for runtime in all_runtimes()]
    assert [len(group) for group in groups] == sorted(map(len, groups), reverse=True)
