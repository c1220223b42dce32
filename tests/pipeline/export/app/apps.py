"""Small real networks for exported programs, and what builds and runs a program in each language."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import MANIFEST, Format, Manifest, Precision, Preprocessing, Signature, TensorSpec, new_folder, sha256_of
from toolkit.pipeline.export.app import all_languages
from toolkit.pipeline.export.app.js import _PICTURES
from toolkit.runtimes.browser import ONNXRUNTIME_IN_NODE

TRAINED = Path(__file__).parents[3] / "data" / "0.1.0" / "perceptron"
"""A bundle that was trained on digits."""
LANGUAGES = [language.name for language in all_languages()]
# A C++ compiler takes a quarter of a minute for each of these.
BUILT = [pytest.param(name, marks=pytest.mark.slow) if name == "cpp" else name for name in LANGUAGES]
NEEDED = {"python": (), "js": ("node", "npm"), "cpp": ("cmake", "g++", "make")}
_RUN = {"python": (sys.executable, "app.py"), "js": ("node", "app.js"), "cpp": ("build/app",)}


def need(language: str) -> None:
    """Skip where a program in it cannot be built."""
    for name in NEEDED[language]:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed; run: apt-get install {' '.join(NEEDED[language])}")


def call(words: tuple[str | Path, ...], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with this Python as the first and more variables."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}
    command = [str(word) for word in words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600)


def steps(folder: Path) -> list[str]:
    """The commands that the README of a program says."""
    return (folder / "README.md").read_text().partition("```console\n")[2].partition("\n```")[0].splitlines()


def packages(common: Path) -> Path:
    """The npm packages of every program, installed once a run; a test is skipped where npm cannot."""
    need("js")
    home = common / "apps-npm"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            wanted = {ONNXRUNTIME_IN_NODE.package: ONNXRUNTIME_IN_NODE.version, **_PICTURES}
            (home / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
            done = call(("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"), home)
            (home / "done").write_text("" if done.returncode == 0 else done.stderr)
        if problem := (home / "done").read_text():
            pytest.skip(f"npm could not install the packages; is its registry reachable? {problem.splitlines()[0]}")
    return home / "node_modules"


@functools.cache
def openvino_cmake() -> str:
    from openvino.utils import get_cmake_path

    return str(get_cmake_path())


def build(language: str, folder: Path, common: Path) -> None:
    """Do what the README says before the test; skip where that cannot be done here."""
    need(language)
    if language == "js":
        (folder / "node_modules").symlink_to(packages(common))
    if language == "cpp":
        pytest.importorskip("openvino")
        # Not Release: compiling takes most of the time.
        configured = call(("bash", "-c", steps(folder)[0]), folder, CMAKE_BUILD_TYPE="Debug")
        if "Could NOT find" in configured.stderr:
            pytest.skip("libpng or libjpeg is not installed; run: apt-get install libpng-dev libjpeg-dev")
        assert configured.returncode == 0, configured.stderr
        made = call(("bash", "-c", steps(folder)[1]), folder)
        assert made.returncode == 0, made.stdout + made.stderr
        assert "warning" not in made.stdout + made.stderr


def run(language: str, folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return call((*_RUN[language], *words), folder)


def own_test(folder: Path) -> subprocess.CompletedProcess[str]:
    """What the README says of the test."""
    return call(("bash", "-c", steps(folder)[-2]), folder)


def echo(
    bundle: Path, *specs: str, preprocessing: Preprocessing | None = None, labels: tuple[str, ...] = (), task: str = "", plus: float = 0
) -> Path:
    """An ONNX artifact each of whose outputs is an input of these: ``y_x`` is ``x``, or ``x + plus``."""
    from onnx import TensorProto, helper, numpy_helper, save

    parsed = [TensorSpec.parse(spec) for spec in specs]
    outs = [TensorSpec(f"y_{spec.name}", spec.dtype, spec.shape) for spec in parsed]
    kind = {
        spec.name: getattr(TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}.get(spec.dtype, spec.dtype.upper())) for spec in parsed
    }
    constants = [numpy_helper.from_array(np.array(plus, spec.dtype), f"plus_{spec.name}") for spec in parsed]
    nodes = [
        helper.make_node("Add", [spec.name, f"plus_{spec.name}"], [f"y_{spec.name}"])
        if plus
        else helper.make_node("Identity", [spec.name], [f"y_{spec.name}"])
        for spec in parsed
    ]
    graph = helper.make_graph(
        nodes,
        "echo",
        [helper.make_tensor_value_info(spec.name, kind[spec.name], list(spec.shape)) for spec in parsed],
        [helper.make_tensor_value_info(f"y_{spec.name}", kind[spec.name], list(spec.shape)) for spec in parsed],
        constants if plus else [],
    )
    folder = bundle / "onnx-fp32"
    with new_folder(folder) as work:
        file = work / Format.ONNX.file_name
        save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
        manifest = Manifest(
            "echo",
            Format.ONNX,
            Precision.FP32,
            Signature(tuple(parsed), tuple(outs)),
            {file.name: sha256_of(file)},
            "by hand",
            preprocessing=preprocessing,
            labels=labels,
            task=task,
        )
        (work / MANIFEST).write_bytes(manifest.to_json())
    return folder
