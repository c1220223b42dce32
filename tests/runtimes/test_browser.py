"""Engines in a real headless Chromium, beyond the contract: time, memory, what is missing or broken, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

import toolkit
from tests.core.test_needs import installed
from tests.runtimes.contract import random_inputs
from tests.runtimes.nets import NETS
from tests.tiny import tiny_artifact, tiny_samples, with_parity
from toolkit.core import Artifact, ArtifactError, EngineError, Format, MissingDependencyError
from toolkit.core.measurement import Protocol, Scenario, Setting
from toolkit.models.alphago.shipped import shipped_net
from toolkit.runtimes import SessionOptions, find_runtime
from toolkit.runtimes.benchmark import run_benchmark
from toolkit.runtimes.browser import LITERT, ONNXRUNTIME, ONNXRUNTIME_IN_NODE, ONNXRUNTIME_WEBGPU, find_gpu, install, missing, repair

ONE = SessionOptions(threads=1)
SCRIPT = """
import sys, time
from pathlib import Path
import psutil
from toolkit.runtimes import SessionOptions, find_runtime

def started():
    return " ".join(str(child.pid) for child in psutil.Process().children(recursive=True))

if __name__ == "__main__":
    runtime = find_runtime("onnxruntime-web")
    with runtime.open(Path(sys.argv[1]), SessionOptions(threads=1)):
        print(started(), flush=True)
        if sys.argv[2] == "wait":
            time.sleep(300)
    print(started(), flush=True)
