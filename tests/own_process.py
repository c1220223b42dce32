"""Tests that call TensorFlow run in a process of their own: one for each worker, which imports it once.

Beside the other frameworks that a worker has imported by then TensorFlow sometimes ends the process, and with it all tests that were
left to it. A test marked ``tensorflow`` is collected here as any other and run there, by a pytest that waits for names of tests; its
reports come back as those of an xdist worker do. A crash is a failure of the test that crashed, and the next one gets a new process.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import pytest

MARK = "tensorflow"
COMMON = "TOOLKIT_TESTS_COMMON"
"""The variable that names the folder which all workers share."""
_CHANNEL = "TOOLKIT_TESTS_CHANNEL"
"""The variable that tells the number of the socket; it is set in such a process only."""
_STOP_S = 120.0


def is_own_process() -> bool:
    """Whether this is such a process, where TensorFlow may be imported."""
    return _CHANNEL in os.environ


def needs_tensorflow(distributions: Collection[str]) -> bool:
    """Whether TensorFlow is one of these distributions."""
    return "tensorflow" in distributions


class CrashError(Exception):
    """The process ended before it had answered; the text says how, with its last lines."""


class Other:
    """The other process, started with the first test that it is asked for."""

    def __init__(self, files: list[str], *, root: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._files, self._root, self._folder, self._environment = files, root, folder, environment
        self._child: subprocess.Popen[bytes] | None = None
        self._stream: TextIO | None = None

    def reports(self, item: str, following: str | None) -> Iterator[dict[str, Any]]:
        """Run a test; yields its reports as pytest serializes them. Raises `CrashError`."""
        stream = self._stream or self._start()
        try:
            stream.write(json.dumps([item, following]) + "\n")
            stream.flush()
            while (line := stream.readline()) and (report := json.loads(line)) is not None:
                yield report
        except OSError:
            line = ""
        if not line:
            raise CrashError(self._ending())

    def stop(self) -> None:
        """Let it tear down what its tests share; one that does not is killed."""
        if self._child is None or self._stream is None:
            return
        with contextlib.suppress(OSError):  # It has ended already, and what it was asked for is still to be sent.
            self._stream.close()
        try:
            self._child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = self._stream = None

    def _start(self) -> TextIO:
        ours, theirs = socket.socketpair()
        shutil.rmtree(self._folder, ignore_errors=True)
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "-q", f"--basetemp={self._folder}"]
        # TensorFlow's stand-ins for the CUDA libraries answer a torch that is built for CUDA, with an error instead of "no GPU".
        environment = {**os.environ, **self._environment, _CHANNEL: str(theirs.fileno()), "CUDA_VISIBLE_DEVICES": ""}
        with self._folder.with_suffix(".log").open("wb") as log, theirs:
            self._child = subprocess.Popen(
                [*command, *self._files],
                cwd=self._root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )
        with ours:
            self._stream = ours.makefile("rw")
        return self._stream

    def _ending(self) -> str:
        assert self._child is not None
        code = self._child.wait()
        self.stop()
        return (
            f"the process with TensorFlow ended with code {code}:\n{self._folder.with_suffix('.log').read_text(errors='replace')[-4000:]}"
        )


class Asking:
    """The plugin of a worker: sends marked tests to the other process, and lets none but them import TensorFlow."""

    def __init__(self) -> None:
        self._other: Other | None = None
        self._told = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Called by pytest."""
        marked = [item for item in items if item.get_closest_marker(MARK)]
        for item in marked:
            item.add_marker(pytest.mark.timeout(0))  # The other process has a clock of its own.
        folder: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        common = (folder.parent if hasattr(config, "workerinput") else folder) / "common"
        environment = {COMMON: str(common)} | coverage(config)
        self._other = Other(
            sorted({str(item.path) for item in marked}), root=config.rootpath, folder=folder / MARK, environment=environment
        )

    def pytest_collection_finish(self) -> None:
        """Called by pytest."""
        if "tensorflow" in sys.modules:
            raise pytest.UsageError("a test module imports TensorFlow: import it in the tests that need it, and mark them")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Called by pytest."""
        if item.get_closest_marker(MARK) is None:
            return None
        assert self._other is not None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        try:
            for data in self._other.reports(item.nodeid, nextitem.nodeid if nextitem else None):
                if isinstance(data.get("longrepr"), list):
                    data["longrepr"] = tuple(data["longrepr"])  # JSON has made a list of where and why a test was skipped.
                report = item.config.hook.pytest_report_from_serializable(config=item.config, data=data)
                item.ihook.pytest_runtest_logreport(report=report)
        except CrashError as crash:
            told = pytest.TestReport(item.nodeid, item.location, {}, "failed", str(crash), "call")
            item.ihook.pytest_runtest_logreport(report=told)
        # What tests of the same file have left in this process.
        teardown = pytest.CallInfo.from_call(lambda: item.session._setupstate.teardown_exact(nextitem), "teardown")
        if teardown.excinfo is not None:
            item.ihook.pytest_runtest_logreport(report=pytest.TestReport.from_item_and_call(item, teardown))
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Called by pytest."""
        if "tensorflow" in sys.modules and not self._told:
            self._told = True
            pytest.fail(f"{item.nodeid} has imported TensorFlow into a worker: mark it with pytest.mark.{MARK}", pytrace=False)

    def pytest_sessionfinish(self) -> None:
        """Called by pytest."""
        if self._other is not None:
            self._other.stop()


class Answering:
    """The plugin of the other process: runs the tests that it is asked for."""

    def __init__(self) -> None:
        with socket.socket(fileno=int(os.environ[_CHANNEL])) as channel:
            self._stream = channel.makefile("rw")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Called by pytest."""
        items = {item.nodeid: item for item in session.items}
        for line in iter(self._stream.readline, ""):
            name, following = json.loads(line)
            item = items[name]
            session._setupstate.teardown_exact(item)  # Where another test than the one that was announced comes next.
            keeps = items.get(following) or _beside(item, session.items)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=keeps)
            self._answer(None)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest."""
        self._answer(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Called by pytest."""
        self._config = session.config

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Called by pytest."""
        os._exit(0)  # Several frameworks in one process crash in their teardown.

    def _answer(self, report: dict[str, Any] | None) -> None:
        self._stream.write(json.dumps(report) + "\n")
        self._stream.flush()


def _beside(item: pytest.Item, items: list[pytest.Item]) -> pytest.Item | None:
    """Another test of the same file, or of any: what it shares with `item` stays."""
    others = [other for other in items if other is not item]
    return next((other for other in others if other.path == item.path), others[0] if others else None)


def coverage(config: pytest.Config) -> dict[str, str]:
    """The variables with which another process measures coverage as this run does: those that last only, since a start of it costs .2 s."""
    return {"COVERAGE_PROCESS_START": str(Path(__file__).with_name("coverage.toml"))} if getattr(config.option, "cov_source", None) else {}


def configure(config: pytest.Config) -> None:
    """Register the plugin of this process."""
    if is_own_process():
        config.pluginmanager.register(Answering())
    elif not getattr(config.option, "numprocesses", None):  # The one that only distributes tests runs none.
        config.pluginmanager.register(Asking())
