"""The README says what is true: its commands run, its table is the registry's, its five lines work without torch."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from benchmarks.headline import readme
from benchmarks.reference import PAGES
from tests.conftest import Trained
from toolkit.cli import toolkit

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PATHS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS = [path.read_text() for path in PATHS]


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_is_what_the_program_says(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert (ROOT / "docs" / page).read_text() == PAGES[page](), "run: make docs"


def test_the_figures_of_the_readme_are_generated() -> None:
    assert readme(README) == README, "run: make docs"
    assert "Go net in int8 | " in README


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md" and f"({path.name}" not in index] == []


def test_the_list_of_recipes_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = [line.rstrip() for line in CliRunner().invoke(toolkit, ["recipes"]).output.splitlines()]
    assert "\n".join(["$ toolkit recipes", *printed[1:]]) in (ROOT / "docs" / "recipes.md").read_text()


def commands() -> list[str]:
    inline = [match for text in DOCUMENTS for match in re.findall(r"`(toolkit [a-z]+[^`]*)`", text)]
    blocks = [match for text in DOCUMENTS for match in re.findall(r"^\$ (toolkit [^#\n]+)", text.replace("\\\n", ""), flags=re.MULTILINE)]
    return sorted({command.strip() for command in inline + blocks})


@pytest.mark.parametrize("command", commands())
def test_every_command_in_the_documents_exists_with_its_options(command: str) -> None:
    words = shlex.split(command)[1:]
    options = [word for word in words if word.startswith("--")]
    name = words[: 2 if words[0] in {"go", "export"} else 1]  # A group's commands are two words.
    result = CliRunner().invoke(toolkit, [*name, "--help"])
    assert result.exit_code == 0, result.output
    assert [option for option in options if option not in result.output] == []


def test_the_documents_link_to_files_that_are_there() -> None:
    for path in PATHS:
        targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
        assert [target for target in targets if not (path.parent / target).exists()] == [], path.name


def _site_of(distributions: list[str], site: Path) -> None:
    """Links to the installed files of some distributions and of all that they require, and to nothing else."""
    todo, done = list(distributions), set[str]()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        found = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in found.files or [] if file.parts[0] != ".."}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(found.locate_file(top))))
        for text in found.requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)


def test_the_five_lines_run_without_torch(trained_cnn: Trained, tmp_path: Path) -> None:
    lines = re.search(r"```python\n(import numpy\nimport toolkit\n.*?)```", README, flags=re.DOTALL)
    assert lines is not None
    site = tmp_path / "site"
    site.mkdir()
    _site_of(["numpy", "click", "rich", "msgspec", "platformdirs", "onnxruntime"], site)
    (site / "toolkit").symlink_to(ROOT / "toolkit")
    bundle = tmp_path / "artifacts" / "cnn"
    shutil.copytree(trained_cnn.bundle / "onnx-int8", bundle / "onnx-int8")
    after = """
import importlib.util, sys
assert logits.shape == (1, 10)
assert not {"torch", "tensorflow", "onnx", "openvino"} & set(sys.modules)
assert importlib.util.find_spec("torch") is None
"""
    code = lines[1] + after
    environment = {**os.environ, "PYTHONPATH": str(site), "TOOLKIT_CACHE": str(tmp_path / "cache")}
    # -S leaves this environment's own packages out: only the links above can be imported.
    result = subprocess.run([sys.executable, "-S", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "onnxruntime" in result.stdout
