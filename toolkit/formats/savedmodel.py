"""TensorFlow's SavedModel: a folder with a program as a protocol buffer and its variables.

Read without TensorFlow, before TensorFlow reads it. A SavedModel is a program in TensorFlow's operators. Some of them run Python or touch
files; a network needs none of those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.core import MANIFEST, ArtifactError, Format, InputError, Operators
from toolkit.core.files import is_link, is_plain_name

from .base import FileFormat, Start
from .parts.protobuf import fields, first

_REFUSED = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles"})
# Numbers of fields in TensorFlow's saved_model.proto, meta_graph.proto, graph.proto and function.proto.
_META_GRAPHS, _GRAPH, _ASSETS, _ASSET_NAME = 2, 2, 6, 2
_NODES, _LIBRARY, _FUNCTIONS, _FUNCTION_NODES, _OPERATOR = 1, 2, 1, 3, 2
_NO_OPERATORS = frozenset({"Const", "Placeholder", "NoOp", "VarHandleOp"})
_VARIABLES = "variables/variables.index"


class SavedModel(FileFormat):
    """What ``tf.saved_model.save`` and ``model.export`` write."""

    format = Format.SAVEDMODEL
    title = "SavedModel"
    suffixes = (".pb",)
    default_engine = "savedmodel"
    start = Start(order=3, reference="savedmodel")
    is_folder = True

    def files(self, path: Path) -> dict[str, Path]:
        """Every file of the folder; a link may lead out of it."""
        found = {}
        for file in sorted(path.rglob("*")):
            if is_link(file):
                raise InputError(f"'{file}' is a symbolic or hard link", expected="the SavedModel's own files", hint="copy the folder")
            if file.is_file() and file.name != MANIFEST:
                found[file.relative_to(path).as_posix()] = file
        return found

    def _check(self, file: Path) -> None:
        check_savedmodel(file)
        if "VarHandleOp" in savedmodel_operators(file) and not (file.parent / _VARIABLES).is_file():
            raise ArtifactError(f"'{file}' has no weights", expected=f"'{_VARIABLES}' beside it", hint="copy the whole folder")

    def _operators(self, file: Path) -> Operators:
        """Every operator but constants, placeholders and variables, in functions too; none is quantized, the file is a float network."""
        types = {name: count for name, count in sorted(savedmodel_operators(file).items()) if name not in _NO_OPERATORS}
        return Operators(sum(types.values()), 0, types)


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
        problem = f"'{file}' is no complete SavedModel"
        raise ArtifactError(problem, expected="a protocol buffer", got=f"{len(content)} bytes", hint="save the model again") from error
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
