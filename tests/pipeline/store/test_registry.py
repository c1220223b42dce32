"""What a real registry is asked: as much as is needed, by whom it lets in, and again where a connection breaks."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.pipeline.store.conftest import Bundles
from toolkit.core import TransferError
from toolkit.pipeline.store import pull, push
from toolkit.pipeline.store._registry import RefusedError, Registry

USER, PASSWORD = "someone", "hunter2"
HASHED = "$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8."
"""Of `PASSWORD`, as htpasswd keeps it."""


def log_in(host: str) -> None:
    """As ``docker login`` keeps it."""
    folder = Path(os.environ["DOCKER_CONFIG"])
    folder.mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}, "HttpHeaders": {"x": "y"}}))


@contextmanager
def cutting(host: str, after: int, times: int) -> Iterator[tuple[str, list[str]]]:
    """A way to `host` that ends so many connections for blobs after so many bytes; its host, and what was asked for with which range."""
    target = host.partition(":")[0], int(host.partition(":")[2])
    asked: list[str] = []
    left = [times]

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection(target) as server:
            request = client.recv(65536)
            lines = request.decode().splitlines()
            blob = "/blobs/" in lines[0]
            if blob:
                asked.append(next((line.partition(": ")[2] for line in lines if line.lower().startswith("range: ")), ""))
            # One request a connection, so that its answer ends with it.
            server.sendall(re.sub(rb"(?i)connection: keep-alive", b"Connection: close", request))
            most = 2**40
            if blob and left[0]:
                left[0] -= 1
                most = after
            sent = 0
            while sent < most and (part := server.recv(min(65536, most - sent))):
                client.sendall(part)
                sent += len(part)

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)


def test_a_download_that_breaks_is_resumed(bundles: Bundles, registry: tuple[str, Path], tmp_path: Path) -> None:
    push(bundles.plain, f"oci://{registry[0]}/nets/broken:1")
    with cutting(registry[0], after=8000, times=2) as (host, asked):
        pull(f"oci://{host}/nets/broken:1", tmp_path / "got.zip")
    assert (tmp_path / "got.zip").read_bytes() == bundles.plain.read_bytes()
    assert asked[0] == ""
    first, second = (int(word.removeprefix("bytes=").removesuffix("-")) for word in asked[1:])
    assert 0 < first < second < bundles.plain.stat().st_size, "headers of the answer count among the bytes that came"


def test_what_never_comes_is_told_and_leaves_nothing(bundles: Bundles, registry: tuple[str, Path], tmp_path: Path) -> None:
    push(bundles.plain, f"oci://{registry[0]}/nets/broken:1")
    with cutting(registry[0], after=100, times=99) as (host, asked):
        with pytest.raises(TransferError, match="cannot be reached: expected an answer, got") as raised:
            pull(f"oci://{host}/nets/broken:1", tmp_path / "got.zip")
    assert len(asked) == 4
    assert "\n" not in str(raised.value)
    assert not [*tmp_path.iterdir()]


def test_what_was_changed_on_the_way_is_refused(bundles: Bundles, registry: tuple[str, Path], tmp_path: Path) -> None:
    host, kept = registry
    done = push(bundles.other, f"oci://{host}/nets/changed:1")
    (blob,) = kept.rglob(f"blobs/sha256/??/{done.sha256}/data")
    whole = blob.read_bytes()
    try:
        blob.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
        with pytest.raises(Exception, match=r"'oci://.*' was changed on the way: expected SHA-256 .*, got .*; pull again"):
            pull(f"oci://{host}/nets/changed:1", tmp_path / "got.zip")
    finally:
        blob.write_bytes(whole)
    assert not [*tmp_path.iterdir()]


def test_who_may_come_in(
    bundles: Bundles, start_registry: Callable[..., tuple[str, Path]], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    users = tmp_path_factory.mktemp("users") / "htpasswd"
    users.write_text(f"{USER}:{HASHED}\n")
    host, _ = start_registry(f"auth: {{htpasswd: {{realm: ours, path: {users}}}}}")
    url = f"oci://{host}/nets/tiny:1"
    for call in (lambda: push(bundles.plain, url), lambda: pull(url, tmp_path / "got.zip")):
        with pytest.raises(TransferError, match=rf"is not open to you: expected rights to it, got 401 UNAUTHORIZED: .*docker login {host}"):
            call()
    log_in(host)
    assert push(bundles.plain, url).artifacts == ("onnx-fp16",)
    assert pull(url, tmp_path / "got.zip").model == "tiny"


class Tokens(BaseHTTPRequestHandler):
    """The service that a registry sends one to for a token: of whom it knows."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        known = self.headers.get("Authorization") == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(b'{"token": "abc"}' if known else b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_a_token_is_fetched_where_the_registry_says(
    bundles: Bundles, start_registry: Callable[..., tuple[str, Path]], tmp_path: Path
) -> None:
    """The registry's own plug-in for tests asks for a token and takes any."""
    Tokens.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Tokens) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        host, _ = start_registry(f"auth: {{silly: {{realm: 'http://127.0.0.1:{service.server_port}/token', service: ours}}}}")
        url = f"oci://{host}/nets/tiny:1"
        with pytest.raises(TransferError, match="is not open to you"):
            pull(url, tmp_path / "got.zip")
        log_in(host)
        push(bundles.plain, url)
        assert pull(url, tmp_path / "got.zip").model == "tiny"
        service.shutdown()
    assert all(path.startswith("/token?service=ours&scope=repository%3Anets%2Ftiny%3Apull") for path in Tokens.asked)


