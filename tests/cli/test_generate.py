"""`toolkit generate`: text in, text out, by the model's own tokens, by a tokenizer's, and by numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import toolkit
from tests.commands import Commands
from tests.language import VOCABULARY, as_artifact, said, summing_cache, summing_step
from toolkit.core import Tokens

Run = Callable[..., CompletedProcess[str]]
PROMPT = [3, 1, 4]
LETTERS = "abcdefghijk"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The command in a process that has imported what it needs."""
    commands, folder = Commands({"COLUMNS": "80"}), tmp_path_factory.mktemp("here") / "work"
    folder.mkdir()
    yield lambda *words: commands.run("generate", *words, folder=folder)
    commands.close()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return summing_cache(tmp_path_factory.mktemp("generate") / "net.onnx")


def test_numbers_go_in_and_come_out(net: Path, run: Run) -> None:
    result = run(net, "3 1 4", "--count", "7")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "".join(f" {token}" for token in said(PROMPT, 7)) + "\n"
    assert "7 tokens, the first after " in result.stderr
    assert "in a second; onnxruntime" in result.stderr.replace("\n", " ")
    assert "0 tokens; onnxruntime" in run(net, "3 1 4", "--stop", str(said(PROMPT, 1)[0])).stderr


def test_json_holds_what_was_said_and_how_fast(net: Path, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "said.json"
    assert run(net, "3 1 4", "--count", "5", "--json", file).returncode == 0
    found = json.loads(file.read_text())
    assert (found["tokens"], found["prompt"]) == (said(PROMPT, 5), PROMPT)
    assert found["tokens_per_s"] > 0
    printed = run(net, "3 1 4", "--count", "5", "--json")
    assert json.loads(printed.stdout)["text"] == found["text"]


def test_a_tokenizer_of_hugging_face_s(net: Path, run: Run, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = {f"w{number}": number for number in range(VOCABULARY)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    result = run(net, "w3 w1 w4", "--tokenizer", tmp_path / "tokenizer.json", "--count", "6")
    assert result.stdout.split() == [f"w{token}" for token in said(PROMPT, 6)], result.stderr


def test_the_tokens_of_the_manifest(tmp_path: Path) -> None:
    as_artifact(summing_step(tmp_path / "net.onnx"), tmp_path / "net" / "onnx-fp32", Tokens(tokens=tuple(LETTERS), split="characters"))
    pieces: list[str] = []
    found = toolkit.generate(tmp_path / "net" / "onnx-fp32", "dbe", count=6, on_text=pieces.append)
    assert found.text == "".join(LETTERS[token] for token in said(PROMPT, 6))
    assert pieces == list(found.text), "each piece as it comes"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["hello"], "prompt: expected token numbers, such as '12 7 301': the model says of no tokens, got 'hello'"),
        ([""], "prompt: expected token numbers"),
        (["3 11"], "prompt: expected tokens from 0 to 10, got 11"),
        (["3", "--temperature", "-1"], "temperature: expected a number from 0 on, got -1.0"),
        (["3", "--state", "past"], "--state past: expected an input and the output"),
        (["3", "--state", "past=logits"], "no state 'past' with next value 'logits'"),
        (["3", "--tokenizer", "nowhere.json"], "'nowhere.json' cannot be read"),
        (["3", "--tokenizer", __file__], "is no tokenizer"),
    ],
)
def test_bad_input_is_one_line(net: Path, run: Run, words: list[str], line: str) -> None:
    result = run(net, *words)
    assert result.returncode == 2
    assert line in result.stderr
    assert result.stderr.count("\n") == 1
