"""The engine for web pages in a real process of Node, beyond the contract: threads, what is missing or broken, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.runtimes.contract import random_inputs
from tests.tiny import tiny_artifact
from toolkit.core import Artifact, EngineError, Format, MissingDependencyError
from toolkit.runtimes import SessionOptions, find_runtime

ENGINE = find_runtime("onnxruntime-web-node")
ONE = SessionOptions(threads=1)
SCRIPT = """
import sys, time
from pathlib import Path
import psutil
from toolkit.runtimes import SessionOptions, find_runtime

session = find_runtime("onnxruntime-web-node").open(Path(sys.argv[1]), SessionOptions(threads=2))
print(*[child.pid for child in psutil.Process().children()], flush=True)
time.sleep(300)
"""


@pytest.fixture(autouse=True)
def _installed() -> None:
    if absent := ENGINE.missing():
        pytest.skip(f"{absent}; run: {ENGINE.install_command()}")


def test_two_threads_compute_the_same_and_are_read_back(bundles: dict[str, dict[Format, Artifact]]) -> None:
    artifact = bundles["cnn"][Format.ONNX]
    inputs = random_inputs(artifact.manifest.signature, 32)
    with ENGINE.open(artifact, ONE) as one, ENGINE.open(artifact, SessionOptions(threads=2)) as two:
        assert (one.actual.threads, two.actual.threads) == (1, 2)
        assert two.actual.detail.startswith("Node ")
        np.testing.assert_allclose(two.run(inputs)[0], one.run(inputs)[0], atol=1e-5)


def test_an_input_that_the_model_does_not_take_is_one_line(bundles: dict[str, dict[Format, Artifact]]) -> None:
    with ENGINE.open(bundles["tokens"][Format.ONNX], ONE) as session:
        with pytest.raises(EngineError, match="onnxruntime-web-node failed") as caught:
            session.run(np.full((1, 7), 99, np.int64))  # No such row of the embedding.
        assert "\n" not in str(caught.value)
        assert session.run(np.zeros((1, 7), np.int64))[0].shape == (1, 3)


def test_without_node_the_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"not installed: Node; run: apt-get install nodejs$"):
        ENGINE.open(tiny_artifact(tmp_path / "bundle"))


def other_node(folder: Path, monkeypatch: pytest.MonkeyPatch, *, version: str) -> None:
    """A Node first on the path that has this version, and cannot read a script."""
    script = folder / "node"
    script.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo {version} && exit\necho 'SyntaxError: Unexpected token' >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_a_node_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other_node(tmp_path, monkeypatch, version="v12.22.9")
    with pytest.raises(
        MissingDependencyError, match=r"complete: Node is at version 12.22.9, where >=18 is needed; run: apt-get install nodejs"
    ):
        ENGINE.open(tiny_artifact(tmp_path / "bundle"))


def test_a_node_that_is_broken_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other_node(tmp_path, monkeypatch, version="v20.1.0")
    with pytest.raises(EngineError, match="Node ended: SyntaxError: Unexpected token") as caught:
        ENGINE.open(tiny_artifact(tmp_path / "bundle"), ONE)
    assert "\n" not in str(caught.value)


def test_a_process_that_died_is_the_engines_error(bundles: dict[str, dict[Format, Artifact]]) -> None:
    artifact = bundles["cnn"][Format.ONNX]
    with ENGINE.open(artifact, ONE) as session:
        (child,) = [each for each in psutil.Process().children() if "node.js" in " ".join(each.cmdline())]
        child.kill()
        with pytest.raises(EngineError, match="Node ended"):
            session.run(random_inputs(artifact.manifest.signature, 1))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(tiny_artifact(tmp_path / "bundle").model_file)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert child.stdout is not None
    (started,) = map(psutil.Process, map(int, child.stdout.readline().split()))
    child.send_signal(number)
    child.communicate(timeout=60)
    psutil.wait_procs([started], timeout=60)
    assert not started.is_running()
