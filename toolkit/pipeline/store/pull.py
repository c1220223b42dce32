"""Pulling: out of a store into a temporary file, which is checked as `toolkit check` does, and only then takes its name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import InputError, TransferError, new_folder, sha256_of, storage_errors
from toolkit.core.files import working_file

from ..bundle.check import Packed, read_packed
from ..bundle.contents import CONTENTS
from ..bundle.keys import PublicKey, trusted_keys
from ..progress import OnCount
from ._found import find_store
from .base import Address

ZIP = ".zip"


@dataclass(frozen=True)
class Pulled:
    """What lies here now.

    Args:
        path: the zip file, or the folder with what it holds.
        url: where it came from, without what an address may hold of secrets.
        version: an address of this very content, whatever is pushed later; empty where the store keeps no versions.
        bytes: the size of the zip file.
        sha256: its hash, in hex.
        model: the network's name.
        artifacts: the names of its artifacts.
        signature: what is known of its signature, in one line; empty for none.
        unchanged: the same was here already.
    """

    path: Path
    url: str
    version: str
    bytes: int
    sha256: str
    model: str
    artifacts: tuple[str, ...]
    signature: str = ""
    unchanged: bool = False


def pull(
    url: str,
    out: str | Path | None = None,
    *,
    trust: str | Path | None = None,
    overwrite: bool = False,
    on_progress: OnCount | None = None,
) -> Pulled:
    """Download a bundle from a store. It is checked before it takes its name: its signature if somebody is trusted, every hash in it.

    Args:
        url: as of `push`; the `version` of one that was pushed, too.
        out: a name that ends in ``.zip`` for the file as it was packed, which `toolkit check` takes; any other for a folder, which
            `toolkit.load` takes. By default the file, called after the address, in the current folder.
        trust: a public key or a folder of them: what none of their owners signed, or was changed since, is not opened.
        overwrite: replace something else that is there.
        on_progress: called with what is done and with kibibytes: so many of so many.

    Raises:
        InputError: `url` is none, no store has its scheme, or something else is at `out`.
        TransferError: nothing is there, or the store cannot be reached or refuses.
        ArtifactError: what came is no field bundle, or was changed.
        TrustError: no owner of a trusted key signed it as it is.
        StorageError: there is no room for it.
        MissingDependencyError: the store's library is not installed.
    """
    report: OnCount = on_progress or (lambda _what, _done, _total: None)
    address = Address.parse(url)
    store = find_store(address)
    keys = trusted_keys(Path(trust)) if trust else None
    stored = store.find(address)
    if stored is None:
        raise TransferError(f"'{address}' is not there", expected="a bundle that toolkit push put there", got="nothing")
    target = Path(out) if out is not None else Path(stored.name)
    as_file = target.suffix == ZIP
    _check_kind(target, as_file=as_file)
    if as_file and not overwrite and target.exists() and stored.sha256 not in {"", sha256_of(target)}:
        raise _in_the_way(target)  # Known before anything is downloaded.
    signature: list[str] = []
    work = working_file(target)
    try:
        total = stored.bytes // 1024
        report("downloading, KiB", 0, total)
        store.download(address, stored, work, lambda done: report("downloading, KiB", done // 1024, total))
        report("checking it", 0, 0)
        place = _placed_file if as_file else _placed_folder
        packed, unchanged = place(work, target, _Check(str(address), keys, signature.append), overwrite=overwrite)
        digest = sha256_of(target) if as_file else sha256_of(work)
    finally:
        work.unlink(missing_ok=True)
    names = tuple(artifact.name for artifact in packed.artifacts)
    return Pulled(target, str(address), stored.version, stored.bytes, digest, packed.contents.model, names, "".join(signature), unchanged)


@dataclass(frozen=True)
class _Check:
    """How what came is checked."""

    name: str
    keys: Sequence[PublicKey] | None
    on_signature: Callable[[str], None]

    def read(self, file: Path, folder: Path) -> Packed:
        return read_packed(file, folder, keys=self.keys, on_signature=self.on_signature, name=self.name)


def _placed_file(work: Path, target: Path, check: _Check, *, overwrite: bool) -> tuple[Packed, bool]:
    with tempfile.TemporaryDirectory(prefix="toolkit-pull-") as name:
        packed = check.read(work, Path(name))
    unchanged = target.exists() and sha256_of(target) == sha256_of(work)
    if not unchanged:
        if target.exists() and not overwrite:
            raise _in_the_way(target)
        with storage_errors(target):
            work.chmod(0o644)
            work.replace(target)
    return packed, unchanged


def _placed_folder(work: Path, target: Path, check: _Check, *, overwrite: bool) -> tuple[Packed, bool]:
    with new_folder(target, replace=overwrite) as folder:
        packed = check.read(work, folder)
        there = target.exists() and any(target.iterdir())
        unchanged = there and _hashes(target) == _hashes(folder)
        if there and not unchanged and not overwrite:
            raise _in_the_way(target)
    return packed, unchanged


def _hashes(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): sha256_of(file) for file in folder.rglob("*") if file.is_file()}


def _check_kind(target: Path, *, as_file: bool) -> None:
    if as_file and target.is_dir():
        raise InputError(f"'{target}' is a folder", expected=f"a file, as its name ends in {ZIP}", hint="choose another name")
    if as_file or not target.exists():
        return
    if not target.is_dir():
        raise InputError(f"'{target}' is a file", expected=f"a folder, as its name does not end in {ZIP}", hint="choose another name")
    if any(target.iterdir()) and not (target / CONTENTS).is_file():
        # Not even with --overwrite, which takes away all that is in it.
        raise InputError(f"'{target}' holds something else than a bundle that was pulled", hint="choose another name")


def _in_the_way(target: Path) -> InputError:
    return InputError(
        f"'{target}' is there", expected="nothing, or the same bundle", got="something else", hint="to replace it: --overwrite"
    )
