"""What is in a TensorFlow SavedModel, read without TensorFlow, before TensorFlow reads it.

A SavedModel is a program in TensorFlow's operators. Some of them run Python or touch files; a network needs none of those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import ArtifactError, InputError
from .files import is_plain_name
from .protobuf import fields, first

_REFUSED = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles"})
# Numbers of fields in TensorFlow's saved_model.proto, meta_graph.proto, graph.proto and function.proto.
_META_GRAPHS, _GRAPH, _ASSETS, _ASSET_NAME = 2, 2, 6, 2
_NODES, _LIBRARY, _FUNCTIONS, _FUNCTION_NODES, _OPERATOR = 1, 2, 1, 3, 2


def savedmodel_operators(file: Path) -> Counter[str]:
    """How many operators of each type are in a ``saved_model.pb``, in functions too.

    Raises:
        ArtifactError: the file is empty, truncated or something else.
    """
    content = file.read_bytes()
    try:
        found = Counter(
            first(node, _OPERATOR).decode()
            for meta in fields(content, _META_GRAPHS)
            for graph in fields(meta, _GRAPH)
            for node in _nodes(graph)
        )
    except (IndexError, ValueError) as error:
        raise ArtifactError(f"'{file}' is no complete SavedModel", got=f"{len(content)} bytes", hint="save the model again") from error
    if not found:
        raise ArtifactError(f"'{file}' holds no SavedModel", expected="a graph of operators", got=f"{len(content)} bytes")
    return found


def check_savedmodel(file: Path) -> None:
    """Raise `ArtifactError` where the SavedModel is damaged, or holds an operator that runs Python or touches files."""
    bad = sorted(_REFUSED & savedmodel_operators(file).keys())
    names = [
        first(asset, _ASSET_NAME).decode(errors="replace")
        for meta in fields(file.read_bytes(), _META_GRAPHS)
        for asset in fields(meta, _ASSETS)
    ]
    bad += [f"the asset '{name}'" for name in names if not is_plain_name(name)]
    if bad:
        raise ArtifactError(
            f"'{file}' is refused, it could run code or read files",
            expected="a network, in operators that compute",
            got=", ".join(bad),
            hint="export the network without them",
        )


def serving_name(names: Sequence[str], file: Path) -> str:
    """The function of a SavedModel that serves: ``serving_default``, else the only one; raises `InputError`."""
    if "serving_default" in names:
        return "serving_default"
    if len(names) == 1:
        return names[0]
    raise InputError(f"'{file}'", expected="a signature serving_default, or a single one", got=", ".join(names) or "none")


def _nodes(graph: bytes) -> Iterator[bytes]:
    yield from fields(graph, _NODES)
    for library in fields(graph, _LIBRARY):
        for function in fields(library, _FUNCTIONS):
            yield from fields(function, _FUNCTION_NODES)
