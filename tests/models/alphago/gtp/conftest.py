from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def gnugo() -> Callable[[int], list[str]]:
    """The command of GNU Go at a level, counting like Tromp and Taylor."""
    path = shutil.which("gnugo") or next((name for name in ("/usr/games/gnugo",) if Path(name).exists()), None)
    if path is None:
        pytest.skip("GNU Go is not installed: apt-get install gnugo")
    rules = ("--chinese-rules", "--positional-superko", "--capture-all-dead", "--never-resign")
    return lambda level: [path, "--mode", "gtp", "--level", str(level), *rules]
