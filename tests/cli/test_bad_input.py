"""Bad input: one clear line, exit code 2, nothing half-written; Ctrl-C leaves only what is whole."""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.commands import Commands
from tests.conftest import Trained
from tests.tiny import FEATURES, as_trained, tiny_artifact, with_parity
from toolkit.core import MANIFEST, Bundle, Precision
from toolkit.pipeline.source.remembered import REMEMBERED


def run(*words: str | Path, folder: Path, cache: str | None = "cache") -> subprocess.CompletedProcess[str]:
    """The command in `folder`, with a cache of its own there; None is the cache that all tests share."""
    command = [sys.executable, "-m", "toolkit", *map(str, words)]
    environment = dict(os.environ) if cache is None else {**os.environ, "TOOLKIT_CACHE": str(folder / cache)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Commands whose process is not the point: one runs them all, with a cache of its own."""
    worker = Commands({"TOOLKIT_CACHE": str(tmp_path_factory.mktemp("commands") / "cache")})
    yield worker
    worker.close()


def assert_refused(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A bundle with one artifact that passed, and good and bad inputs beside it."""
    with_parity(tiny_artifact(tmp_path / "net"))
    shutil.copyfile(tmp_path / "net" / "onnx-fp32" / "model.onnx", tmp_path / "good.onnx")
    (tmp_path / "bad.toml").write_text('name = "int8-a"\nprecision = "int8"\nrangs = "minmax"\n')
    (tmp_path / "one.toml").write_text('name = "int8-a"\nprecision = "int8"\nsymmetric = true\n')
    (tmp_path / "two.json").write_text('{"name": "int8-a", "precision": "int8", "per_channel": false}')
    (tmp_path / "deep.toml").write_text("keep_float = " + "[" * 10_000)
    np.save(tmp_path / "x.npy", np.zeros((3, 64), np.float32))
    np.save(tmp_path / "double.npy", np.zeros((3, 64)))
    np.save(tmp_path / "wide.npy", np.zeros((3, 65), np.float32))
    np.savez(tmp_path / "empty.npz", x=np.zeros((0, 64), np.float32))
    np.savez(tmp_path / "wide.npz", x=np.zeros((9, 65), np.float32))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["convert", "nothing.onnx"], ["no model file", "expected an existing file"]),
        (["convert", "nothing"], ["unknown model 'nothing'", "cnn", "there is no such file or folder"]),
        (["convert", "cnn"], ["not trained yet", "toolkit train cnn"]),
        (["convert", "net", "--to", "onxx"], ["unknown format 'onxx'", "did you mean 'onnx'"]),
        (["convert", "net", "--precision", "int9"], ["unknown precision 'int9'", "did you mean 'int8'"]),
        (["convert", "net", "--recipe", "int8-entropi"], ["unknown recipe 'int8-entropi'", "or a file ending in .toml or .json"]),
        (["convert", "net", "--recipe", "bad.toml"], ["'bad.toml' is no recipe: Object contains unknown field `rangs`", "--schema"]),
        (["convert", "net", "--recipe", "nothing.json"], ["cannot read recipe 'nothing.json'", "No such file"]),
        (["convert", "net", "--recipe", "int8,net.toml,int8"], ["cannot read recipe 'net.toml'"]),
        (["convert", "net", "--recipe", "one.toml,two.json"], ["--recipe: expected recipes of different names, got int8-a, int8-a"]),
        (["optimize", "net", "--recipe", "deep.toml"], ["'deep.toml' is no recipe: nested too deeply"]),
        (["recipes", "int9"], ["unknown recipe 'int9'"]),
        (["recipes", "int9", "--json"], ["unknown recipe 'int9'"]),
        (["convert", "net"], ["no data are known", "--data"]),
        (["convert", "net", "--data", "digitz"], ["unknown data set", "did you mean 'digits'"]),
        (["convert", "net", "--data", "empty.npz"], ["are empty"]),
        (["convert", "net", "--data", "wide.npz"], ["expected x:float32[batch,64]", "float32[9,65]"]),
        (["convert", "good.onnx", "--data", "empty.npz"], ["are empty"]),
        (["convert", "good.onnx", "--data", "wide.npz"], ["expected x:float32[batch,64]", "float32[9,65]"]),
        (["convert", "good.onnx", "--data", "digits"], ["do not fit the model's input"]),
        (["convert", "weights.pt"], ["holds weights, not a model", "--weights weights.pt"]),
        (["train", "cnm"], ["unknown model 'cnm'", "did you mean 'cnn'"]),
        (["run", "net", "--input", "nothing.npy"], ["no samples at"]),
        (["run", "net", "--input", "y=x.npy"], ["wrong input names", "expected x", "got y"]),
        (["run", "net", "--input", "double.npy"], ["wrong dtype", "expected float32", "got float64"]),
        (["run", "net", "--input", "wide.npy"], ["wrong shape", "expected [batch, 64]", "got [3, 65]"]),
        (["run", "net", "--input", "x.npy", "--device", "gpu"], ["device 'gpu'", "toolkit doctor"]),
        (["run", "net", "--input", "x.npy", "--device", "tpu"], ["unknown device 'tpu'"]),
        (["run", "net/onnx-fp32", "--input", "x.npy", "--engine", "onnx"], ["unknown engine 'onnx'", "did you mean 'onnxruntime'"]),
        (["inspect", "net"], ["is not an artifact folder (manifest.json not found)"]),
        (["verify", "nothing"], ["there is no such file or folder"]),
        (["benchmark", "missing.onnx"], ["no model file 'missing.onnx'"]),
    ],
)
def test_one_clear_line(net: Path, commands: Commands, words: list[str], parts: list[str]) -> None:
    before = sorted(path.name for path in net.iterdir())
    # An `.onnx` bundle of a trained model is a source too: its manifest must not name a root.
    manifest = net / "net" / "onnx-fp32" / MANIFEST
    manifest.write_text(manifest.read_text().replace('"root": "trained"', '"root": ""'))
    assert_refused(commands.run(*words, folder=net), *parts)
    assert sorted(path.name for path in net.iterdir()) == before


