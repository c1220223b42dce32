"""Plug-ins are found, never listed: a file in a package's folder, or an entry point of another distribution."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _discover(package: str, base: type[Any]) -> tuple[Any, ...]:
    folder = importlib.import_module(package)
    modules = [
        importlib.import_module(f"{package}.{info.name}")
        for info in pkgutil.iter_modules(folder.__path__)
        if not info.ispkg and not info.name.startswith("_")
    ]
    modules += [point.load() for point in importlib.metadata.entry_points(group=package)]
    found = {
        cls.__qualname__: cls()
        for module in modules
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, base) and cls.__module__ == module.__name__
        if not inspect.isabstract(cls) and not name.startswith("_")
    }
    return tuple(sorted(found.values(), key=lambda plugin: plugin.name))


def discover(package: str, base: type[T]) -> tuple[T, ...]:
    """One instance of each concrete subclass of `base` defined in a module of `package`, sorted by ``name``.

    Another distribution adds its own through an entry point whose group is the package's name and whose value is
    a module. Modules and classes starting with an underscore are passed over, and so are sub-packages.
    """
    known: Any = base  # The cache hashes the class; mypy does not take an abstract one for hashable.
    return _discover(package, known)
