"""``toolkit push`` and ``toolkit pull``, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_bad_input import assert_refused
from tests.commands import Commands
from tests.keys import make_keys
from tests.pipeline.bundle.test_field import a_bundle
from tests.tiny import tiny_samples
from toolkit.pipeline.bundle import PrivateKey, pack

HIDDEN = "hunter2"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packed bundles, signed by one of two keys, and an empty store."""
    folder = tmp_path_factory.mktemp("store") / "home"
    (folder / "store").mkdir(parents=True)
    key, _ = make_keys(folder, "release")
    make_keys(folder, "other")
    pack(a_bundle(folder / "net"), tiny_samples(40), folder / "net.zip", key=PrivateKey.read(key))
    pack(a_bundle(folder / "else", seed=1), tiny_samples(40), folder / "else.zip")
    return folder


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    folder = tmp_path_factory.mktemp("commands")
    hidden = {"HF_TOKEN": HIDDEN, "HF_ENDPOINT": "http://127.0.0.1:9", "DOCKER_CONFIG": str(folder / "docker")}
    worker = Commands({"TOOLKIT_CACHE": str(folder / "cache"), "COLUMNS": "200", **hidden})
    yield worker
    worker.close()


def test_there_and_back(home: Path, commands: Commands) -> None:
    url = f"file://{home}/store/net.zip"
    done = commands.run("push", "net.zip", url, folder=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith(f"{url}: onnx-fp16; ")
    assert f"To get this very version: toolkit pull {url}" in done.stdout
    done = commands.run("push", "net.zip", url, "--json", folder=home)
    told = json.loads(done.stdout)
    assert (told["unchanged"], told["artifacts"], told["bytes"]) == (True, ["onnx-fp16"], (home / "net.zip").stat().st_size)
    done = commands.run("pull", url, "--out", "got.zip", "--trust", "release.pub", folder=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert "; signed by release.pub (SHA-256 " in done.stdout
    assert "To verify and measure it here: toolkit check got.zip" in done.stdout
    assert (home / "got.zip").read_bytes() == (home / "net.zip").read_bytes()
    done = commands.run("pull", url, "--out", "got", "--json", folder=home)
    told = json.loads(done.stdout)
    assert (told["path"], told["unchanged"], told["signature"]) == ("got", False, "signed; by whom was not asked: --trust KEYS asks")
    assert 'To open it: toolkit.load("got")' in commands.run("pull", url, "--out", "got", folder=home).stdout


def test_what_is_refused_is_one_line_and_leaves_nothing(home: Path, commands: Commands) -> None:
    url = f"file://{home}/store/refused.zip"
    assert commands.run("push", "net.zip", url, folder=home).returncode == 0
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    for words, parts in (
        (("push", "else.zip", url), ["is there", "expected nothing, or the same bundle", "got another one", "--overwrite"]),
        (("push", "net.zip", "net.zip"), ["'net.zip' is no address of a store", "oci://HOST/REPOSITORY:TAG"]),
        (("push", "net.zip", "fil:///x"), ["belongs to no store", "did you mean 'file://'?"]),
        (("push", "net.zip", f"sftp://me:{HIDDEN}@host/x"), ["sftp://...@host/x", "holds a password"]),
        (("push", "release.key", url), ["is no field bundle"]),
        (("push", "net.zip", url, "--sign", "release.key"), ["'net.zip' is packed", "toolkit bundle --sign KEY"]),
        (("push", "net.zip", "hf://a/b"), ["'hf://a/b' cannot be reached", "look at the spelling"]),
        (("push", "net.zip", "hf://a"), ["names no repository of the Hub", "hf://ORG/NAME[@REVISION]"]),
        (("push", "net.zip", "oci://localhost/a"), ["names nothing in a registry", "add a tag, such as :1"]),
        (("push", "net.zip", "oci://127.0.0.1:9/a:1"), ["cannot be reached", "ConnectError"]),
        (("pull", f"file://{home}/store/none.zip"), ["is not there", "got nothing"]),
        (("pull", url, "--out", "else.zip"), ["'else.zip' is there", "got something else", "--overwrite"]),
        (("pull", url, "--out", "store"), ["'store' holds something else than a bundle that was pulled"]),
        (
            ("pull", url, "--out", "x.zip", "--trust", "other.pub"),
            [f"'{url}' is signed by a key that is not trusted", "expected other.pub"],
        ),
        (("pull", url, "--out", "x.zip", "--trust", "release.key"), ["'release.key' is no key to trust"]),
        (("pull", f"https://host/x.zip?sig={HIDDEN}#{HIDDEN}", "--out", "x.zip"), []),
    ):
        done = commands.run(*words, folder=home)
        assert_refused(done, *parts)
        assert HIDDEN not in done.stdout + done.stderr
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