@pytest.mark.parametrize("realm", ["http://elsewhere.example/token", "", "ftp://127.0.0.1/token"])
def test_a_password_is_not_sent_in_the_clear(
    bundles: Bundles, start_registry: Callable[..., tuple[str, Path]], tmp_path: Path, realm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = start_registry(f"auth: {{silly: {{realm: '{realm or 'none'}', service: ours}}}}")
    log_in(host)
    sent: list[httpx2.URL] = []
    real = httpx2.Client.send

    def send(client: httpx2.Client, request: httpx2.Request, **how: Any) -> httpx2.Response:
        sent.append(request.url)
        return real(client, request, **how)

    monkeypatch.setattr(httpx2.Client, "send", send)
    with pytest.raises(TransferError, match="is not open to you"):
        pull(f"oci://{host}/nets/tiny:1", tmp_path / "got.zip")
    assert {url.netloc.decode() for url in sent} == {host}


def test_elsewhere_everything_is_encrypted() -> None:
    for host, scheme in (
        ("localhost:5000", "http"),
        ("127.0.0.1", "http"),
        ("[::1]:5", "http"),
        ("localhost.example", "https"),
        ("r.io", "https"),
    ):
        with Registry(host, "a/b") as registry:
            assert str(registry._home).startswith(f"{scheme}://{host}/v2/a/b")


def test_what_is_not_sent_to_its_end_has_no_name(registry: tuple[str, Path], tmp_path: Path) -> None:
    content = os.urandom(2**20) * 8
    file, digest = tmp_path / "large", f"sha256:{hashlib.sha256(content).hexdigest()}"
    file.write_bytes(content)

    def stop(_done: int) -> None:
        raise KeyboardInterrupt

    sent: list[int] = []
    with Registry(registry[0], "nets/large") as opened:
        with pytest.raises(KeyboardInterrupt):
            opened.put_blob(digest, file, stop)
        with pytest.raises(RefusedError, match="404"):
            list(opened.blob(digest, len(content)))
        with pytest.raises(RefusedError, match="DIGEST_INVALID"):
            opened.put_blob(f"sha256:{'0' * 64}", content, lambda _done: None)
        opened.put_blob(digest, file, sent.append)
        assert sent == [2**20 * count for count in range(1, 9)]
        assert b"".join(opened.blob(digest, len(content))) == content
        opened.put_blob(digest, file, stop)  # It is there, and not sent again.
