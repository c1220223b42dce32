"""Packed bundles, and a real registry of containers, where Debian's is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.keys import make_keys
from tests.pipeline.bundle.test_field import a_bundle
from tests.tiny import tiny_samples
from toolkit.core import Bundle
from toolkit.pipeline.bundle import PrivateKey, pack

REGISTRY = "docker-registry"


@dataclass(frozen=True)
class Bundles:
    """Zip files of one network, another one, and the first one signed by the owner of ``keys[0]``."""

    folder: Path
    plain: Path
    other: Path
    signed: Path
    keys: tuple[Path, Path]


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("bundles")
    first, keys = a_bundle(folder / "tiny"), make_keys(folder, "release")
    pack(first, tiny_samples(40), folder / "plain.zip")
    pack(a_bundle(folder / "else", seed=1), tiny_samples(40), folder / "other.zip")
    pack(Bundle.load(first.path), tiny_samples(40), folder / "signed.zip", key=PrivateKey.read(keys[0]))
    return Bundles(first.path, folder / "plain.zip", folder / "other.zip", folder / "signed.zip", keys)


@pytest.fixture(scope="session")
def start_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., tuple[str, Path]]]:
    """Start a registry with these lines about who may come in; its host, and the folder of what it keeps."""
    program = shutil.which(REGISTRY)
    if program is None:
        pytest.skip(f"{REGISTRY} is not installed: apt-get install {REGISTRY}")
    processes: list[subprocess.Popen[bytes]] = []

    def start(*lines: str) -> tuple[str, Path]:
        home = tmp_path_factory.mktemp("registry")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{free.getsockname()[1]}"
        kept = ["version: 0.1", f"storage: {{filesystem: {{rootdirectory: {home}}}}}", f"http: {{addr: '{host}'}}", *lines]
        (home / "config.yml").write_text("\n".join(kept))
        with (home / "log").open("wb") as log:
            processes.append(subprocess.Popen([program, "serve", str(home / "config.yml")], stdout=log, stderr=log))
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://{host}/v2/"):
                    break
            except urllib.error.HTTPError as refused:
                refused.close()
                break  # It asks who comes, so it is there.
            except OSError:
                assert processes[-1].poll() is None, (home / "log").read_text()
                time.sleep(0.1)
        return host, home / "docker"

    yield start
    for process in processes:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def registry(start_registry: Callable[..., tuple[str, Path]]) -> tuple[str, Path]:
    """A registry that lets everybody in."""
    return start_registry()


@pytest.fixture(autouse=True)
def _no_credentials_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
