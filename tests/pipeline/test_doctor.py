from __future__ import annotations

import pytest

from toolkit.pipeline.doctor import diagnose
from toolkit.runtimes import all_runtimes, find_runtime


def test_every_engine_and_converter_is_a_row_and_what_is_missing_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(find_runtime("litert")), "module", "no_such_module")
    found = diagnose()
    engines = {engine.name: engine for engine in found.engines}
    assert list(engines) == [runtime.name for runtime in all_runtimes()]
    assert (engines["onnxruntime"].devices[-1], engines["onnxruntime"].problem) == ("cpu", "")
    assert (engines["litert"].devices, engines["litert"].problem) == ((), "not installed")
    assert engines["litert"].install == "pip install 'edge-inference-toolkit[tflite]'"
    assert all(converter.install.startswith("pip install 'edge-inference-toolkit[") for converter in found.converters)
    assert found.machine.threads >= 1
