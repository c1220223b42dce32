"""What a long command says where standard error is no terminal."""

from __future__ import annotations

import re
import sys
import time

import pytest

from toolkit.cli._common import LINE_EVERY, progress, say_estimate


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LINE_EVERY, "0.05")


def test_lines_where_it_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as display:
        counted = display.add_task(r"onnx-int8 \[x]", total=None)
        done = display.add_task("over", total=2)
        display.update(done, completed=2)
        time.sleep(0.2)
        lines = capsys.readouterr().err.splitlines()
        assert lines
        assert all(re.fullmatch(r"onnx-int8 \[x\]: \d s", line) for line in lines), "what has ended is not told again"
        for number in range(1, 4):
            display.update(counted, total=10_000_000, completed=number)
            time.sleep(0.02)
        time.sleep(0.2)
        last = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"onnx-int8 \[x\]: 3 of 10000000 in \d s, about \d+\.\d h left", last)
    time.sleep(0.08)
    assert capsys.readouterr().err == "", "it ends with its block"


def test_a_terminal_has_its_bar_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress() as display:
        display.add_task("measuring", total=3)
        time.sleep(0.12)
    written = capsys.readouterr().err
    assert "0/3" in written
    assert "0 of 3" not in written


def test_an_estimate_is_for_what_is_long(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LINE_EVERY)
    say_estimate(9.0, of="short")
    assert capsys.readouterr().err == ""
    say_estimate(160 * 0.4, of="8 settings in 20 rounds")
    assert capsys.readouterr().err == "8 settings in 20 rounds: 64 s at least\n"


@pytest.mark.parametrize(("every", "lines"), [("0", 0), ("5", 1), ("soon", 0)])
def test_the_environment_says_how_often(
    every: str, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LINE_EVERY, every)
    say_estimate(9.0, of="measuring")
    with progress() as display:
        display.add_task("measuring", total=None)
        time.sleep(0.1)
    assert len(capsys.readouterr().err.splitlines()) == lines
