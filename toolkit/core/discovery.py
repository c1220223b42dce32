"""Plug-ins are found, never listed: a file in a package's folder, or an entry point of another distribution."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

from .errors import ToolkitWarning, printable, words_of

T = TypeVar("T")


@dataclass(frozen=True)
class LeftOut:
    """A plug-in of another distribution that is not used, or not all of it, and why."""

    group: str
    """The entry point's group, such as ``toolkit.runtimes``."""
    name: str
    """The entry point's name."""
    distribution: str
    """Name and version."""
    reason: str

    def __str__(self) -> str:
        return printable(f"plug-in '{self.name}' of {self.distribution} ({self.group}) is left out: {self.reason}")


_left_out: dict[str, tuple[LeftOut, ...]] = {}


def discover(package: str, base: type[T]) -> tuple[T, ...]:
    """One instance of each concrete subclass of `base` defined in a module of `package`, sorted by ``name``.

    Another distribution adds its own through an entry point whose group is the package's name and whose value is
    a module. Modules and classes starting with an underscore are passed over, and so are sub-packages.

    A plug-in of another distribution that cannot be imported, or whose name is taken, is left out with a `ToolkitWarning`: the toolkit's
    own come first, then the distributions by their names.
    """
    known: Any = base  # The cache hashes the class; mypy does not take an abstract one for hashable.
    return _discover(package, known)


def left_out() -> tuple[LeftOut, ...]:
    """The plug-ins that `discover` has left out in this process."""
    return tuple(each for group in sorted(_left_out) for each in _left_out[group])


@cache
def _discover(package: str, base: type[Any]) -> tuple[Any, ...]:
    folder = importlib.import_module(package)
    names = [info.name for info in pkgutil.iter_modules(folder.__path__) if not info.ispkg and not info.name.startswith("_")]
    own = [cls() for name in names for cls in _classes(importlib.import_module(f"{package}.{name}"), base)]
    found = {plugin.name: plugin for plugin in own}
    assert len(found) == len(own), f"two of {package} have one name"
    owners = dict.fromkeys(found, "the toolkit")
    problems: list[LeftOut] = []
    points = [(_owner(point), point) for point in importlib.metadata.entry_points(group=package)]
    for owner, point in sorted(points, key=lambda each: (each[0], each[1].name)):
        try:
            for plugin in _plugins(point, base):
                name = str(plugin.name)
                if name not in found:
                    found[name], owners[name] = plugin, owner
                elif type(found[name]) is not type(plugin):  # Else a second entry point has the same module.
                    problems.append(LeftOut(package, point.name, owner, f"'{name}' is already the name of one of {owners[name]}"))
        except (Exception, SystemExit) as error:  # A stranger's module can raise anything, and may even call exit().
            problems.append(LeftOut(package, point.name, owner, words_of(error)))
    _left_out[package] = tuple(problems)
    for problem in problems:
        warnings.warn(ToolkitWarning(str(problem)), stacklevel=3)
    return tuple(found[name] for name in sorted(found))


def _plugins(point: importlib.metadata.EntryPoint, base: type[Any]) -> list[Any]:
    """What an entry point adds; raises whatever its module or its classes raise."""
    module = point.load()
    if not isinstance(module, ModuleType):
        raise TypeError(f"expected a module, got '{point.value}'")
    plugins = [cls() for cls in _classes(module, base)]
    if not plugins:
        raise TypeError(f"expected a {base.__name__} defined in '{point.value}', got none")
    return plugins


def _classes(module: ModuleType, base: type[Any]) -> list[type[Any]]:
    """The concrete subclasses of `base` that `module` itself defines, each once."""
    found = {
        cls: None
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, base) and cls.__module__ == module.__name__
        if not inspect.isabstract(cls) and not name.startswith("_")
    }
    return list(found)


def _owner(point: importlib.metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"
