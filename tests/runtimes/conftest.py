from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.runtimes.nets import NETS, here, seeded
from toolkit.core import Artifact, Format

NAMES = ("cnn", "two", "tokens")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def bundles(common_folder: Path) -> dict[str, dict[Format, Artifact]]:
    """The artifacts of each net, converted once a run.

    The exporters run in a process of their own, where their warnings and messages are nobody's.
    """
    folder = common_folder / "nets"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            command = [sys.executable, "-W", "ignore", "-m", "tests.runtimes.nets", str(folder), *NAMES]
            child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            assert child.returncode == 0, child.stderr
            (folder / "done").touch()
    return {name: {format: Artifact.load(folder / name / f"{format}-fp32") for format in here()} for name in NAMES}


@pytest.fixture(scope="session")
def references() -> dict[str, Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]]:
    """Each net as plain eager PyTorch, the truth that every engine is compared with."""
    import torch

    def reference(name: str) -> Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]:
        module = seeded(NETS[name])

        def run(inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
            outputs = module(*(torch.from_numpy(array) for array in inputs.values()))
            return tuple(tensor.numpy() for tensor in (outputs if isinstance(outputs, tuple) else (outputs,)))

        return run

    return {name: reference(name) for name in NAMES}
