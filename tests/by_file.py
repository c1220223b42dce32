"""How tests are given to the workers of xdist: a file's tests to one worker, which makes what they share once. A plug-in of pytest."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

CRASHED = "crashed"
"""What a test is called in whose first run its worker ended."""
_FAULTS = "TOOLKIT_TESTS_FAULTS"
"""The variable that names the folder of what workers say of their crashes."""
# What the tests of this folder share is made by each worker that runs one of them.
TOGETHER = ("tests/pipeline/debug/",)


class ByFile(LoadScopeScheduling):
    """A file's tests run in one worker; those of a folder of `TOGETHER` too.

    xdist's own groups are none with pytest 9: it marks a test by `item._nodeid`, which pytest no longer reads.
    """

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self.crashed: list[str] = []
        """Tests in which a worker has ended, as often as it has."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), nodeid.partition("::")[0])

    def _reschedule(self, node: WorkerController) -> None:
        """A worker runs a test only where it knows the next one, or that there is none: one test alone stays where it is.

        One that takes the place of a crashed one gets tests once it has collected; then this is called again. xdist gives it some earlier,
        where two had crashed at a time: the run ended in a `KeyError`.
        """
        if self.workqueue and node not in self.registered_collections:
            return
        super()._reschedule(node)
        if not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            self._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker has ended: give the rest of its tests to others, the one that it crashed in too if that is its first crash; returns that
        one, None where all are done.

        xdist gives away also the files whose tests are all done. A worker that gets one of them runs nothing, so that it never asks for
        more: the run stood still until its time was over. And it runs the test again that crashed, as often as it crashes.
        """
        files = self.assigned_work.pop(node)
        crashed = next((test for tests in files.values() for test, done in tests.items() if not done), None)
        for file, tests in files.items():
            if crashed in tests:
                tests[crashed] = crashed in self.crashed
            if not all(tests.values()):
                self.workqueue[file] = tests
        self.crashed += [crashed] if crashed else []
        for other in self.nodes:
            self._reschedule(other)
        return crashed


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest, in the process that distributes the tests and in the workers: a crash leaves the stack of Python's threads in a
    file. What faulthandler writes to a worker's standard error is lost.
    """
    if hasattr(config, "workerinput"):
        file = (Path(os.environ[_FAULTS]) / str(os.getpid())).open("w")
        config.add_cleanup(file.close)
        config.add_cleanup(faulthandler.disable)
        faulthandler.enable(file)
    else:
        folder = tempfile.TemporaryDirectory(prefix="toolkit-faults-")
        os.environ[_FAULTS] = folder.name
        config.add_cleanup(folder.cleanup)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Called by xdist."""
    return ByFile(config, log)


def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """Called by xdist where a worker has ended: a crash says how."""
    if error:
        sys.stderr.write(f"\n{node.gateway.id}: {how_it_ended(node)}\n")


def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: ByFile) -> None:
    """Called by xdist. Engines that others wrote crash beside each other once in many runs, in whichever test it may be: one that passes
    in another worker has not failed, and the summary counts the crash. One that crashes again has.
    """
    if sched.crashed.count(crashitem) == 1:
        report.outcome = CRASHED  # type: ignore[assignment] # As plug-ins that run tests again have outcomes of their own.


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Called by pytest."""
    for report in terminalreporter.stats.get(CRASHED, ()):
        terminalreporter.write_line(f"CRASHED {report.longrepr}; it was run again in another worker")


def how_it_ended(node: WorkerController) -> str:
    """What is known of the end of a worker that crashed, beside what faulthandler has written."""
    process: subprocess.Popen[bytes] = node.gateway._io.popen  # Nothing public tells it.
    try:
        code = process.wait(10)
    except subprocess.TimeoutExpired:
        return "it still runs, and does not answer: something has closed its channel"
    with contextlib.suppress(ValueError):
        said = (Path(os.environ[_FAULTS]) / str(process.pid)).read_text(encoding="utf-8", errors="replace")
        return f"it was ended by {signal.Signals(-code).name}; {_memory()}\n{said}"
    return f"its exit code was {code}"


def _memory() -> str:
    """How often this machine has ended a process for want of memory, and what is free."""
    counts = dict(line.split()[:2] for line in Path("/proc/vmstat").read_text(encoding="utf-8").splitlines())
    sizes = dict(line.split()[:2] for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines())
    free = int(sizes["MemAvailable:"]) / 2**20
    return f"killed for want of memory since the machine's start: {counts.get('oom_kill')}; free: {free:.1f} GiB"
