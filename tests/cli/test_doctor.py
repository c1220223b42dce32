"""What `toolkit doctor` prints: what is here, and what is not by what adds it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.cli.doctor import show
from toolkit.converters.planner import all_converters
from toolkit.core import install_command, this_machine
from toolkit.pipeline.doctor import ConverterStatus, Diagnosis, EngineStatus
from toolkit.runtimes import Runtime, all_runtimes

FLAGS = ("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16")


def bare() -> Diagnosis:
    """What `diagnose` finds where ONNX Runtime is the only package beside the toolkit."""
    converters = [
        ConverterStatus(c.name, str(c.source), str(c.target), c.distributions, install_command(c.extra)) for c in all_converters()
    ]
    machine = replace(this_machine(), cpu="Intel(R) Xeon(R) Platinum 8488C", instruction_sets=FLAGS)
    return Diagnosis(machine, tuple(map(status, all_runtimes())), tuple(converters), ())


def status(runtime: Runtime) -> EngineStatus:
    formats = tuple(sorted(runtime.formats))
    if runtime.name == "onnxruntime":
        return EngineStatus(runtime.name, "1.27.0", formats, ("cpu",), "", "")
    problem = "not installed" if runtime.is_for_this_system else f"for {' and '.join(runtime.systems)} only"
    return EngineStatus(runtime.name, "", formats, (), problem, runtime.install_command())


def test_a_bare_install_fits_a_screen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = bare()
    show(found)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 24, "the last line of the screen is the prompt's"
    assert max(len(line) for line in lines if not line.startswith("to add")) <= 80, "a command is not folded, so that it can be pasted"
    told = " ".join(" ".join(lines).replace(",", " ").replace(":", " ").split())
    assert all(f" {engine.name} " in f"{told} " for engine in found.engines)
    assert f"to add what is missing: {install_command('EXTRA')}" in lines
    assert any(line.split() == ["tensorflow", "keras,", "savedmodel,", "tensorflow"] for line in lines)


def test_what_is_broken_is_a_row_with_its_reason_and_the_command_that_repairs_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = bare()
    broken = EngineStatus("openvino", "2026.1", ("openvino",), (), "OSError: no file", "pip install --force-reinstall openvino")
    few = tuple(replace(c, missing=c.missing if c.name == "onnx_int8" else ()) for c in found.converters)
    show(replace(found, engines=(broken,), converters=few))
    text = capsys.readouterr().out
    assert "OSError: no file" in text
    assert "to add openvino: pip install --force-reinstall openvino\n" in text
    assert "  onnx_int8: missing onnx" in text
    assert "  convert  1 converter\n" in text
