from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.tiny import tiny_artifact
from toolkit.cli import toolkit
from toolkit.runtimes.browser import missing, repair


def test_help_of_each_export_fits_and_has_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = CliRunner().invoke(toolkit, ["export", "web", "--help"], prog_name="toolkit").output.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("  toolkit export web ") for line in lines)


def test_a_page_is_a_table_of_files_and_json(tmp_path: Path) -> None:
    if absent := missing():
        pytest.skip(f"{absent}; run: {repair()}")
    artifact = tiny_artifact(tmp_path / "bundle")
    result = CliRunner().invoke(toolkit, ["export", "web", str(artifact.path), "--out", str(tmp_path / "site"), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert set(found["files"]) == {path.name for path in (tmp_path / "site").iterdir()}
    shown = CliRunner().invoke(toolkit, ["export", "web", str(artifact.path), "--out", str(tmp_path / "site")])
    assert shown.exit_code == 0, "a page may be replaced"
    assert all(name in shown.output for name in found["files"])


def test_a_bill_of_materials_and_a_card_are_files(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "bundle")
    for name, out in (("bom", "bom.json"), ("card", "README.md")):
        words = ["export", name, str(artifact.path), "--out", str(tmp_path / out)]
        shown = CliRunner().invoke(toolkit, words)
        assert shown.exit_code == 0, shown.output
        assert "onnx-fp32" in shown.output
        assert (tmp_path / out).stat().st_size > 1000
        (tmp_path / out).unlink()
        assert json.loads(CliRunner().invoke(toolkit, [*words, "--json"]).stdout) == {
            "file": str(tmp_path / out),
            "artifacts": ["onnx-fp32"],
        }
    result = CliRunner().invoke(toolkit, ["export", "bom", str(tmp_path / "bundle"), "--artifact", "onnx-int9", "--out", "x.json"])
    assert "unknown artifact 'onnx-int9'" in str(result.exception)
