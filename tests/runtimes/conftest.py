from __future__ import annotations

import fcntl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.commands import PATH
from tests.runtimes.nets import NETS, here, seeded
from toolkit.core import Artifact, Format, run_isolated

NAMES = ("cnn", "two", "tokens")


@pytest.fixture(scope="session")
def bundles(common_folder: Path) -> dict[str, dict[Format, Artifact]]:
    """The artifacts of each net, converted once a run.

    The exporters run in isolated tasks, where their warnings and messages are nobody's; TensorFlow's beside the others.
    """
    folder = common_folder / "nets"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            formats = {Format.KERAS, Format.SAVEDMODEL} & set(here())
            payloads = [{"folder": str(folder), "names": NAMES, "formats": sorted(part)} for part in (set(here()) - formats, formats)]
            make = partial(run_isolated, "tests.runtimes.nets:make", environment={"PYTHONWARNINGS": "ignore", "PYTHONPATH": PATH})
            with ThreadPoolExecutor() as pool:
                list(pool.map(make, payloads))
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
