"""The part of the OCI Distribution Specification 1.1 that downloads and uploads one artifact
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md).

Not PyPI's ``oras`` 0.2.43: it reads a file whole before it sends it, does not compare what it downloads with its hash, does not resume
where a connection broke, waits without limit for an answer, and tries an unreachable host for two minutes. The rest is a page over
httpx2, which huggingface_hub needs anyway.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from toolkit.core import TransferError, decode_json, needs, printable

from ._credentials import credentials
from .base import OnBytes

if TYPE_CHECKING:
    import httpx2

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_MOST_ANSWER = 4 * 2**20
"""What registries take as a manifest at least, and so what is read of one at most."""
_TRIES = 4
"""How often a download is resumed without a byte in between."""
_CHUNK = 2**20
_TIMEOUT_S = 30.0
_SLOW_S = 600.0
"""For what a registry does with a large file that it has got, before it answers."""
_LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RefusedError(Exception):
    """A registry's answer that is none of those that were expected; as text the status and what the registry says."""

    def __init__(self, status: int, said: str) -> None:
        self.status = status
        super().__init__(printable(f"{status} {said}".strip()))


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


class Registry:
    """One repository of a registry, as a context manager. On this machine it is asked without TLS, as Docker does, elsewhere never."""

    def __init__(self, host: str, repository: str) -> None:
        with needs("hub"):
            import httpx2

        self._plain = _LOCAL.fullmatch(host) is not None
        self._home = httpx2.URL(f"{'http' if self._plain else 'https'}://{host}/v2/{repository}/")
        self._client = httpx2.Client(follow_redirects=True)
        self._known = credentials(host)
        self._authorization = ""

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._client.close()

    def manifest(self, reference: str) -> bytes | None:
        """The manifest of a tag or a digest; None where there is none.

        Raises:
            RefusedError: the registry refuses, or answers with something else.
            httpx2.TransportError: it cannot be reached.
        """
        with self._answer("GET", self._home.join(f"manifests/{reference}"), headers={"Accept": MANIFEST}) as response:
            if response.status_code == 404:
                return None
            return _content(response, 200)

    def put_manifest(self, reference: str, content: bytes) -> None:
        """Give what is all there already a name; raises as `manifest`."""
        place, headers = self._home.join(f"manifests/{reference}"), {"Content-Type": MANIFEST}
        with self._answer("PUT", place, headers=headers, body=lambda: content) as response:
            _content(response, 201)

    def blob(self, digest: str, size: int) -> Iterator[bytes]:
        """The content of `size` bytes, resumed where a connection breaks; raises as `manifest`."""
        import httpx2

        start, tries = 0, _TRIES
        while start < size:
            try:
                for chunk in self._part(digest, start):
                    start, tries = start + len(chunk), _TRIES
                    yield chunk
                if start < size:
                    raise httpx2.ReadError(f"the connection ended after {start:,} of {size:,} bytes")
            except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.TimeoutException):
                tries -= 1
                if not tries:
                    raise

    def _part(self, digest: str, start: int) -> Iterator[bytes]:
        # Nothing compressed on the way: it would have another size.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        with self._answer("GET", self._home.join(f"blobs/{digest}"), headers=headers) as response:
            if start and response.status_code == 200:
                raise TransferError("the connection broke, and the registry does not resume in the middle of a file", hint="pull again")
            if response.status_code not in {200, 206}:
                _content(response, 200)
            yield from response.iter_raw()  # As they come: what waits to fill a chunk would be lost where the connection breaks.

    def put_blob(self, digest: str, content: bytes | Path, on_bytes: OnBytes) -> None:
        """Send content that the registry has not, which it compares with `digest`; raises as `manifest`."""
        with self._answer("HEAD", self._home.join(f"blobs/{digest}")) as there:
            if there.status_code == 200:
                return
            if there.status_code != 404:
                _content(there, 200)
        with self._answer("POST", self._home.join("blobs/uploads/")) as begun:
            _content(begun, 202)
            place = begun.url.join(begun.headers.get("Location", ""))
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        # What is not sent to its end has no name, and the registry clears it away by itself.
        with self._answer(
            "PUT",
            place.copy_merge_params({"digest": digest}),
            headers=headers,
            body=lambda: content if isinstance(content, bytes) else _chunks(content, on_bytes),
            wait_s=_SLOW_S,
        ) as sent:
            _content(sent, 201)

    @contextlib.contextmanager
    def _answer(
        self,
        method: str,
        url: httpx2.URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], bytes | Iterator[bytes]] | None = None,
        wait_s: float = _TIMEOUT_S,
    ) -> Iterator[httpx2.Response]:
        """The answer to a request, which is sent again with credentials where the registry asks for some."""
        import httpx2

        timeout = httpx2.Timeout(_TIMEOUT_S, read=wait_s)
        for first in (True, False):
            # To the registry itself: a store of blobs behind it, to which it may lead, has its own signatures in its addresses.
            own = {"Authorization": self._authorization} if self._authorization and url.origin == self._home.origin else {}
            content = body() if body else None
            with self._client.stream(method, url, headers={**(headers or {}), **own}, content=content, timeout=timeout) as response:
                if first and response.status_code == 401 and response.url.origin == self._home.origin and self._log_in(response):
                    continue
                yield response
                return

    def _log_in(self, response: httpx2.Response) -> bool:
        """Whether there is something to answer to a registry that asks who one is: the password itself, or a token from the service that
        it names (https://distribution.github.io/distribution/spec/auth/token/).
        """
        import httpx2

        kind, _, words = response.headers.get("WWW-Authenticate", "").partition(" ")
        if kind.lower() == "basic" and self._known:
            self._authorization = self._known.basic
            return True
        told = dict(_CHALLENGE.findall(words))
        service = httpx2.URL(told.get("realm", ""))
        # A password leaves this machine encrypted or not at all.
        here = service.scheme == "http" and self._plain and _LOCAL.fullmatch(service.host)
        if kind.lower() != "bearer" or not (service.scheme == "https" or here):
            return False
        asked = service.copy_merge_params({key: told[key] for key in ("service", "scope") if key in told})
        with self._client.stream("GET", asked, headers={"Authorization": self._known.basic} if self._known else {}) as answer:
            try:
                found = decode_json(_content(answer, 200), _Token)
            except (RefusedError, msgspec.DecodeError):
                return False
        self._authorization = f"Bearer {found.token or found.access_token}"
        return True


def _chunks(file: Path, on_bytes: OnBytes) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
            on_bytes(stream.tell())


def _content(response: httpx2.Response, wanted: int) -> bytes:
    """What was answered, up to the size of a manifest; raises `RefusedError` for another status than `wanted`, and for more."""
    found = b""
    for chunk in response.iter_bytes():
        found += chunk
        if len(found) > _MOST_ANSWER:
            raise RefusedError(response.status_code, f"an answer of over {_MOST_ANSWER:,} bytes")
    if response.status_code == wanted:
        return found
    said = response.reason_phrase
    with contextlib.suppress(msgspec.DecodeError):
        said = "; ".join(": ".join(filter(None, (each.code, each.message))) for each in decode_json(found, _Errors).errors) or said
    raise RefusedError(response.status_code, said)
