"""Optional dependencies: which distribution, which version, and the command that installs a missing one."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from .errors import MissingDependencyError

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName

DISTRIBUTION = "edge-inference-toolkit"
_BUILDS = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-qnn", "onnxruntime-directml")}
"""Distributions that bring the same module for other devices, and are installed in place of the first."""


@dataclass(frozen=True)
class _Origin:
    """``direct_url.json``, as PEP 610 has it: where an installed distribution came from, unless that was an index."""

    url: str
    dir_info: dict[str, bool] | None = None
    vcs_info: dict[str, str] | None = None


@functools.cache
def _origin() -> _Origin | None:
    """Where this distribution came from; None where that was an index, or nobody knows."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, msgspec.DecodeError):
        text = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        return msgspec.json.decode(text, type=_Origin) if text else None
    clone = Path(__file__).parents[2]
    return _Origin(clone.as_uri(), {}) if (clone / "pyproject.toml").is_file() else None


def install_command(extra: str) -> str:
    """The command that installs an extra of this distribution from where it came: who registered its name at an index, if anybody did,
    is not known.
    """
    origin = _origin()
    if origin is None:
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    if origin.vcs_info is not None:
        commit = origin.vcs_info.get("commit_id", "")
        return f"pip install '{DISTRIBUTION}[{extra}] @ {origin.vcs_info.get('vcs', 'git')}+{origin.url}{f'@{commit}' if commit else ''}'"
    if origin.dir_info is None:  # An archive, such as a wheel.
        return f"pip install '{DISTRIBUTION}[{extra}] @ {origin.url}'"
    from urllib.parse import urlsplit  # Here: they take 50 ms, which a command that misses nothing need not wait for.
    from urllib.request import url2pathname

    editable = "--editable " if origin.dir_info.get("editable") else ""
    return f"pip install {editable}'{url2pathname(urlsplit(origin.url).path)}[{extra}]'"


@contextlib.contextmanager
def needs(extra: str) -> Iterator[None]:
    """Turn an ImportError inside the block into `MissingDependencyError` with the command that installs `extra`."""
    try:
        yield
    except ImportError as error:
        missing = error.name or str(error)
        raise MissingDependencyError(f"'{missing}' cannot be imported ({error})", hint=f"run: {install_command(extra)}") from error


@contextlib.contextmanager
def part_of(extra: str) -> Iterator[None]:
    """Name `extra` for whatever is missing inside the block: a command asks once for all that it needs, and not part after part."""
    try:
        yield
    except MissingDependencyError as error:
        raise MissingDependencyError(error.problem, hint=f"run: {install_command(extra)}") from error


def without_telemetry() -> None:
    """Call before the first import of an engine: onnxruntime, from 1.31 on, and OpenVINO report to their makers when they are imported.

    ``ORT_DISABLE_TELEMETRY`` is onnxruntime's documented switch; a user who set it himself is left alone. OpenVINO has none for
    a process: without its reporting package it uses a stub. What reports is a forked process, which can outlive ours for ever.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    for name in ("openvino_telemetry", "openvino_telemetry.backend"):
        modules.setdefault(name, None)  # None is how the import system marks a module that is not there.


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let what is imported inside the block take these modules for not installed; those that are imported already stay."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))  # None is how the import system marks a module that is not there.
    try:
        yield
    finally:
        for name in absent:
            modules.pop(name, None)


def has_module(name: str) -> bool:
    """Whether a module can be found, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ModuleNotFoundError, ValueError):
        return False


@functools.cache
def _wanted() -> dict[NormalizedName, SpecifierSet]:
    """The versions that this distribution's own metadata asks of others; nothing where it runs without being installed."""
    from packaging.requirements import Requirement  # Here: it takes 30 ms, which a command without an engine need not wait for.
    from packaging.utils import canonicalize_name

    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    return {canonicalize_name(each.name): each.specifier for each in map(Requirement, lines)}


def outdated(distribution: str) -> str:
    """``at version 1.10, where >=1.20 is needed`` for an installed distribution that is not what this one asks for; else empty."""
    from packaging.utils import canonicalize_name

    version, wanted = version_of(distribution), _wanted().get(canonicalize_name(distribution))
    if version is None or wanted is None or wanted.contains(version, prereleases=True):
        return ""
    return f"at version {version}, where {wanted} is needed"


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution, or of its build for another device, read without importing it; None when none is."""
    for name in (distribution, *_BUILDS.get(distribution, ())):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return None
