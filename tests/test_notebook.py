"""The notebook of the documentation runs as it stands, and its results show themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "own-model.ipynb"


@pytest.mark.slow
def test_from_a_module_to_the_file_to_ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    # The kernel is another process: from its folder it must find the same tree.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOK.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    bundle, report, evaluation = (each["data"]["text/html"] for each in shown if "text/html" in each.get("data", {}))
    assert "<td>onnx-int8</td><td>passed</td><td>Digits that are right, or wrong by one drop" in bundle
    assert "<td>onnx-int8</td><td>onnxruntime</td><td>1</td>" in report
    assert "<td>accuracy [95 %]</td>" in evaluation
    assert any("Ship onnx-" in plain(each) for each in shown)
    assert [each for each in shown if each["output_type"] == "error"] == []


def plain(output: Any) -> str:
    return str(output.get("data", {}).get("text/plain", ""))
