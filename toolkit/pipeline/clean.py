"""What may go from a folder of bundles: killed runs' leftovers, logs, and artifacts that can be made again. Nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.converters.planner import all_converters
from toolkit.converters.recipes import builtin_recipes
from toolkit.core import (
    MANIFEST,
    NOISE,
    Artifact,
    InputError,
    Manifest,
    StorageError,
    ToolkitError,
    leftovers,
    remove_folder,
    remove_leftover,
    size_of,
    storage_errors,
)
from toolkit.models.data import all_data

_LOGS, _LOG = "logs", ".log"


@dataclass(frozen=True)
class Waste:
    """A file or folder that may go: ``kind`` is leftover, log or artifact, ``why`` says what made it."""

    kind: str
    path: Path
    size_bytes: int
    why: str


def find_waste(folder: Path, *, artifacts: bool = False) -> list[Waste]:
    """What may go from `folder` and the folders below it; links are not followed.

    With `artifacts` also those that a converter made out of the trained model in the same bundle, on data that the toolkit knows.

    Raises:
        InputError: no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"no folder '{folder}'", expected="a folder of bundles")
    found: list[Waste] = []
    for home in _folders(folder):
        found += [Waste("leftover", path, size_of(path), "left by a killed run") for path in leftovers(home)]
        loaded = [artifact for path in sorted(home.iterdir()) if (artifact := _loaded(path)) is not None]
        if loaded:
            logs = home / _LOGS
            found += [Waste("log", path, size_of(path), "what the libraries said in a conversion") for path in _logs(logs)]
        if artifacts:
            roots = {a.manifest.content_sha256 for a in loaded if not a.manifest.root and _is_whole(a)}
            found += [Waste("artifact", a.path, size_of(a.path), f"made by {a.manifest.edge}") for a in loaded if _can_be_made(a, roots)]
    return found


def remove(waste: Waste) -> None:
    """Remove what `find_waste` found; raises `StorageError` when it cannot be."""
    if waste.kind == "leftover":
        remove_leftover(waste.path)
    elif waste.kind == "artifact":
        remove_folder(waste.path)
    else:
        with storage_errors(waste.path):
            waste.path.unlink(missing_ok=True)
        if not any(waste.path.parent.iterdir()):
            waste.path.parent.rmdir()
    if waste.path.exists():
        raise StorageError(f"cannot remove '{waste.path}'", hint="is it yours?")


def _folders(folder: Path) -> Iterator[Path]:
    """`folder` and those below it, but not what is inside working folders."""
    for home, names, _ in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield Path(home)


def _loaded(path: Path) -> Artifact | None:
    if path.name.startswith(".") or path.is_symlink() or not (path / MANIFEST).is_file():
        return None
    try:
        return Artifact.load(path, verify=False)
    except ToolkitError:
        return None


def _is_whole(artifact: Artifact) -> bool:
    try:
        artifact.verify_files()
    except ToolkitError:
        return False
    return True


def _logs(folder: Path) -> list[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix == _LOG and path.is_file() and not path.is_symlink())


def _can_be_made(artifact: Artifact, roots: set[str]) -> bool:
    manifest = artifact.manifest
    made = manifest.root in roots and manifest.edge in {converter.name for converter in all_converters()}
    known = _is_recipe_known(manifest) and _is_data_known(manifest)
    return made and known and {path.name for path in artifact.path.iterdir()} <= {MANIFEST, *manifest.files}


def _is_recipe_known(manifest: Manifest) -> bool:
    """Whether the recipe can be had again: a user's own file may be gone."""
    return not manifest.variant or f"{manifest.precision}-{manifest.variant}" in builtin_recipes()


def _is_data_known(manifest: Manifest) -> bool:
    """Whether what calibrated it can be had again: samples of a user's own file may be gone."""
    origin = "" if manifest.calibration is None else manifest.calibration.origin
    return not origin or origin.startswith(NOISE) or origin.partition("/")[0] in {data.name for data in all_data()}
