"""The good files, made once a run."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from tests.fuzz.seeds import Seeds, make_seeds


@pytest.fixture(scope="session")
def seeds(common_folder: Path) -> Seeds:
    with (common_folder / "fuzz.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return make_seeds(common_folder / "fuzz-seeds")
