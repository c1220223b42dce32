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
