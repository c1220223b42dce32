"""What all tests share: a cache of their own, and one trained net in every format."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import by_file, own_process
from tests.commands import PATH
from toolkit.core import cache_home
from toolkit.core.forks import COLLECT, fork_server
from toolkit.core.threads import let_threads_sleep

ROOT = Path(__file__).parents[1]

# Kernels are compiled once for all runs: their folders are named after the sources. Before any test module imports them.
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_home() / "kernels"))

# Tests start hundreds of processes, each of which would compile the sources that it imports where the caller wants no files of that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

gc.set_threshold(*COLLECT)

# Two workers share the machine's processors with what they start: one thread each of torch where a test asks for no number, and none that
# spins while it waits. Before torch is first imported.
let_threads_sleep()
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The tests of these folders call libraries directly, whose warnings about themselves are named here by their texts.
CALL_LIBRARIES = ("tests/converters/", "tests/pipeline/debug/")
THIRD_PARTY = (
    "ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning",
    "ignore:Warning. Enabling `experimental_preserve_all_tensors` with the BUILTIN or AUTO op resolver:UserWarning",
)

# What isolated tasks import again and again: they are forked from one process that has done so. TensorFlow is not among them, nor what
# imports it: it crashes beside the others.
PRELOADED = (
    "torch", "torch.onnx", "onnx", "onnxscript", "onnxruntime", "onnxruntime.quantization", "openvino", "nncf", "litert_torch",
    "ai_edge_quantizer.quantizer", "ai_edge_litert.interpreter", "executorch.backends.xnnpack.partition.xnnpack_partitioner",
    "sklearn.datasets", "scipy.stats", "rich.progress",
    "toolkit.converters.planner", "toolkit.converters.task", "toolkit.runtimes.parity", "toolkit.pipeline.source.resolve",
)  # fmt: skip

# No test asserts how long something takes on this machine.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# What a shell starts in the background ignores Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine any command may take ten seconds, and would then say where it is.
os.environ["TOOLKIT_PROGRESS_S"] = "0"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Called by pytest."""
    for item in items:
        if item.nodeid.startswith(CALL_LIBRARIES):
            for text in THIRD_PARTY:
                item.add_marker(pytest.mark.filterwarnings(text))


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest: the workers inherit the address of the server that this process starts for all of them.

    Whoever runs a few tests in one process does not wait for what the server imports; they also show that nothing depends on it.
    """
    own_process.configure(config)
    if config.option.numprocesses or hasattr(config, "workerinput"):
        config.pluginmanager.register(by_file)
    if config.option.numprocesses:
        # The same for all, tests that start in other folders too: a task is forked only where the server's own is the caller's.
        os.environ["PYTHONPATH"] = PATH
        stack = contextlib.ExitStack()
        measured = ("tests.measured",) if own_process.coverage(config) else ()
        os.environ |= stack.enter_context(fork_server((*PRELOADED, *measured), environment={"TF_CPP_MIN_LOG_LEVEL": "2"}))
        config.add_cleanup(stack.close)


@dataclass(frozen=True)
class Trained:
    """What ``toolkit demo`` left: its bundle, what it printed on a terminal of 80 columns, and its three steps' JSON."""

    bundle: Path
    output: str
    train: dict[str, Any]
    convert: list[dict[str, Any]]
    benchmark: dict[str, Any]


@pytest.fixture(scope="session")
def common_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that the workers of xdist share, and the processes with TensorFlow too."""
    root = tmp_path_factory.getbasetemp()
    folder = Path(os.environ.get(own_process.COMMON) or (root if worker_id == "master" else root.parent) / "common")
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_test_touches_the_users_cache(common_folder: Path) -> Iterator[None]:
    browser, cache = cache_home() / "browser", common_folder / "cache"
    cache.mkdir(exist_ok=True)
    if browser.is_dir():  # What 'toolkit doctor --install browser' has brought is only read.
        with contextlib.suppress(FileExistsError):
            (cache / "browser").symlink_to(browser)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLKIT_CACHE", str(cache))
        yield


@pytest.fixture(scope="session")
def trained_cnn(common_folder: Path) -> Trained:
    """The cnn on digits in three formats and four precisions, with one round of the benchmark: made once a run.

    Tests copy what they change.
    """
    folder = common_folder / "trained"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "output.txt").exists():
            words = ("demo", "--rounds", "1", "--out", folder, "--json", folder / "demo.json")
            command = [sys.executable, "-m", "toolkit", *map(str, words)]
            environment = {**os.environ, "COLUMNS": "80"}
            result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stdout + result.stderr
            (folder / "output.txt").write_text(result.stdout)
    return Trained(folder / "cnn", (folder / "output.txt").read_text(), **json.loads((folder / "demo.json").read_text()))
