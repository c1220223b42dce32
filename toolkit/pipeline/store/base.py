"""What a store of bundles must do: say what is at an address, download it, and take a bundle, which appears whole or not at all.

A new kind of store is one file in this folder with a `Store`; the public method checks and translates errors, the underscored one works.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

from toolkit.core import Artifact, ArtifactError, InputError, StorageError, ToolkitError, TransferError, sha256_of, storage_errors, words_of

MOST_BYTES = 4 * 2**30
"""The largest bundle that is pulled: who gives an address does not know how much lies there."""
OnBytes = Callable[[int], None]
"""Called with how many bytes are through."""

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>[^\s\0]+)")
_PASSWORD = re.compile(r"://[^/@]*:[^/]*@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")


def without_secrets(text: str) -> str:
    """`text`, such as a library's message, without what addresses in it may hold: passwords, and the signatures in their queries."""
    return _QUERY.sub(r"\1?...", _PASSWORD.sub("://...@", text))


@dataclass(frozen=True)
class Address:
    """A URL: ``scheme://rest``. As text it has no secrets."""

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """The parts of a URL; raises `InputError` for what is none, and for one with a password."""
        match = _URL.fullmatch(text)
        if match is None:
            raise InputError(
                f"'{without_secrets(text)}' is no address of a store",
                expected="SCHEME://PLACE, such as hf://ORG/NAME, oci://HOST/REPOSITORY:TAG or file:///FOLDER/cnn.zip",
            )
        if _PASSWORD.match(f"://{match['rest']}"):
            raise InputError(
                f"'{without_secrets(text)}' holds a password, which others see in the list of processes and the shell keeps",
                hint="log in with the store's own program, and leave it out here",
            )
        return cls(match["scheme"], match["rest"])

    @property
    def url(self) -> str:
        """All of it, for libraries and not for messages."""
        return f"{self.scheme}://{self.rest}"

    def __str__(self) -> str:
        return without_secrets(self.url)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What lies at an address.

    Args:
        name: what its file is called here unless the user says otherwise, such as ``cnn.zip``.
        bytes: its size.
        sha256: in hex; empty where the store does not know.
        version: an address that names this very content, whatever is pushed later; empty where the store keeps no versions.
    """

    name: str
    bytes: int
    sha256: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A packed bundle on its way to a store: ``model`` is the network's name, ``artifacts`` are unpacked for the time of the push."""

    file: Path
    bytes: int
    sha256: str
    model: str
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True)
class Receipt:
    """What a store says of what it took: its `Stored.version`, and what there is to tell besides."""

    version: str = ""
    note: str = ""


class Store(ABC):
    """A kind of store."""

    name: ClassVar[str]
    """Short, and no other store's."""
    takes: ClassVar[str]
    """How its addresses look."""
    general: ClassVar[bool] = False
    """Whether other stores that know the same scheme come before it."""

    @abstractmethod
    def schemes(self) -> tuple[str, ...]:
        """The schemes of its addresses."""

    @final
    def find(self, address: Address) -> Stored | None:
        """What lies at an address; None for nothing.

        Raises:
            InputError: the address is none of this store's.
            TransferError: the store cannot be reached, or refuses.
            MissingDependencyError: its library is not installed.
        """
        with self._translated(address):
            return self._find(address)

    @final
    def download(self, address: Address, stored: Stored, target: Path, on_bytes: OnBytes) -> None:
        """Download what `find` has found into the file `target`, whole and as the store says it is.

        Raises:
            ArtifactError: it is too large, or was changed on the way.
            TransferError: it did not come, or not all of it.
            StorageError: there is no room for it.
        """
        if stored.bytes > MOST_BYTES:
            raise ArtifactError(f"'{address}' is too large for a bundle", expected=f"at most {MOST_BYTES:,} bytes", got=f"{stored.bytes:,}")
        free = shutil.disk_usage(target.parent).free
        if stored.bytes > free:
            raise StorageError(f"no room for '{address}' in '{target.parent}'", expected=f"{stored.bytes:,} bytes", got=f"{free:,} bytes")
        with self._translated(address):
            self._download(address, stored, target, on_bytes)
        got = target.stat().st_size
        if got != stored.bytes:
            raise TransferError(
                f"'{address}' did not come as it was announced", expected=f"{stored.bytes:,} bytes", got=f"{got:,}", hint="pull again"
            )
        if stored.sha256 and (found := sha256_of(target)) != stored.sha256:
            raise ArtifactError(
                f"'{address}' was changed on the way",
                expected=f"SHA-256 {stored.sha256[:12]}...",
                got=f"{found[:12]}...",
                hint="pull again",
            )

    @final
    def upload(self, address: Address, parcel: Parcel, on_bytes: OnBytes) -> Receipt:
        """Put a bundle at an address, in place of what is there; what is interrupted leaves that as it was.

        Raises:
            TransferError: the store cannot be reached, refuses, is full, or cannot be written.
        """
        with self._translated(address):
            return self._upload(address, parcel, on_bytes)

    @abstractmethod
    def _find(self, address: Address) -> Stored | None:
        """As `find`; raises anything."""

    @abstractmethod
    def _download(self, address: Address, stored: Stored, target: Path, on_bytes: OnBytes) -> None:
        """As `download`, without its checks; raises anything."""

    @abstractmethod
    def _upload(self, address: Address, parcel: Parcel, on_bytes: OnBytes) -> Receipt:
        """As `upload`; raises anything."""

    def _problem(self, address: Address, error: Exception) -> ToolkitError | None:  # noqa: ARG002 - for stores that know more
        """What the library's error means; None for one that is told in its own words."""
        return None

    @contextmanager
    def _translated(self, address: Address) -> Iterator[None]:
        try:
            yield
        except ToolkitError:
            raise
        except Exception as error:
            found = self._problem(address, error)
            raise found or TransferError(f"'{address}': {without_secrets(words_of(error))}", hint="try again later") from error


def write_chunks(target: Path, chunks: Iterable[bytes], most: int, on_bytes: OnBytes) -> None:
    """Write `chunks` into a file, and no more than one beyond `most` bytes: a store may send more than it announces."""
    written = 0
    with storage_errors(target), target.open("wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
            written += len(chunk)
            on_bytes(min(written, most))
            if written > most:
                return


def sha256_of_bytes(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


def no_rights(address: Address, said: str, *, log_in: str) -> TransferError:
    """What a store answers to whom it does not know, or does not let in."""
    return TransferError(f"'{address}' is not open to you", expected="rights to it", got=without_secrets(said), hint=log_in)


def unreachable(address: Address, error: Exception) -> TransferError:
    """No answer at all."""
    return TransferError(
        f"'{address}' cannot be reached",
        expected="an answer",
        got=without_secrets(words_of(error)),
        hint="look at the spelling of the host and at the network, then try again",
    )
