"""Without the frameworks every source asks for the extra of the command, `convert`, and not for a part of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import tiny_artifact

OLD = Path(__file__).parents[2] / "data" / "0.1.0" / "perceptron"
# Read by every Python process that finds it first, isolated ones too: those modules are as if they were not installed.
BARE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "onnx", "tensorflow", "openvino", "ai_edge_litert", "safetensors"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
"""


@pytest.mark.parametrize(
    "words",
    [
        ["model.pt2", "--data", "x.npz"],
        ["net.py:make", "--input", "x:float32[batch,64]", "--data", "x.npz"],
        ["model.onnx", "--data", "x.npz"],
        ["perceptron", "--weights", "w.safetensors", "--data", "digits"],
    ],
    ids=lambda words: words[0],
)
def test_convert_asks_for_what_it_needs(words: list[str], tmp_path: Path) -> None:
    import numpy as np

    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text(BARE)
    shutil.copyfile(OLD / "pt2-fp32" / "model.pt2", tmp_path / "model.pt2")
    shutil.copyfile(tiny_artifact(tmp_path / "tiny").model_file, tmp_path / "model.onnx")
    (tmp_path / "net.py").write_text("import torch\n\n\ndef make():\n    return torch.nn.Linear(64, 10)\n")
    (tmp_path / "w.safetensors").write_bytes(b"")
    np.savez(tmp_path / "x.npz", x=np.zeros((20, 64), np.float32))
    path = os.pathsep.join(filter(None, (str(tmp_path / "bare"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "TOOLKIT_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "toolkit", "convert", *words, "--to", "onnx", "--precision", "fp32"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode in {1, 2}, said
    assert "Traceback" not in said
    assert "[convert]" in said
    assert "[train]" not in said
