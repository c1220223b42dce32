"""Pushing: a packed bundle into a store, once it has been read as whoever pulls it will read it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from toolkit.core import Bundle, InputError, TransferError, sha256_of
from toolkit.tasks import Limits

from ..bundle import PrivateKey, pack
from ..bundle.check import read_packed
from ..progress import OnCount
from ..source.remembered import limits_for
from ..source.resolve import trained
from ..source.samples import split_samples
from ._found import find_store
from .base import Address, Parcel, Receipt, Store, Stored

_SAMPLES = 1000
"""How many real inputs travel with a bundle that is packed on the way, as with `toolkit bundle`."""


@dataclass(frozen=True)
class Pushed:
    """What lies in the store now.

    Args:
        url: where, without what an address may hold of secrets.
        version: an address of this very content, whatever is pushed later; empty where the store keeps no versions.
        bytes: the size of the zip file.
        sha256: its hash, in hex.
        artifacts: their names.
        unchanged: the same bundle was there already, and nothing was uploaded.
        note: what there is to tell besides; mostly empty.
    """

    url: str
    version: str
    bytes: int
    sha256: str
    artifacts: tuple[str, ...]
    unchanged: bool = False
    note: str = ""


def push(
    bundle: str | Path, url: str, *, sign: str | Path | None = None, overwrite: bool = False, on_progress: OnCount | None = None
) -> Pushed:
    """Upload a bundle to a store, where it appears whole or not at all.

    Args:
        bundle: what `toolkit bundle` packed, which is uploaded as it is; or a bundle folder, which is packed on the way as `toolkit bundle`
            does without options.
        url: ``hf://ORG/NAME[@REVISION]``, ``oci://HOST/REPOSITORY:TAG``, or the address of a file that fsspec knows.
        sign: a private key in PEM that signs a folder's bundle; a packed one is signed where it is packed.
        overwrite: replace another bundle that is there.
        on_progress: called with what is done and with kibibytes: so many of so many.

    Raises:
        InputError: `url` is none, no store has its scheme, or `sign` is given for a packed bundle.
        ArtifactError: `bundle` is no field bundle, or was changed.
        TransferError: another bundle is there, or the store cannot be reached, refuses, or is full.
        MissingDependencyError: the store's library is not installed.
    """
    report: OnCount = on_progress or (lambda _what, _done, _total: None)
    address, source = Address.parse(url), Path(bundle)
    store = find_store(address)
    if sign and not source.is_dir():
        raise InputError(
            f"'{source}' is packed", expected="a bundle folder to sign", hint="sign where it is packed: toolkit bundle --sign KEY"
        )
    key = PrivateKey.read(Path(sign)) if sign else None
    # Before the work of packing, which a store that cannot be reached would make vain.
    report("asking the store", 0, 0)
    there = store.find(address)
    with tempfile.TemporaryDirectory(prefix="toolkit-push-") as name:
        work = Path(name)
        if source.is_dir():
            report("packing", 0, 0)
            file = _packed(source, work / f"{source.resolve().name}.zip", key)
        else:
            file = source
        report("checking it", 0, 0)
        (work / "read").mkdir()
        packed = read_packed(file, work / "read")
        parcel = Parcel(
            file=file, bytes=file.stat().st_size, sha256=sha256_of(file), model=packed.contents.model, artifacts=packed.artifacts
        )
        unchanged = there is not None and _is_same(store, address, there, parcel, work)
        if there is not None and not unchanged and not overwrite:
            raise TransferError(
                f"'{address}' is there", expected="nothing, or the same bundle", got="another one", hint="to replace it: --overwrite"
            )
        if unchanged:
            assert there is not None
            receipt = Receipt(there.version)
        else:
            total = parcel.bytes // 1024
            report("uploading, KiB", 0, total)
            receipt = store.upload(address, parcel, lambda done: report("uploading, KiB", done // 1024, total))
    names = tuple(artifact.name for artifact in parcel.artifacts)
    return Pushed(str(address), receipt.version, parcel.bytes, parcel.sha256, names, unchanged, receipt.note)


def _packed(folder: Path, target: Path, key: PrivateKey | None) -> Path:
    bundle = Bundle.load(folder)
    limits, _ = limits_for(Limits(), bundle.path)
    samples = split_samples(trained(bundle), None, evaluation=_SAMPLES, limits=limits).evaluation
    pack(bundle, samples, target, limits=limits, key=key)
    return target


def _is_same(store: Store, address: Address, there: Stored, parcel: Parcel, folder: Path) -> bool:
    """Whether a store has this bundle already: one that knows no hashes has to show it."""
    if there.bytes != parcel.bytes or there.sha256:
        return there.sha256 == parcel.sha256
    copy = folder / "there.zip"
    store.download(address, there, copy, lambda _done: None)
    return sha256_of(copy) == parcel.sha256
