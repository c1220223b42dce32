"""What all tests share: a cache of their own, and one trained net in every format."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Trained:
    """A bundle as the commands leave it, and what they printed as JSON."""

    bundle: Path
    train_json: str
    convert_json: str


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that the workers of xdist share."""
    root = tmp_path_factory.getbasetemp()
    folder = (root if worker_id == "master" else root.parent) / "common"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_test_touches_the_users_cache(common_folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_CACHE", str(common_folder / "cache"))
        yield


@pytest.fixture(scope="session")
def trained_cnn(common_folder: Path) -> Trained:
    """The cnn on digits after two epochs, in three formats, fp32 and int8: made once a run. Tests copy what they change."""
    folder = common_folder / "trained"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "convert.json").exists():
            _toolkit("train", "cnn", "--epochs", "2", "--out", folder, "--json", folder / "train.json")
            words = ("--precision", "fp32,int8", "--max-drop", "3", "--json", folder / "convert.json")
            _toolkit("convert", folder / "cnn", *words)
    return Trained(folder / "cnn", (folder / "train.json").read_text(), (folder / "convert.json").read_text())


def _toolkit(*words: str | Path) -> None:
    command = [sys.executable, "-m", "toolkit", *map(str, words)]
    result = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
