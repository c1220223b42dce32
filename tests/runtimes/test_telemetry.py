"""No engine reports to its maker, nor leaves a process behind that would."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os, sys
from pathlib import Path
from toolkit.runtimes import find_runtime

find_runtime(sys.argv[1]).devices()
children = [child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()]
loaded = [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module is not None]
print(children, loaded, os.environ["ORT_DISABLE_TELEMETRY"])
sys.stdout.flush()
os._exit(0)  # as an isolated child ends: what it forked would stay
"""


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engines_send_nothing(engine: str) -> None:
    result = subprocess.run([sys.executable, "-c", CODE, engine], capture_output=True, text=True, check=False)
    assert result.stdout == "[] [] 1\n", result.stderr
