"""Addresses, and that no secret of one is shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from toolkit.core import ArtifactError, InputError, StorageError, ToolkitError, TransferError
from toolkit.pipeline.store import pull, push
from toolkit.pipeline.store._found import find_store
from toolkit.pipeline.store.base import MOST_BYTES, Address, OnBytes, Parcel, Receipt, Store, Stored, without_secrets, write_chunks


class Shelf(Store):
    """Has one thing, and says what it likes of it."""

    name = "shelf"
    takes = "shelf://"

    def __init__(self, content: bytes = b"abc", error: Exception | None = None) -> None:
        self.content, self.error = content, error

    def schemes(self) -> tuple[str, ...]:
        """Its own."""
        return ("shelf",)

    def _find(self, address: Address) -> Stored | None:
        if self.error:
            raise self.error
        return None

    def _download(self, address: Address, stored: Stored, target: Path, on_bytes: OnBytes) -> None:
        write_chunks(target, (self.content[i : i + 2] for i in range(0, len(self.content), 2)), stored.bytes, on_bytes)

    def _upload(self, address: Address, parcel: Parcel, on_bytes: OnBytes) -> Receipt:
        raise NotImplementedError


ADDRESS = Address("shelf", "x")
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def nothing(_done: int) -> None:
    """Nobody looks."""


@pytest.mark.parametrize(
    "text", ["", "cnn.zip", "/a/cnn.zip", "oci:/x", "://x", "oci://", "oci://a b", "oci://a\n/b:1", "OCI://x", "simplecache::s3://x"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError, match=r"is no address of a store: expected SCHEME://PLACE"):
        Address.parse(text)


def test_a_password_is_refused_and_not_shown() -> None:
    for text in (
        "sftp://me:hunter2@host/x",
        "oci://:hunter2@host/x:1",
        "https://a:hunter2@h?x=1",
        "sftp://me:my hunter2@host/x",
        "x y://:hunter2@",
    ):
        for call in (Address.parse, pull, lambda url: push("no.zip", url)):
            with pytest.raises(InputError) as raised:
                call(text)
            assert "hunter2@" not in str(raised.value)
    assert Address.parse("sftp://me@host/x").rest == "me@host/x"
    assert Address.parse("hf://a/b@refs/pr/1").rest == "a/b@refs/pr/1"


def test_a_signature_in_an_address_is_not_shown() -> None:
    address = Address.parse("https://host/x.zip?X-Signature=hunter2&y=1#z")
    assert (str(address), address.url) == ("https://host/x.zip?...", "https://host/x.zip?X-Signature=hunter2&y=1#z")
    said = "ClientResponseError: 403, url=URL('https://host/x.zip?sig=hunter2') and sftp://me:hunter2@host/x"
    assert without_secrets(said) == "ClientResponseError: 403, url=URL('https://host/x.zip?...') and sftp://...@host/x"


def test_an_unknown_scheme_is_answered_with_the_nearest() -> None:
    assert find_store(Address("hf", "a/b")).name == "huggingface"
    assert find_store(Address("oci", "a/b:1")).name == "oci", "fsspec calls another store so"
    assert find_store(Address("s3", "a/b")).name == "fsspec"
    with pytest.raises(
        InputError, match=r"'fil://x' belongs to no store: expected .*hf://ORG/NAME.*, got fil://; did you mean 'file://'\?"
    ):
        pull("fil://x")


def test_what_comes_is_what_was_announced(tmp_path: Path) -> None:
    target = tmp_path / "t"
    done: list[int] = []
    Shelf().download(ADDRESS, Stored(name="x", bytes=3, sha256=ABC), target, done.append)
    assert (target.read_bytes(), done) == (b"abc", [2, 3])
    with pytest.raises(ArtifactError, match=r"'shelf://x' was changed on the way: expected SHA-256 ba7816bf8f01\.\.\., got "):
        Shelf(b"abd").download(ADDRESS, Stored(name="x", bytes=3, sha256=ABC), target, nothing)
    for content in (b"ab", b"abcd" * 1000):
        with pytest.raises(TransferError, match=r"did not come as it was announced: expected 3 bytes, got"):
            Shelf(content).download(ADDRESS, Stored(name="x", bytes=3), target, nothing)
        assert target.stat().st_size < 6, "what never ends is not read to its end"


def test_what_is_too_large_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArtifactError, match="is too large for a bundle: expected at most 4,294,967,296 bytes, got 4,294,967,297"):
        Shelf().download(ADDRESS, Stored(name="x", bytes=MOST_BYTES + 1), tmp_path / "t", nothing)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=2))
    with pytest.raises(StorageError, match=r"no room for 'shelf://x' in '.*': expected 3 bytes, got 2 bytes"):
        Shelf().download(ADDRESS, Stored(name="x", bytes=3), tmp_path / "t", nothing)
    assert not [*tmp_path.iterdir()]


def test_a_librarys_error_is_one_line_without_secrets() -> None:
    with pytest.raises(TransferError, match=r"^'shelf://x': ValueError: no https://h/x\?\.\.\.; try again later$"):
        Shelf(error=ValueError("no https://h/x?sig=hunter2\nand more")).find(ADDRESS)
    mine = ToolkitError("as it is")
    with pytest.raises(ToolkitError, match=r"^as it is$"):
        Shelf(error=mine).find(ADDRESS)
    with pytest.raises(KeyboardInterrupt):
        Shelf(error=KeyboardInterrupt()).find(ADDRESS)  # type: ignore[arg-type]
