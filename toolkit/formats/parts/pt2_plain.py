"""A ``.pt2`` archive as torch may load it: with tuples and dictionaries only around its inputs and outputs.

A network of another library returns a class of its own, such as the ``ModelOutput`` of `transformers`. torch would import the module
that the archive names, which may run code, and fails where the library is missing. The arrays in it are all that a runtime needs, so
such a class is read as a dictionary where its fields have names, else as a tuple.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .pt2_archive import PLAIN_TREES, check_archive

_SPECS = frozenset({"in_spec", "out_spec"})


def plain_pt2(path: Path) -> Path | io.BytesIO:
    """What to give to ``torch.export.load``: `path` itself, or a copy in memory where a class of another library is a plain container.

    Raises:
        ArtifactError: the archive is incomplete, or holds something that torch would execute.
    """
    copy = check_archive(path, _plain_copy)
    return path if copy is None else copy


@contextlib.contextmanager
def torch_reads() -> Iterator[None]:
    """Put around ``torch.export.load``: torch 2.11 warns there of how it makes tensors of bytes itself; nobody writes to them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given buffer is not writable", category=UserWarning)
        yield


def _plain_copy(stream: Any, members: dict[str, zipfile.ZipInfo]) -> io.BytesIO | None:
    """The archive with plain containers; None where they are plain already."""
    changed: dict[str, bytes] = {}
    with zipfile.ZipFile(stream) as archive:
        for name, info in members.items():
            if name.startswith("models/"):
                program = json.loads(archive.read(info))
                if _make_plain(program):
                    changed[info.filename] = json.dumps(program).encode()
        if not changed:
            return None
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
            for info in members.values():
                target.writestr(info.filename, changed.get(info.filename) or archive.read(info))
    return copy


def _make_plain(value: Any) -> bool:
    """Replace, in place, every class in the specifications of containers below `value`; whether there was one."""
    changed = False
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _SPECS and isinstance(item, str) and item:
                version, tree = json.loads(item)
                if _plain_tree(tree):
                    value[key] = json.dumps([version, tree])
                    changed = True
            else:
                changed |= _make_plain(item)
    elif isinstance(value, list):
        for item in value:
            changed |= _make_plain(item)
    return changed


def _plain_tree(tree: dict[str, Any]) -> bool:
    children = tree["children_spec"]
    changed = False
    for child in children:
        changed |= _plain_tree(child)
    if tree["type"] in PLAIN_TREES:
        return changed
    names = _names(tree["context"], len(children))
    tree["type"] = "builtins.dict" if names else "builtins.tuple"
    tree["context"] = json.dumps(names) if names else "null"
    return True


def _names(context: Any, count: int) -> list[str]:
    """The names of a class's fields out of what it says of itself: a list of them, or a list that begins with one; else none."""
    try:
        found = json.loads(context)
    except (TypeError, ValueError):
        return []
    for names in (found, found[0] if isinstance(found, list) and found else None):
        if isinstance(names, list) and len(set(map(str, names))) == count > 0 and all(isinstance(name, str) for name in names):
            return names
    return []


def keep_tensors(graph: Any) -> None:
    """Take away, in place, what is no tensor among the inputs and outputs of an unlifted program's ``torch.fx.Graph``: numbers, flags and
    None, which tracing has fixed. Its generator of code must be the plain one, without containers.
    """
    for node in [node for node in graph.nodes if node.op == "placeholder" and not node.users]:
        if not hasattr(node.meta.get("val"), "shape"):
            graph.erase_node(node)
    output = graph.output_node()
    # A node is what is computed: a tensor, or a size that `Signature` has no place for and that the reader of the signature refuses.
    output.args = (tuple(value for value in output.args[0] if hasattr(value, "op")),)
