"""Code that a user names, as ``path/to/file.py:name`` or ``package.module:name``. It runs in a process of its own, and only there are its
folder's files importable.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from .errors import InputError, ToolkitError, words_of

_TEXT = re.compile(r"(?P<module>.+\.py|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)")


@dataclass(frozen=True)
class CodeName:
    """A ``.py`` file or an importable module, and the name of something in it."""

    module: str
    name: str

    @property
    def is_file(self) -> bool:
        """Whether the module is named by its file."""
        return self.module.endswith(".py")

    @property
    def origin(self) -> str:
        """``net.py:make``, as manifests keep it: without the folder."""
        return f"{Path(self.module).name}:{self.name}"

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `text` names, None where it is no such name."""
        match = _TEXT.fullmatch(text)
        return cls(match["module"], match["name"]) if match else None

    def value(self, folder: Path) -> Any:
        """Import the module, as from `folder`, and return what is named; raises `InputError`, also for whatever the code raises."""
        with errors_of(self, hint="does it run by itself?"):
            value = _imported(self.module, folder)
            for part in self.name.split("."):
                if not hasattr(value, part):
                    known = sorted(name for name, each in vars(value).items() if not name.startswith("_") and callable(each))
                    raise InputError(f"'{self.module}' has no '{self.name}'", expected=f"one of {', '.join(known) or 'nothing callable'}")
                value = getattr(value, part)
            return value

    def called(self, make: Callable[[], Any]) -> Any:
        """What `make` of this code returns; raises `InputError` for whatever it raises."""
        with errors_of(self, hint="does it run without arguments?"):
            return make()


@contextmanager
def errors_of(code: CodeName, *, hint: str = "", kind: type[InputError] = InputError) -> Iterator[None]:
    """Turn whatever a user's code raises inside the block into one line with its words, an error of `kind`."""
    try:
        yield
    except ToolkitError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # Ctrl-C is the parent's to handle: this one is the code's own.
        raise kind(f"'{code}' raised {words_of(error)}", hint=hint) from error


def _imported(name: str, folder: Path) -> Any:
    if not name.endswith(".py"):
        sys.path.insert(0, str(folder))
        return importlib.import_module(name)
    file = (folder / name).resolve()
    # Behind the installed packages: a random.py beside the file must not take the place of Python's own.
    sys.path.append(str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem if file.stem not in sys.modules else f"user_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up there.
    spec.loader.exec_module(module)
    return module
