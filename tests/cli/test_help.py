"""Help that fits a terminal and shows how; completion that knows the words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from toolkit.cli import toolkit

ROOT = Path(__file__).parents[2]
NAMES = toolkit.list_commands(click.Context(toolkit))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_commands_are_the_files_of_the_folder() -> None:
    known = {"benchmark", "cache", "clean", "convert", "data", "debug", "demo", "doctor", "formats", "inspect", "models", "optimize"}
    known |= {"bundle", "check", "export", "quantize", "recipes", "report", "run", "train", "verify"}
    assert known <= set(NAMES)


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
    """What the shell is told for the last word of a line: by bash's protocol, and the same by zsh's."""
    script = Path(sys.executable).with_name("toolkit")
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    answers = []
    for shell in ("bash", "zsh"):
        environment = {**os.environ, "_TOOLKIT_COMPLETE": f"{shell}_complete", **words}
        result = subprocess.run([script], env=environment, capture_output=True, text=True, check=True, cwd=folder)
        answers.append(result.stdout.splitlines())
    in_bash = [tuple(found.split(",", 1)) for found in answers[0]]
    in_zsh = list(zip(answers[1][::3], answers[1][1::3], strict=True))
    assert in_bash == in_zsh
    return [value if kind == "plain" else f"<{kind}>" for kind, value in in_bash]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "toolkit convert x --precision fp32,in",
            ["fp32,int8", "fp32,int8-dynamic", "fp32,int8-weights", "fp32,int4-weights", "fp32,int16x8"],
        ),
        ("toolkit convert x --recipe int8-pe", ["int8-per-tensor", "int8-percentile", "<file>"]),
        ("toolkit recipes int16", ["int16x8", "int16x8-per-tensor"]),
        ("toolkit convert x --to o", ["onnx", "openvino"]),
        ("toolkit benchmark x --engine litert,on", ["litert,onnxruntime", "litert,onnxruntime-web", "litert,onnxruntime-web-node"]),
        ("toolkit verify x --engine o", ["onnxruntime", "onnxruntime-web", "onnxruntime-web-node", "openvino"]),
        ("toolkit run x --engine li", ["litert", "litert-js"]),
        ("toolkit run x --device ", ["cpu", "gpu", "npu", "auto"]),
        ("toolkit verify x --device g", ["gpu"]),
        ("toolkit benchmark x --device a", ["auto"]),
        ("toolkit train c", ["cnn", "conditional-gan"]),
        ("toolkit train cnn --data fa", ["fashion-mnist"]),
        ("toolkit data di", ["digits"]),
        ("toolkit demo --data m", ["mnist", "movie-reviews"]),
        ("toolkit convert re", ["resnet", "<file>"]),
        ("toolkit convert x --data d", ["digits", "<file>"]),
        ("toolkit inspect x", ["<file>"]),
        ("toolkit benchmark x --ht", ["--html"]),
        ("toolkit in", ["inspect"]),
    ],
)
def test_the_shell_completes(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert completions(line, tmp_path) == expected


def test_a_real_bash_completes_as_the_help_says(tmp_path: Path) -> None:
    (command,) = re.findall(r"eval \S+ toolkit\)\"", CliRunner().invoke(toolkit, ["--help"]).output)
    code = f'{command}; COMP_WORDS=(toolkit train re); COMP_CWORD=2; _toolkit_completion toolkit; echo "${{COMPREPLY[@]}}"'
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(["bash", "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (result.stdout, result.stderr) == ("resnet\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one(tmp_path: Path, shell: str) -> None:
    environment = {**os.environ, "_TOOLKIT_COMPLETE": f"{shell}_source"}
    script = Path(sys.executable).with_name("toolkit")
    result = subprocess.run([script], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"_TOOLKIT_COMPLETE={shell}_complete" in result.stdout
    if shell == "bash":
        checked = subprocess.run(["bash", "-n"], input=result.stdout, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def _options(command: click.Command, path: str = "toolkit") -> Iterator[tuple[str, str]]:
    """Every option under a command, and its help."""
    for each in command.params:
        if isinstance(each, click.Option):
            yield f"{path} {each.opts[0]}", each.help or ""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from _options(found, f"{path} {name}")


def test_each_options_help_stands_alone() -> None:
    """It names what is given: no line begins with its default or goes on a sentence that the option's name began."""
    found = dict(_options(toolkit))
    assert len(found) > 100
    assert {option: text for option, text in found.items() if re.match(r"(?:Default|Of|In all|Such as|A \.|Yours|Do it)\b", text)} == {}


WORDS = re.compile(r"\b(?:un)?prove[sdn]?\b|\bdepart(?:s|ed)\b|\bwhat arrived\b|\bgoes on where\b", re.IGNORECASE)
QUOTED = {"CHANGELOG.md": ("(it departed)", "(they were proved)")}
"""Where the words stand because they are spoken of."""


def test_the_words_of_the_field_are_used() -> None:
    """Verify, not prove; result; diverges; resumes: in help, messages, pages and docs."""
    folders = ("toolkit", "models", "converters", "runtimes", "benchmarks", "docs")
    texts = [path for folder in folders for end in ("py", "html", "js", "md") for path in (ROOT / folder).rglob(f"*.{end}")]
    texts += ROOT.glob("*.md")
    assert len(texts) > 300
    found = {}
    for path in texts:
        text = path.read_text(encoding="utf-8")
        for quoted in QUOTED.get(path.name, ()):
            assert quoted in text
            text = text.replace(quoted, "")
        if words := sorted({match[0] for match in WORDS.finditer(text)}):
            found[str(path.relative_to(ROOT))] = words
    assert found == {}
