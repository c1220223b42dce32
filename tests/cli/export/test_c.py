"""``toolkit export c`` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.conftest import Trained
from tests.micro import digits
from toolkit.cli import toolkit

pytest.importorskip("tflite_micro", reason="the extra [tflite-micro] is not installed")


def call(*words: object) -> Result:
    return CliRunner().invoke(toolkit, ["export", "c", *map(str, words)], prog_name="toolkit", catch_exceptions=True)


def test_the_help_has_examples_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in (["export", "--help"], ["export", "c", "--help"]):
        output = CliRunner().invoke(toolkit, words, prog_name="toolkit").output
        assert max(map(len, output.splitlines())) <= 80
        assert "\n  toolkit export c " in output


def test_it_says_what_it_wrote(trained_cnn: Trained, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", digits(1))
    result = call(trained_cnn.bundle / "tflite-int8", "--out", tmp_path / "firmware", "--input", tmp_path / "x.npy")
    assert result.exit_code == 0, result.output
    assert "an arena of" in result.output
    assert "FULLY_CONNECTED 2" in result.output
    again = call(trained_cnn.bundle / "tflite-int8", "--out", tmp_path / "firmware", "--json")
    found = json.loads(again.output)
    assert sorted(found["files"]) == sorted(file.name for file in (tmp_path / "firmware").iterdir())
    assert f"of {found['arena_bytes']} bytes" in result.output


def test_bad_input_is_one_line(trained_cnn: Trained, tmp_path: Path) -> None:
    result = call(trained_cnn.bundle / "onnx-fp32", "--out", tmp_path / "firmware")
    assert "expected a TF Lite artifact, got onnx" in str(result.exception)
    assert not (tmp_path / "firmware").exists()
    assert call(trained_cnn.bundle / "tflite-int8").exit_code == 2
