"""Registries of containers, as OCI artifacts: one layer, the zip file itself, so that ``oras pull`` downloads it too."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import msgspec

from toolkit.core import ArtifactError, InputError, ToolkitError, TransferError, decode_json

from ._registry import MANIFEST, RefusedError, Registry
from .base import Address, OnBytes, Parcel, Receipt, Store, Stored, no_rights, sha256_of_bytes, unreachable, write_chunks

_ARTIFACT = "application/vnd.edge-inference-toolkit.bundle.v1"
_LAYER = "application/vnd.edge-inference-toolkit.bundle.v1+zip"
_EMPTY = "application/vnd.oci.empty.v1+json"
_TITLE = "org.opencontainers.image.title"
_ADDRESS = re.compile(
    r"(?P<host>(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?)/(?P<repository>[a-z0-9]+(?:(?:[._]|__|-+|/)[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))",
    re.ASCII,
)
_DOCKER_HUB = {"docker.io": "registry-1.docker.io"}


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    """A descriptor: what lies in the registry under its digest."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}


class _Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """An image manifest of the OCI Image Specification 1.1, as it is used for artifacts."""

    config: _Part
    layers: tuple[_Part, ...]
    schema_version: int = 2
    media_type: str = MANIFEST
    artifact_type: str = _ARTIFACT


class Oci(Store):
    """A tag of a repository in a registry. The tag comes last: until the bundle is all there it names what it named before."""

    name = "oci"
    takes = "oci://HOST[:PORT]/REPOSITORY:TAG"

    def schemes(self) -> tuple[str, ...]:
        """Its own."""
        return ("oci",)

    def _find(self, address: Address) -> Stored | None:
        host, repository, reference = _parts(address)
        with Registry(host, repository) as registry:
            content = registry.manifest(reference)
        if content is None:
            return None
        digest = f"sha256:{sha256_of_bytes(content)}"
        if reference.startswith("sha256:") and reference != digest:
            raise ArtifactError(f"'{address}' was changed on the way", expected=reference, got=digest, hint="pull again")
        part = _layer(content, address)
        version = _pinned(address, reference, digest)
        return Stored(name=_file_name(repository), bytes=part.size, sha256=part.digest.removeprefix("sha256:"), version=version)

    def _download(self, address: Address, stored: Stored, target: Path, on_bytes: OnBytes) -> None:
        host, repository, _ = _parts(address)
        with Registry(host, repository) as registry:
            write_chunks(target, registry.blob(f"sha256:{stored.sha256}", stored.bytes), stored.bytes, on_bytes)

    def _upload(self, address: Address, parcel: Parcel, on_bytes: OnBytes) -> Receipt:
        host, repository, reference = _parts(address)
        if reference.startswith("sha256:"):
            raise InputError(f"'{address}' is named after its content", expected="a tag to push to", got="a digest")
        empty = b"{}"
        config = _Part(_EMPTY, f"sha256:{sha256_of_bytes(empty)}", len(empty))
        layer = _Part(_LAYER, f"sha256:{parcel.sha256}", parcel.bytes, {_TITLE: _file_name(repository)})
        manifest = msgspec.json.encode(_Manifest(config, (layer,)))
        with Registry(host, repository) as registry:
            registry.put_blob(config.digest, empty, lambda _done: None)
            registry.put_blob(layer.digest, parcel.file, on_bytes)
            registry.put_manifest(reference, manifest)
        return Receipt(_pinned(address, reference, f"sha256:{sha256_of_bytes(manifest)}"))

    def _problem(self, address: Address, error: Exception) -> ToolkitError | None:
        import httpx2

        match error:
            case RefusedError(status=401 | 403):
                host = _parts(address)[0]
                return no_rights(address, str(error), log_in=f"log in: docker login {host}, or oras login {host}")
            case RefusedError(status=413 | 507):
                return TransferError(f"'{address}' has no room for it", got=str(error), hint="free some space there")
            case RefusedError(status=404):
                return TransferError(f"'{address}' is not there", expected="a repository of this registry", got=str(error))
            case RefusedError():
                return TransferError(f"'{address}' was refused", got=str(error), hint="try again later")
            case httpx2.TransportError() | httpx2.TooManyRedirects() | httpx2.InvalidURL():
                return unreachable(address, error)
        return None


def _parts(address: Address) -> tuple[str, str, str]:
    """Host, repository, and a tag or a digest."""
    match = _ADDRESS.fullmatch(address.rest)
    if match is None:
        raise InputError(
            f"'{address}' names nothing in a registry",
            expected=f"{Oci.takes}, the repository in small letters",
            hint="" if re.search(r"[^/]:[^/]+$", address.rest) else "add a tag, such as :1",
        )
    return _DOCKER_HUB.get(match["host"], match["host"]), match["repository"], match["tag"] or match["digest"]


def _file_name(repository: str) -> str:
    return f"{PurePosixPath(repository).name}.zip"


def _pinned(address: Address, reference: str, digest: str) -> str:
    """The address with a digest in place of its `reference`."""
    return f"{address.url.removesuffix(reference)[:-1]}@{digest}"


def _layer(content: bytes, address: Address) -> _Part:
    """The bundle that a manifest names."""
    try:
        found = decode_json(content, _Manifest)
    except msgspec.DecodeError as error:
        raise ArtifactError(f"'{address}' is no bundle: {error}", expected=f"what toolkit push wrote, {_LAYER}") from error
    if [part.media_type for part in found.layers] != [_LAYER]:
        kinds = ", ".join(part.media_type for part in found.layers) or "nothing"
        raise ArtifactError(f"'{address}' is no bundle", expected=f"what toolkit push wrote, {_LAYER}", got=kinds)
    part = found.layers[0]
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", part.digest) or part.size < 0:
        raise ArtifactError(f"'{address}' is no bundle", expected="a size, and a hash by SHA-256", got=f"{part.size}, {part.digest}")
    return part
