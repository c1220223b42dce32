"""Installed versions are read from real metadata, and compared with what this distribution's own asks for."""

from __future__ import annotations

import ast
import importlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.converters.planner import all_converters
from toolkit.core import has_module, hidden, install_command, outdated, version_of
from toolkit.core.needs import DISTRIBUTION, _origin
from toolkit.runtimes import all_runtimes

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


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


def _named(tree: ast.AST) -> Iterator[str]:
    """The extras that a module names as text: in ``needs("train")``, ``install_command("go")`` or ``extra = "ncnn"``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="needs" | "install_command"), args=[ast.Constant(value=str(extra))]):
                yield extra
            case ast.Assign(targets=[ast.Name(id="extra")], value=ast.Constant(value=str(extra))):
                yield extra
            case ast.AnnAssign(target=ast.Name(id="extra"), value=ast.Constant(value=str(extra))):
                yield extra


def test_every_extra_that_a_message_names_can_be_installed() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    sources = [path for folder in ("toolkit", "models", "converters", "runtimes") for path in (ROOT / folder).rglob("*.py")]
    named = {(extra, path.name) for path in sources for extra in _named(ast.parse(path.read_text()))}
    assert {extra for extra, _ in named} >= {"train", "convert", "go", "report", "ncnn"}
    assert {(extra, name) for extra, name in named if extra not in known} == set()
    extras = {each.extra for each in all_converters()} | {each.extra for each in all_runtimes()}
    assert extras - {""} <= set(known)


def test_what_is_hidden_is_there_again_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hidden_one", "hidden_two"):
        (tmp_path / f"{name}.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    two = importlib.import_module("hidden_two")
    with hidden("hidden_one", "hidden_two"):
        with pytest.raises(ImportError, match="hidden_one"):
            importlib.import_module("hidden_one")
        assert importlib.import_module("hidden_two") is two
    assert has_module("hidden_one")
    assert importlib.import_module("hidden_one").__name__ == "hidden_one"


@pytest.mark.parametrize(
    ("told", "command"),
    [
        (None, f"pip install '{DISTRIBUTION}[tflite]'"),
        ({"url": "file:///home/a%20b/clone", "dir_info": {"editable": True}}, "pip install --editable '/home/a b/clone[tflite]'"),
        ({"url": "file:///home/clone", "dir_info": {}}, "pip install '/home/clone[tflite]'"),
        (
            {"url": "file:///tmp/toolkit-1-py3-none-any.whl", "archive_info": {}},
            f"pip install '{DISTRIBUTION}[tflite] @ file:///tmp/toolkit-1-py3-none-any.whl'",
        ),
        (
            {"url": "https://example.org/team/toolkit", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"pip install '{DISTRIBUTION}[tflite] @ git+https://example.org/team/toolkit@{COMMIT}'",
        ),
        ("damaged", None),
    ],
)
def test_the_command_names_where_the_toolkit_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: object, command: str | None
) -> None:
    """Anybody may register its name at an index."""
    monkeypatch.syspath_prepend(installed(tmp_path, "edge_inference_toolkit", "9"))
    _origin.cache_clear()
    if told is not None:
        (tmp_path / "edge_inference_toolkit-9.dist-info" / "direct_url.json").write_text("{" if told == "damaged" else json.dumps(told))
    try:
        assert install_command("tflite") == (command or f"pip install '{ROOT}[tflite]'"), (
            "what nobody knows is the folder that it runs from"
        )
    finally:
        _origin.cache_clear()
