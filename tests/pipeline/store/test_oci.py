"""Addresses in registries, and what lies at them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from tests.pipeline.store.conftest import Bundles
from toolkit.core import ArtifactError, InputError, MissingDependencyError, TransferError
from toolkit.pipeline.store import pull, push
from toolkit.pipeline.store._registry import MANIFEST, Registry
from toolkit.pipeline.store.base import Address
from toolkit.pipeline.store.oci import _parts

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("localhost:5000/cnn:1", ("localhost:5000", "cnn", "1")),
        ("[::1]:5000/nets/cnn:v1.2-rc_3", ("[::1]:5000", "nets/cnn", "v1.2-rc_3")),
        ("ghcr.io/a/b/c-d__e.f:latest", ("ghcr.io", "a/b/c-d__e.f", "latest")),
        (f"ghcr.io/a/b@{DIGEST}", ("ghcr.io", "a/b", DIGEST)),
        ("docker.io/me/cnn:1", ("registry-1.docker.io", "me/cnn", "1")),
    ],
)
def test_addresses(rest: str, parts: tuple[str, str, str]) -> None:
    assert _parts(Address("oci", rest)) == parts


@pytest.mark.parametrize(
    ("rest", "hint"),
    [
        ("ghcr.io/a/b", "add a tag, such as :1"),
        ("localhost:5000/cnn", "add a tag, such as :1"),
        ("ghcr.io/a/B:1", "in small letters"),
        ("ghcr.io/a/../b:1", ""),
        ("ghcr.io/a/b:", ""),
        ("ghcr.io/a/b:1?x", ""),
        ("ghcr.io:1", ""),
        ("me@ghcr.io/a/b:1", ""),
        ("ghcr.io/a/b@sha256:12", ""),
        (f"ghcr.io/a/b:1@{DIGEST}", ""),
    ],
)
def test_what_names_nothing(rest: str, hint: str) -> None:
    with pytest.raises(InputError, match=r"names nothing in a registry: expected oci://HOST\[:PORT\]/REPOSITORY:TAG") as raised:
        _parts(Address("oci", rest))
    assert hint in str(raised.value)


def test_a_digest_is_not_pushed_to(bundles: Bundles, registry: tuple[str, Path]) -> None:
    with pytest.raises(InputError, match="is named after its content: expected a tag to push to, got a digest"):
        push(bundles.plain, f"oci://{registry[0]}/nets/tiny@{DIGEST}")


def test_nobody_there(bundles: Bundles, tmp_path: Path) -> None:
    url = "oci://127.0.0.1:9/nets/tiny:1"
    for call in (lambda: push(bundles.plain, url), lambda: pull(url, tmp_path / "x.zip")):
        with pytest.raises(
            TransferError, match=r"cannot be reached: expected an answer, got ConnectError: .*; look at the spelling"
        ) as raised:
            call()
        assert "\n" not in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_what_is_no_bundle(registry: tuple[str, Path], tmp_path: Path) -> None:
    """A container's image is answered to like a file that is none: by what is there."""
    empty = b"{}"
    part = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": f"sha256:{sha256(empty).hexdigest()}", "size": 2}
    layer = {**part, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
    with Registry(registry[0], "an/image") as repository:
        repository.put_blob(part["digest"], empty, lambda _done: None)  # type: ignore[arg-type]
        for tag, layers in (("none", []), ("one", [layer]), ("two", [layer, layer])):
            content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": part, "layers": layers}
            repository.put_manifest(tag, json.dumps(content).encode())
    for tag, got in (("none", "got nothing"), ("one", "got application/vnd.oci.image.layer.v1.tar.gzip"), ("two", "gzip, application")):
        with pytest.raises(ArtifactError, match=f"is no bundle: expected what toolkit push wrote, .*bundle.v1.zip, .*{got}"):
            pull(f"oci://{registry[0]}/an/image:{tag}", tmp_path / "x.zip")
    assert not [*tmp_path.iterdir()]


def test_a_manifest_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of any honesty: the address itself says what must come."""
    monkeypatch.setattr(Registry, "manifest", lambda _registry, _reference: b"{}")
    with pytest.raises(ArtifactError, match=f"was changed on the way: expected {DIGEST}, got sha256:44136fa3.*; pull again"):
        pull(f"oci://localhost/nets/tiny@{DIGEST}", tmp_path / "x.zip")
    assert not [*tmp_path.iterdir()]


def test_what_lies_there_is_an_oci_artifact(bundles: Bundles, registry: tuple[str, Path]) -> None:
    host, _ = registry
    done = push(bundles.plain, f"oci://{host}/nets/artifact:1")
    found = httpx2.get(f"http://{host}/v2/nets/artifact/manifests/1", headers={"Accept": MANIFEST})
    assert found.headers["Docker-Content-Digest"] == done.version.rpartition("@")[2]
    manifest = found.json()
    assert (manifest["schemaVersion"], manifest["mediaType"], manifest["config"]["mediaType"]) == (
        2,
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.empty.v1+json",
    )
    assert manifest["artifactType"] == "application/vnd.edge-inference-toolkit.bundle.v1"
    (layer,) = manifest["layers"]
    assert layer["annotations"] == {"org.opencontainers.image.title": "artifact.zip"}
    assert (layer["size"], layer["digest"]) == (done.bytes, f"sha256:{done.sha256}")


@pytest.mark.skipif(shutil.which("oras") is None, reason="the program oras is not installed")
def test_oras_pulls_it_too(bundles: Bundles, registry: tuple[str, Path], tmp_path: Path) -> None:
    push(bundles.plain, f"oci://{registry[0]}/nets/oras:1")
    subprocess.run(["oras", "pull", "--plain-http", f"{registry[0]}/nets/oras:1"], cwd=tmp_path, check=True)
    assert (tmp_path / "oras.zip").read_bytes() == bundles.plain.read_bytes()


def test_without_httpx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(MissingDependencyError, match=r"'httpx2' cannot be imported .*run: pip install .*\[hub\]"):
        pull("oci://localhost/cnn:1")
