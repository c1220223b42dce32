from __future__ import annotations

import os

import pytest

from toolkit.runtimes._quiet import quiet


def test_greetings_are_dropped_and_everything_else_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nsomebody's message\nI0000 00:00:1.2 3 port.cc:1] hello\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "somebody's message\nafter\n"


def test_an_error_inside_leaves_standard_error_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), quiet():
        raise ValueError("inside")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
