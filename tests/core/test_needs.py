"""Installed versions are read from real metadata, and compared with what this distribution's own asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.core import outdated, version_of


def installed(folder: Path, name: str, version: str) -> Path:
    """Metadata of a distribution, as an installer leaves it."""
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


def test_what_is_installed_here_is_new_enough() -> None:
    assert version_of("onnxruntime")
    assert outdated("onnxruntime") == ""


def test_what_is_older_is_told_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, "onnxruntime", "1.2.3"))
    assert outdated("onnxruntime") == "at version 1.2.3, where >=1.20 is needed"


def test_nothing_is_told_of_what_nobody_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, "nobodys", "0.0.1"))
    assert outdated("nobodys") == ""
    assert outdated("not-installed-at-all") == ""
