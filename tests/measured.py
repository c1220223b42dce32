"""Coverage of isolated tasks: the process that forks them imports this, and each starts coverage as it begins.

It does not measure itself, nor what it forks to watch a task: a start and an end of coverage are a third of what a short task costs.
"""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS = Path(__file__).with_name("coverage.toml")
_SERVER = os.getpid()


def _start() -> None:
    if os.getppid() == _SERVER:  # What watches a task.
        return
    import coverage

    os.environ["COVERAGE_PROCESS_START"] = str(SETTINGS)
    coverage.process_startup(force=True)


os.register_at_fork(after_in_child=_start)
