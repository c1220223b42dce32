"""Whatever fsspec reaches: local folders, object stores, servers of files (https://filesystem-spec.readthedocs.io)."""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from toolkit.core import InputError, MissingDependencyError, StorageError, ToolkitError, TransferError, needs, words_of

from .base import Address, OnBytes, Parcel, Receipt, Store, Stored, no_rights, unreachable, without_secrets, write_chunks

_COMMON = ("file", "s3", "gs", "az", "https", "sftp", "memory")
"""Named where fsspec is not there to say what it knows."""
_CHUNK = 2**20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Filesystems(Store):
    """A file at any address of fsspec's. Each file system looks for its own credentials, as its documentation says."""

    name = "fsspec"
    takes = "an address of a file as fsspec has it, such as file:///FOLDER/cnn.zip, s3://BUCKET/cnn.zip or gs://BUCKET/cnn.zip"
    general = True

    def schemes(self) -> tuple[str, ...]:
        """All that fsspec knows; whether the package of each is installed shows when it is used."""
        with contextlib.suppress(ImportError):
            from fsspec.registry import known_implementations, registry

            return tuple({**known_implementations, **registry})
        return _COMMON

    def _find(self, address: Address) -> Stored | None:
        files, path = _opened(address)
        files.invalidate_cache()
        try:
            about = files.info(path)
        except FileNotFoundError:
            return None
        if about["type"] != "file":
            raise InputError(f"'{address}' is no file", expected="the address of the file itself", got=f"a {about['type']}")
        if about.get("size") is None:
            raise TransferError(f"'{address}' does not say how large it is", expected="its size", got="none", hint="use another store")
        return Stored(name=_name(path), bytes=int(about["size"]))

    def _download(self, address: Address, stored: Stored, target: Path, on_bytes: OnBytes) -> None:
        files, path = _opened(address)

        def chunks() -> Iterator[bytes]:
            with files.open(path, "rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk

        write_chunks(target, chunks(), stored.bytes, on_bytes)

    def _upload(self, address: Address, parcel: Parcel, on_bytes: OnBytes) -> Receipt:
        """Under a name beside the right one, which it then takes: fsspec keeps what it has of a file whose writing was broken off. In file
        systems a renaming is one step; object stores copy on their side, whole or not, and remove the first.
        """
        files, path = _opened(address)
        folder, _, name = path.rpartition("/")
        if files.isdir(path):
            raise InputError(f"'{address}' is a folder", expected="the address of the file itself")
        work = f"{folder}/.{name}-{secrets.token_hex(4)}"
        try:
            with parcel.file.open("rb") as source, files.open(work, "wb") as stream:
                while chunk := source.read(_CHUNK):
                    stream.write(chunk)
                    on_bytes(source.tell())
            files.mv(work, path)
        except BaseException:
            with contextlib.suppress(Exception):
                files.rm(work)
            raise
        return Receipt()

    def _problem(self, address: Address, error: Exception) -> ToolkitError | None:
        said = without_secrets(words_of(error))
        match error:
            case PermissionError():
                return no_rights(address, said, log_in=f"log in, or set the credentials that fsspec's {address.scheme}:// reads")
            case FileNotFoundError():
                return TransferError(f"'{address}' cannot be written", expected="a folder or bucket that is there", got=said)
            case NotImplementedError():
                return TransferError(f"'{address}' cannot be written", got=f"{address.scheme}:// takes no files", hint="use another store")
            case OSError(errno=number) if number in _FULL:
                return StorageError(f"'{address}' cannot be written: the store is full", got=said, hint="free some space there")
            case ConnectionError() | TimeoutError():
                return unreachable(address, error)
        return None


def _name(path: str) -> str:
    """The last part of a path, without the query that those of web servers have."""
    return PurePosixPath(path.partition("?")[0]).name.removesuffix(".zip") + ".zip"


def _opened(address: Address) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    with needs("hub"):
        from fsspec.core import url_to_fs
    try:
        files, path = url_to_fs(address.url)
    except ImportError as error:
        said = str(error) or f"fsspec's {address.scheme}:// is not installed"
        raise MissingDependencyError(f"'{address.scheme}://' needs a package of its own", hint=f"fsspec says: {said}") from error
    return files, path