_TARGETS: dict[str, tuple[np.ndarray, str]] = {
    "one-hot": (np.eye(40, 10, dtype=np.float32), "got float32[40,10]; of one-hot rows"),
    "float": (np.arange(40) % 10 / 1, "got float64[40]; of whole numbers"),
    "mask": (np.zeros((40, 8, 8), np.int64), "got int64[40,8,8]"),
    "unknown": (np.arange(40) % 11, "unknown labels: expected 0 to 9, got 10"),
}


_WITH_DATA = ("verify", "quantize", "optimize", "evaluate", "benchmark", "bundle", "debug")


@pytest.mark.parametrize(("command", "kind"), [*(("convert", kind) for kind in _TARGETS), *((name, "one-hot") for name in _WITH_DATA)])
def test_every_command_refuses_targets_that_are_no_labels_before_any_work(
    tmp_path: Path, commands: Commands, command: str, kind: str
) -> None:
    root = as_trained(tiny_artifact(tmp_path / "net"))
    made = tiny_artifact(tmp_path / "net", Precision.FP16)
    (made.path / MANIFEST).write_bytes(replace(made.manifest, root=root.manifest.content_sha256).to_json())
    targets, told = _TARGETS[kind]
    np.savez(tmp_path / "s.npz", x=np.random.default_rng(0).standard_normal((40, FEATURES)).astype(np.float32), targets=targets)
    paths = {
        "evaluate": ["net/onnx-fp16"],
        "debug": ["net/onnx-fp32", "net/onnx-fp16", "--out", "page"],
        "bundle": ["net", "--out", "b.zip"],
    }
    before = sorted(path for path in tmp_path.rglob("*"))
    assert_refused(commands.run(command, *paths.get(command, ["net"]), "--data", "s.npz", folder=tmp_path), "s.npz", told)
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", [("convert", "net", "--to", "onxx"), ("run", "net", "--input", "wide.npy"), ("inspect", "net/onnx-fp32")])
def test_a_process_of_its_own_says_the_same(net: Path, commands: Commands, words: tuple[str, ...]) -> None:
    alone, together = run(*words, folder=net), commands.run(*words, folder=net)
    assert (alone.returncode, alone.stdout, alone.stderr) == (together.returncode, together.stdout, together.stderr)


def test_click_tells_a_wrong_command_with_the_nearest(tmp_path: Path) -> None:
    result = run("convrt", folder=tmp_path)
    assert result.returncode == 2
    assert "Did you mean 'convert'?" in result.stderr


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
@pytest.mark.parametrize("content", [b"", b"no model at all"])
def test_a_file_that_is_no_model(tmp_path: Path, commands: Commands, suffix: str, content: bytes) -> None:
    (tmp_path / f"bad{suffix}").write_bytes(content)
    assert_refused(commands.run("convert", f"bad{suffix}", "--data", "digits", folder=tmp_path), f"bad{suffix}")
    assert not (tmp_path / "artifacts").exists()


