"""The hash of the toolkit's own sources."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.core import plugin_sha256, sources_sha256


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `parts` with a module, a folder and a script, which can be imported."""
    folder = tmp_path / "parts"
    (folder / "inner").mkdir(parents=True)
    for name in ("__init__.py", "one.py", "inner/two.py", "page.js"):
        (folder / name).write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "parts"]:
        del sys.modules[name]


def fresh(*names: str) -> str:
    """The hash as a new process finds it."""
    sources_sha256.cache_clear()
    return sources_sha256(*names)


@pytest.mark.parametrize("file", ["__init__.py", "one.py", "inner/two.py", "page.js", "inner/new.py"])
def test_every_source_file_counts(package: Path, file: str) -> None:
    before = fresh("parts")
    (package / file).write_text("x = 1")
    assert fresh("parts") != before


def test_what_is_no_source_does_not_count(package: Path) -> None:
    before = fresh("parts")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "one.pyc").write_bytes(b"made")
    (package / "net.onnx").write_bytes(b"weights")
    assert fresh("parts") == before


def test_where_a_file_lies_counts_and_where_the_package_lies_does_not(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (package / "one.py").write_text("x = 1")
    before = fresh("parts")
    shutil.copytree(package, tmp_path / "other" / "parts")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path / "other")
        assert fresh("parts") == before
    (package / "one.py").rename(package / "inner" / "one.py")
    assert fresh("parts") != before


def test_modules_and_packages_that_are_not_there(package: Path) -> None:
    assert fresh("toolkit.core", "toolkit.core.no_such_package") == fresh("toolkit.core")
    before = fresh("toolkit.core.files"), fresh("parts.one")
    (package / "one.py").write_text("x = 1")
    assert fresh("toolkit.core.files") == before[0]
    assert fresh("parts.one") != before[1]


def test_a_plug_in_counts_by_its_file(package: Path) -> None:
    (package / "one.py").write_text("class Engine: pass")
    plugin = importlib.import_module("parts.one").Engine()
    before = plugin_sha256(plugin)
    (package / "one.py").write_text("class Engine: name = 'other'")
    assert plugin_sha256(plugin) != before
    assert plugin_sha256(object()) == ""
