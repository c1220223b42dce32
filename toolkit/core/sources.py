"""The toolkit's own code as a part of the keys of its caches: a version number does not change with every correction."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".py", ".js")


@functools.cache
def sources_sha256(*names: str) -> str:
    """A hash of the source files of packages and modules, such as ``toolkit.core``, by their paths in them, read once a process.

    One that does not exist counts as empty: a package may be left out of an installation.
    """
    digest = hashlib.sha256()
    for name in names:
        for path, file in sorted(_files(name)):
            content = file.read_bytes()
            digest.update(f"{name} {path} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def plugin_sha256(plugin: object) -> str:
    """A hash of the file that defines a plug-in's class, which may belong to another distribution; empty where there is no file."""
    file = getattr(sys.modules.get(type(plugin).__module__), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def _files(name: str) -> Iterator[tuple[str, Path]]:
    """The source files of a package or module, each with its path in it."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        assert spec.origin is not None, f"{name} has no file"
        yield "", Path(spec.origin)
        return
    for root in spec.submodule_search_locations:
        for folder, _, files in os.walk(root):
            yield from ((os.path.relpath(Path(folder, file), root), Path(folder, file)) for file in files if file.endswith(_SUFFIXES))
