"""Converted artifacts, kept by what decides their content: the same model, recipe and versions convert once."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import msgspec

from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Manifest,
    cache_home,
    instruction_sets,
    mark_used,
    new_folder,
    plugin_sha256,
    remove_folder,
    sources_sha256,
    version_of,
)

from .base import Converter, Recipe


def key_of(converter: Converter, source: Artifact, recipe: Recipe) -> str:
    """The SHA-256 of everything that decides what `converter` makes of `source`.

    Raises:
        InputError, DataError: as `Converter.check`.
    """
    calibration = converter.check(source, recipe)
    seen = converter.samples_of(source, recipe)
    parts = {
        "source": source.manifest.content_sha256,
        "schema": source.manifest.schema,
        "signature": source.manifest.signature,
        "converter": converter.name,
        "recipe": converter.recipe_record(recipe),
        "calibration": calibration.sha256 if calibration else seen.sha256 if seen else "",
        "versions": converter.versions(),
        "toolkit": version_of("edge-inference-toolkit"),
        "code": _code_sha256(),
        "plugin": plugin_sha256(converter),
        # A quantizer that runs its candidates chooses by what the engine computes here.
        "machine": instruction_sets() if calibration else (),
    }
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def _code_sha256() -> str:
    """A hash of all code of the toolkit that a conversion can run."""
    return sources_sha256("toolkit.core", "toolkit.formats", "toolkit.converters")


def lookup(key: str) -> Artifact | None:
    """The artifact kept under `key`, its files compared with their hashes; a damaged one is removed and counts as absent."""
    folder = _folder(key)
    if not folder.exists():
        return None
    try:
        found = Artifact.load(folder)
    except (ArtifactError, FileNotFoundError):
        remove_folder(folder)
        return None
    mark_used(folder)
    return found


def store(key: str, artifact: Artifact) -> None:
    """Keep a copy of `artifact` under `key`; when another process was faster, its copy stays.

    Raises:
        StorageError: the cache folder cannot be written.
    """
    folder = _folder(key)
    if not folder.exists():
        copy(artifact, folder, replace=False)


def copy(artifact: Artifact, out: Path, *, manifest: Manifest | None = None, replace: bool = True) -> Artifact:
    """The artifact's files in the new folder `out`, with `manifest` in place of its own; without `replace` an `out` that exists stays.

    The copy shares nothing with the original: a hard link would let an edit of one damage the other.

    Raises:
        ArtifactError: a file changed while it was copied.
        StorageError: the folder cannot be written.
    """
    with new_folder(out, replace=replace) as work:
        for name in artifact.manifest.files:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(artifact.path / name, work / name)
        made = Artifact(work, manifest or artifact.manifest)
        (work / MANIFEST).write_bytes(made.manifest.to_json())
        made.verify_files()
    return Artifact(out, made.manifest)


def _folder(key: str) -> Path:
    return cache_home() / "artifacts" / key[:2] / key