"""


@pytest.fixture(autouse=True)
def _installed() -> None:
    if absent := missing():
        pytest.skip(f"{absent}; run: {repair()}")


WEB = [("onnxruntime-web", Format.ONNX), ("onnxruntime-web-node", Format.ONNX), ("litert-js", Format.TFLITE)]


@pytest.mark.parametrize(("engine", "format"), WEB)
def test_a_session_tells_the_engines_own_time_and_memory(bundles: dict[str, dict[Format, Artifact]], engine: str, format: Format) -> None:
    inputs = NETS["cnn"].inputs(4)
    with find_runtime(engine).open(bundles["cnn"][format], ONE) as session:
        session.run(inputs)
        before, start = session.clock(), time.perf_counter_ns()
        for _ in range(20):
            session.run(inputs)
        assert 0 < session.clock() - before < time.perf_counter_ns() - start
        held = session.memory_bytes()
        assert held is not None
        assert 1 << 20 < held < 1 << 30


@pytest.mark.parametrize("net", ["cnn", "two", "tokens"])
def test_webgpu_computes_the_same_and_says_where(bundles: dict[str, dict[Format, Artifact]], net: str) -> None:
    runtime, artifact = find_runtime("onnxruntime-web"), bundles[net][Format.ONNX]
    if (gpu := find_gpu()) is None:
        pytest.skip("this browser has no WebGPU")
    inputs = random_inputs(artifact.manifest.signature, 3)
    with runtime.open(artifact, ONE) as cpu, runtime.open(artifact, SessionOptions(threads=1, device="gpu")) as session:
        assert session.actual.device == "gpu"
        assert f"WebGPU on {gpu.name}{', software' if gpu.is_software else ''}; " in session.actual.detail
        assert ("WebGPU" in cpu.actual.detail, cpu.actual.device) == (False, "cpu")
        for found, expected in zip(session.run(inputs), cpu.run(inputs), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-3)
    assert runtime.devices().index("gpu") == (1 if gpu.is_software else 0), "nobody gets a GPU in software unasked"


@pytest.mark.parametrize(("precision", "placement"), [("fp32", "all nodes there"), ("int8", "some nodes on the processor")])
def test_webgpu_says_how_much_is_there(precision: str, placement: str) -> None:
    if find_gpu() is None:
        pytest.skip("this browser has no WebGPU")
    artifact = Artifact.load(shipped_net("go-5x5") / f"onnx-{precision}")
    with find_runtime("onnxruntime-web").open(artifact, SessionOptions(threads=1, device="gpu")) as session:
        assert session.actual.detail.endswith(f"; {placement}")


def test_memory_grows_with_the_batch(bundles: dict[str, dict[Format, Artifact]]) -> None:
    with find_runtime("onnxruntime-web").open(bundles["cnn"][Format.ONNX], ONE) as session:
        session.run(NETS["cnn"].inputs(1))
        small = session.memory_bytes() or 0
        session.run(NETS["cnn"].inputs(8000))
        assert (session.memory_bytes() or 0) > small + (8 << 20)


def test_a_benchmark_has_the_browsers_figures_and_refuses_several_streams(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path)
    tiny_samples().save(tmp_path / "inputs.npz")
    setting = Setting(str(artifact.path), artifact.name, artifact.manifest.content_sha256, "onnxruntime-web", threads=1)
    streams = replace(setting, scenario=Scenario.OFFLINE, streams=2, threads=2)
    protocol = Protocol(rounds=1, min_seconds=0.05, min_calls=20, warmup_seconds=0.01, warmup_calls=3)
    one, several = run_benchmark([setting, streams], inputs=tmp_path / "inputs.npz", protocol=protocol)
    assert one.ok, one.reason
    (round_,) = one.rounds
    assert round_.calls >= 20
    assert 0 < round_.median_ns < 5e6
    assert 1 << 20 < round_.memory_bytes < 1 << 30
    assert "Chromium" in str(one.actual["detail"])
    assert "2 streams" in several.reason


def test_a_part_that_is_missing_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runtime = find_runtime("onnxruntime-web")
    artifact = tiny_artifact(tmp_path / "bundle")
    monkeypatch.setenv("TOOLKIT_CHROMIUM", "no-such-browser")
    with pytest.raises(MissingDependencyError, match=r"not installed: Chromium; run: apt-get install chromium$"):
        runtime.open(artifact)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingDependencyError, match=r"Chromium, the npm packages; run: .* && toolkit doctor --install browser$"):
        runtime.open(artifact)
    assert (runtime.is_installed(), runtime.version()) == (False, "")


def test_a_part_that_is_too_old_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path / "old", "playwright", "1.2.3"))
    wanted = r"not complete: the Python package playwright is at version 1.2.3, where >=1.50 is needed; run: pip install .*browser\].*'$"
    with pytest.raises(MissingDependencyError, match=wanted):
        find_runtime("onnxruntime-web").open(tiny_artifact(tmp_path / "bundle"))


def test_a_browser_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("TOOLKIT_CHROMIUM", str(broken))
    with pytest.raises(EngineError, match=r"chromium' does not start: .*; run: apt-get install --reinstall chromium") as caught:
        find_runtime("onnxruntime-web").open(tiny_artifact(tmp_path / "bundle"), ONE)
    assert "\n" not in str(caught.value)


def test_an_installation_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    with monkeypatch.context() as unreachable:
        unreachable.setenv("npm_config_registry", "http://127.0.0.1:9/")
        unreachable.setenv("npm_config_fetch_retries", "0")
        unreachable.setenv("npm_config_cache", str(tmp_path / "npm"))
        with pytest.raises(MissingDependencyError, match="npm could not install") as caught:
            install()
    assert "\n" not in str(caught.value)
    assert list(tmp_path.glob("cache/**/*.*")) == []
    steps: list[str] = []
    folder = install(steps.append)
    assert steps
    engines = (ONNXRUNTIME, ONNXRUNTIME_WEBGPU, ONNXRUNTIME_IN_NODE, LITERT)
    kept = {path for engine in engines for path in engine.installed_files().values() if path.is_relative_to(folder)}
    assert kept == {path for path in folder.rglob("*") if path.is_file()}
    assert min(path.stat().st_size for path in kept) > 0
    steps.clear()
    assert install(steps.append) == folder
    assert steps == [], "what is there is not fetched again"


def _child(script: Path, artifact: Artifact, what: str) -> subprocess.Popen[str]:
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(artifact.model_file), what]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)


def _gone(pids: list[int]) -> bool:
    def runs(pid: int) -> bool:
        try:
            return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    end = time.monotonic() + 30
    while time.monotonic() < end:
        if not any(map(runs, pids)):
            return True
        time.sleep(0.1)
    return False


def test_the_browser_ends_with_its_last_session(tmp_path: Path) -> None:
    child = _child(tmp_path / "script.py", tiny_artifact(tmp_path / "bundle"), "close")
    output, errors = child.communicate(timeout=120)
    during, after = output.split("\n")[:2]
    assert (child.returncode, errors) == (0, "")
    assert len(during.split()) > 3, "a driver and a browser with its helpers"
    assert _gone([int(pid) for pid in (during + after).split()])


@pytest.mark.parametrize("stop", ["kill", "ctrl-c", "kill the group"])
def test_a_process_that_ends_otherwise_leaves_no_browser(tmp_path: Path, stop: str) -> None:
    child = _child(tmp_path / "script.py", tiny_artifact(tmp_path / "bundle"), "wait")
    assert child.stdout is not None
    pids = [int(pid) for pid in child.stdout.readline().split()]
    assert len(pids) > 3
    ways: dict[str, Callable[[], None]] = {
        "kill": child.kill,
        "ctrl-c": lambda: os.killpg(child.pid, signal.SIGINT),
        "kill the group": lambda: os.killpg(child.pid, signal.SIGKILL),
    }
    ways[stop]()
    child.communicate(timeout=60)
    assert _gone(pids)


def test_an_input_that_the_model_does_not_take_is_the_engines_error(bundles: dict[str, dict[Format, Artifact]]) -> None:
    with find_runtime("onnxruntime-web").open(bundles["tokens"][Format.ONNX], ONE) as session:
        with pytest.raises(EngineError, match="onnxruntime-web failed") as caught:
            session.run(np.full((1, 7), 99, np.int64))  # No such row of the embedding.
        assert "\n" not in str(caught.value)
        assert session.run(np.zeros((1, 7), np.int64))[0].shape == (1, 3)


def test_an_app_gets_a_browser_only_by_name(tmp_path: Path) -> None:
    with_parity(tiny_artifact(tmp_path / "net"), engine="onnxruntime-web")
    with pytest.raises(ArtifactError, match="passed parity"):
        toolkit.load(tmp_path / "net")
    with toolkit.load(tmp_path / "net", engine="onnxruntime-web", threads=1) as session:
        assert session.actual.engine == "onnxruntime-web"
