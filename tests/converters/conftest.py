"""Two small nets as .pt2 artifacts, and the first one in every format and precision: converted once a run."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.commands import PATH
from tests.converters import nets
from toolkit.converters.base import Node, Recipe
from toolkit.core import Artifact, Samples, run_isolated

if TYPE_CHECKING:
    from torch import nn

# The engines are called directly here; onnxruntime would report each import to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def digits() -> tuple[Samples, Samples]:
    """Calibration and evaluation samples ``[N, 1, 8, 8]`` float32 in [0, 1]; the first 1000 rows train the net."""
    return nets.digits()


@pytest.fixture(scope="session")
def trained() -> nn.Module:
    return nets.trained()


@pytest.fixture(scope="session")
def source(common_folder: Path) -> Artifact:
    folder = common_folder / "digits" / str(nets.START)
    with _locked(folder.parent):
        return Artifact.load(folder) if folder.exists() else nets.export_digits(folder)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return nets.digits_recipe()


@pytest.fixture(scope="session")
def made(source: Artifact, common_folder: Path) -> dict[Node, Artifact]:
    """The trained net as every kind of artifact; those of other frameworks are another net of the same signature."""
    return _made_once("digits", common_folder)


@pytest.fixture(scope="session")
def embedding() -> nn.Module:
    return nets.embedding()


@pytest.fixture(scope="session")
def two_inputs(common_folder: Path) -> dict[Node, Artifact]:
    """A net of two inputs, one of them int64, and two outputs whose order is not alphabetical, in each format in fp32."""
    return _made_once("embedding", common_folder)


@pytest.fixture(scope="session")
def detector(common_folder: Path) -> dict[Node, Artifact]:
    """A net whose outputs have parts with ranges of their own, in fp32 in the three formats that have static int8."""
    return _made_once("detector", common_folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _made_once(name: str, common: Path) -> dict[Node, Artifact]:
    """By the first of all processes that asks, in an isolated task, where the exporters' warnings are nobody's."""
    folder = common / name
    with _locked(folder):
        if not (folder / "done").exists():
            payload = {"name": name, "folder": str(folder)}
            run_isolated("tests.converters.nets:make", payload, environment={"PYTHONWARNINGS": "ignore", "PYTHONPATH": PATH})
            (folder / "done").touch()
    artifacts = [Artifact.load(path.parent) for path in sorted(folder.glob("*/manifest.json"))]
    return {Node(artifact.manifest.format, artifact.manifest.precision): artifact for artifact in artifacts}
