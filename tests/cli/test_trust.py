"""``toolkit bundle --sign`` and ``toolkit check --trust``, as they are typed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_bad_input import assert_refused
from tests.commands import Commands
from tests.keys import make_keys
from tests.tiny import as_trained, tiny_artifact, tiny_samples
from toolkit.core import MANIFEST, Precision

QUICK = ("--rounds", "1", "--seconds", "0.01", "--engine", "onnxruntime", "--threads", "1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with samples, and two pairs of keys."""
    folder = tmp_path_factory.mktemp("trust") / "home"
    folder.mkdir()
    root = as_trained(tiny_artifact(folder / "net"))
    made = tiny_artifact(folder / "net", Precision.FP16)
    (made.path / MANIFEST).write_bytes(replace(made.manifest, root=root.manifest.content_sha256).to_json())
    tiny_samples(40).save(folder / "s.npz")
    (folder / "keys").mkdir()
    for name in ("release", "other"):
        make_keys(folder, name)
    shutil.copy(folder / "release.pub", folder / "keys")
    return folder


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    worker = Commands({"TOOLKIT_CACHE": str(tmp_path_factory.mktemp("commands") / "cache"), "COLUMNS": "200"})
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def signed(home: Path, commands: Commands) -> Path:
    done = commands.run("bundle", "net", "--data", "s.npz", "--sign", "release.key", "--out", "net.zip", folder=home)
    assert done.returncode == 0, done.stderr
    assert "On the device: toolkit check net.zip --trust KEY.pub" in done.stdout
    return home / "net.zip"


@pytest.mark.parametrize("trust", ["release.pub", "keys"])
def test_what_was_signed_is_checked(home: Path, commands: Commands, signed: Path, trust: str) -> None:
    done = commands.run("check", signed.name, "--trust", trust, "--out", "r.json", *QUICK, folder=home)
    assert done.returncode == 0, done.stderr
    assert "net.zip: signed by release.pub (SHA-256 " in done.stderr
    done = commands.run("check", signed.name, "--out", "r.json", *QUICK, folder=home)
    assert done.returncode == 0, done.stderr
    assert "net.zip: signed; by whom was not asked: --trust KEYS asks" in done.stderr


def test_what_is_refused_is_one_line_and_leaves_nothing(home: Path, commands: Commands, signed: Path) -> None:
    whole = signed.read_bytes()
    (home / "changed.zip").write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    (home / "empty").mkdir()
    done = commands.run("bundle", "net", "--data", "s.npz", "--out", "plain.zip", folder=home)
    assert done.returncode == 0, done.stderr
    before = sorted(home.rglob("*"))
    for file, trust, parts in (
        ("changed.zip", "keys", ["'changed.zip' was changed after it was signed", "expected SHA-256", "got ", "get the file again"]),
        ("plain.zip", "keys", ["'plain.zip' is not signed", "got none", "toolkit bundle --sign KEY"]),
        ("net.zip", "other.pub", ["signed by a key that is not trusted", "expected other.pub", "ask who signed it"]),
        ("net.zip", "release.key", ["'release.key' is no key to trust", "got a private key", "openssl pkey"]),
        ("net.zip", "s.npz", ["is no key to trust", "got no PEM file"]),
        ("net.zip", "empty", ["folder 'empty' holds no key"]),
        ("net.zip", "nothing", ["key 'nothing' cannot be read"]),
    ):
        assert_refused(commands.run("check", file, "--trust", trust, *QUICK, folder=home), *parts)
    for key, part in (("release.pub", "got a public key"), ("s.npz", "got no PEM file"), ("nothing", "cannot be read")):
        assert_refused(commands.run("bundle", "net", "--data", "s.npz", "--sign", key, "--out", "x.zip", folder=home), part)
    assert sorted(home.rglob("*")) == before
