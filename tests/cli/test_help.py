"""Help that fits a terminal and shows how; completion that knows the words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from toolkit.cli import Commands, toolkit

NAMES = Commands().list_commands(click.Context(toolkit))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_commands_are_the_files_of_the_folder() -> None:
    assert NAMES == ["benchmark", "convert", "data", "demo", "doctor", "formats", "inspect", "models", "run", "train", "verify"]


@pytest.mark.parametrize("words", [[], *([name] for name in NAMES)], ids=["toolkit", *NAMES])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_fits_and_has_an_example(words: list[str], flag: str) -> None:
    result = CliRunner().invoke(toolkit, [*words, flag], prog_name="toolkit")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("  toolkit " + " ".join(words)) for line in lines[1:]), "an example"


def test_no_words_at_all_is_help_and_version_is_the_packages() -> None:
    bare = CliRunner().invoke(toolkit, [])
    assert (bare.exit_code, "Commands:" in bare.output) == (2, True)
    assert CliRunner().invoke(toolkit, ["--version"]).output == "toolkit, version 0.1.0\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["conver"], "No such command 'conver'. Did you mean 'convert'?"),
        (["zzz"], "No such command 'zzz'."),
        (["convert"], "Missing argument 'SOURCE'"),
        (["convert", "x", "--too", "onnx"], "No such option"),
        (["convert", "x", "--to", ","], "expected at least one name"),
        (["convert", "x", "--batch-sizes", "1,two"], "expected whole numbers such as 1,32, got '1,two'"),
        (["benchmark", "x", "--threads", "0"], "expected numbers of at least 1, got 0"),
        (["benchmark", "x", "--rounds", "none"], "'none' is not a valid integer"),
        (["inspect", "--json", "x"], "Missing argument 'ARTIFACT'"),
    ],
)
def test_wrong_words_name_the_problem(words: list[str], message: str) -> None:
    result = CliRunner().invoke(toolkit, words)
    assert result.exit_code == 2
    assert message in result.output


def completions(line: str, folder: Path) -> list[str]:
    words = line.split(" ")
    environment = {**os.environ, "_TOOLKIT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    script = Path(sys.executable).with_name("toolkit")
    found = subprocess.run([script], env=environment, capture_output=True, text=True, check=True, cwd=folder).stdout
    return [word.removeprefix("plain,") for word in found.splitlines()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("toolkit convert x --precision fp32,in", ["fp32,int8", "fp32,int8-dynamic", "fp32,int8-weights"]),
        ("toolkit convert x --to o", ["onnx", "openvino"]),
        ("toolkit benchmark x --engine litert,on", ["litert,onnxruntime"]),
        ("toolkit in", ["inspect"]),
    ],
)
def test_the_shell_completes(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert completions(line, tmp_path) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one(tmp_path: Path, shell: str) -> None:
    environment = {**os.environ, "_TOOLKIT_COMPLETE": f"{shell}_source"}
    script = Path(sys.executable).with_name("toolkit")
    result = subprocess.run([script], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"_TOOLKIT_COMPLETE={shell}_complete" in result.stdout
    if shell == "bash":
        checked = subprocess.run(["bash", "-n"], input=result.stdout, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