def test_a_truncated_model(net: Path, commands: Commands) -> None:
    content = (net / "net" / "onnx-fp32" / "model.onnx").read_bytes()
    (net / "cut.onnx").write_bytes(content[: len(content) // 2])
    assert_refused(commands.run("run", "cut.onnx", "--input", "x.npy", folder=net), "cut.onnx")


def test_a_changed_file(net: Path, commands: Commands) -> None:
    model = net / "net" / "onnx-fp32" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    assert_refused(commands.run("inspect", "net/onnx-fp32", folder=net), "not the file its manifest describes", "expected SHA-256")


def test_a_pickle_is_not_opened(tmp_path: Path, commands: Commands) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'sprung'}",)

    (tmp_path / "w.pt").write_bytes(pickle.dumps(Trap()))
    assert_refused(commands.run("convert", "cnn", "--weights", "w.pt", "--data", "digits", folder=tmp_path), "w.pt")
    assert not (tmp_path / "sprung").exists()


def test_weights_that_are_not_finite(tmp_path: Path, commands: Commands) -> None:
    from safetensors.torch import save_file

    from tests.models.contract import image_model

    state = image_model("cnn").build((1, 8, 8), 10).state_dict()
    name = next(iter(state))
    state[name].view(-1)[0] = float("nan")
    save_file(state, tmp_path / "w.safetensors")
    assert_refused(commands.run("convert", "cnn", "--weights", "w.safetensors", "--data", "digits", folder=tmp_path), "NaN", name)


def test_a_folder_that_cannot_be_written(net: Path, commands: Commands) -> None:
    (net / "file").write_text("")
    assert_refused(commands.run("train", "cnn", "--epochs", "1", "--out", "file/deeper", folder=net), "cannot write")


def test_a_full_disk(tmp_path: Path) -> None:
    run("data", "digits", folder=tmp_path)
    # No file may be larger than 20 KiB. The signal would end the process: ignored, a write beyond the limit fails as on a full disk.
    limited = f"trap '' XFSZ; ulimit -f 20; exec {sys.executable} -m toolkit train cnn --epochs 1 --out out"
    # Coverage's own file would hit the limit too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment["TOOLKIT_CACHE"] = str(tmp_path / "cache")
    command = ["bash", "-c", limited]
    assert_refused(subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False), "cannot write")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.fixture
def trained(trained_cnn: Trained, tmp_path: Path) -> Path:
    """A folder in which the cnn was trained; its conversions are not in the cache that `run` uses there."""
    shutil.copytree(trained_cnn.bundle / "pt2-fp32", tmp_path / "artifacts" / "cnn" / "pt2-fp32")
    return tmp_path


def test_ctrl_c_leaves_only_what_is_whole_and_the_next_run_goes_on(trained: Path) -> None:
    tmp_path = trained
    environment = {**os.environ, "TOOLKIT_CACHE": str(tmp_path / "cache")}
    words = ["convert", "artifacts/cnn", "--to", "onnx", "--precision", "fp32,int8", "--evaluation", "200", "--max-drop", "50"]
    child = subprocess.Popen(
        [sys.executable, "-m", "toolkit", *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(2.0)
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert "Traceback" not in errors
    assert "interrupted" in errors
    for folder in (tmp_path / "artifacts" / "cnn").iterdir():
        # What the bundle remembers is written before the first step.
        assert folder.name in {"logs", "training", REMEMBERED} or (folder / MANIFEST).is_file(), folder
    again = run(*words, folder=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert {a.name for a in Bundle.load(tmp_path / "artifacts" / "cnn")} == {"pt2-fp32", "onnx-fp32", "onnx-int8"}


def test_one_target_that_fails_does_not_stop_the_others(trained: Path) -> None:
    # No drop at all can be shown on fifty samples, so int8 does not pass; fp32 does.
    words = ("--to", "onnx", "--precision", "fp32,int8", "--evaluation", "50", "--max-drop", "0")
    result = run("convert", "artifacts/cnn", *words, folder=trained, cache=None)
    assert result.returncode == 1
    assert "undecided" in result.stdout or "failed" in result.stdout
    assert "passed" in result.stdout
    slow = run("convert", "artifacts/cnn", "--to", "tflite", "--precision", "fp32", "--timeout", "1.0", folder=trained)
    assert slow.returncode == 1
    assert "took longer than 1 s and was stopped" in " ".join(slow.stdout.split())


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m toolkit models | head -1"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.stderr == ""
