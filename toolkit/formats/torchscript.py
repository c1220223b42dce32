"""TorchScript: a zip archive with a network's code in a language of its own, and its weights. torch is not needed.

torch's loader unpickles classes of the archive alone and runs its code in an interpreter that knows torch's operators and nothing of
Python. Read in torch's ``csrc/jit/serialization/import_source.cpp`` and ``frontend/ir_emitter.cpp``, code can still do harm through:

- the operators that touch files, ``aten::save`` and ``aten::from_file``, under any of their names: ``torch.save``, ``ops.aten.save``, a
  tensor's method, or ``getattr(torch, "save")``;
- operators of other libraries, ``ops.image.read_file``, and calls of other machines, ``prim::rpc_sync``;
- classes of other libraries, ``__torch__.torch.classes``, which a pickle may name too;
- ``torch`` and ``ops`` under another name, ``t = torch``, behind which all of these could stand.

An archive with one of them is refused, and so is one that two readers of zips could understand differently. Operators that do not check
their bounds remain: a file is only ever run in a process of its own.
"""

from __future__ import annotations

import ast
import pickletools
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from toolkit.core import ArtifactError, Format, Operators

from .base import FileFormat, Start
from .parts.torch_zip import FOREIGN_OPCODES, strict_members, unsafe

_MEMBER = re.compile(
    r"(data|constants|traced_inputs)\.pkl|(data|constants|traced_inputs)/\d+|code/[\w./]+\.py(\.debug_pkl)?|extra/[\w./-]+"
    r"|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id"
)
_NEEDED = ("data.pkl", "constants.pkl", "version")
_PICKLED = re.compile(
    r"(?!__torch__\.torch\.classes\b)__torch__[\w.]* \w+|torch\.jit\._pickle \w+|collections OrderedDict"
    r"|torch\._utils _rebuild_(tensor_v2|qtensor|parameter)|torch (\w+Storage|Size|device)|torch\.nn\.parameter Parameter|builtins complex"
)
_SHARED = frozenset({".pt", ".pth"})
"""Ends of names under which files of weights are as common."""
_MOST_BYTES = 16 * 2**20
"""Of all code together, and of all pickles: large networks have less than one."""
_REFUSED = frozenset({"save", "from_file", "rpc_sync", "rpc_async", "rpc_remote"})
_ROOTS = frozenset({"torch", "ops", "getattr"})
"""What may only be used where it stands, so that no other name means the same."""
_NAMESPACES = frozenset({"aten", "prim", "prims", "quantized"})
"""Of operators that are called by the whole name, ``ops.aten.relu``."""


class TorchScript(FileFormat):
    """What ``torch.jit.save`` writes."""

    format = Format.TORCHSCRIPT
    title = "TorchScript"
    suffixes = (".ts", ".torchscript", ".jit")
    default_engine = "torchscript"
    start = Start(order=5, reference="torchscript")
    needs_inputs = True

    def owns(self, path: Path) -> bool:
        """By its name, and a ``.pt`` file by what is in it: code. Pickled weights and pickled networks have none."""
        if super().owns(path):
            return True
        if path.suffix.lower() not in _SHARED or not path.is_file():
            return False
        try:
            with zipfile.ZipFile(path) as archive:
                return {"constants.pkl", "code"} <= {part for name in archive.namelist() for part in name.split("/")[1:2]}
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            return False

    def _check(self, file: Path) -> None:
        for name, tree in _code(file):
            _check_code(name, tree, file)
        with zipfile.ZipFile(file) as archive:
            pickles = [info for info in archive.infolist() if info.filename.endswith(".pkl")]
            if sum(info.file_size for info in pickles) > _MOST_BYTES:
                raise _unsafe(file, f"more than {_MOST_BYTES} bytes of pickles")
            for info in pickles:
                for opcode, argument, _ in pickletools.genops(archive.read(info)):
                    is_strange = opcode.name == "GLOBAL" and not _PICKLED.fullmatch(str(argument))
                    if is_strange or opcode.name in FOREIGN_OPCODES:
                        raise _unsafe(file, f"a pickled '{str(argument).replace(' ', '.')}'")

    def _operators(self, file: Path) -> Operators:
        """Every call of an operator in the code, by its name, a loop's once; those of a part that stands in several places once too."""
        types = Counter(name for _, tree in _code(file) for node in ast.walk(tree) if (name := _called(node)))
        return Operators(types.total(), sum(count for name, count in types.items() if "quantized" in name), dict(sorted(types.items())))


def _code(file: Path) -> Iterator[tuple[str, ast.Module]]:
    """The files of code by their names, parsed; raises `ArtifactError` for an archive that torch did not write."""
    with file.open("rb") as stream:
        members = _checked(strict_members(stream), file)
        if sum(info.file_size for name, info in members.items() if name.startswith("code/")) > _MOST_BYTES:
            raise _unsafe(file, f"more than {_MOST_BYTES} bytes of code")
        with zipfile.ZipFile(stream) as archive:
            for name, info in members.items():
                if name.endswith(".py"):
                    try:
                        yield name, ast.parse(archive.read(info).decode("ascii"))
                    except MemoryError:  # Python's parser calls its own small stack that.
                        raise _unsafe(file, f"code nested too deeply in {name}") from None


def _checked(members: dict[str, zipfile.ZipInfo] | None, file: Path) -> dict[str, zipfile.ZipInfo]:
    if members is None:
        raise _unsafe(file, "a zip that torch did not write")
    missing = [name for name in _NEEDED if name not in members]
    if missing or not any(name.startswith("code/") and name.endswith(".py") for name in members):
        got = "a file of torch.save: pickled weights, or a pickled network" if "data.pkl" in members else f"no {(*missing, 'code')[0]}"
        hint = "save the network with torch.jit.save(torch.jit.script(network), file)"
        raise ArtifactError(f"'{file}' is no TorchScript archive", expected="a file written by torch.jit.save", got=got, hint=hint)
    for name, info in members.items():
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if not _MEMBER.fullmatch(name) or ".." in name or not (is_stored or name.startswith("code/")):
            raise _unsafe(file, f"the member '{name}'")
    return members


def _check_code(name: str, tree: ast.Module, file: Path) -> None:
    nodes = list(ast.walk(tree))
    asked = [node for node in nodes if isinstance(node, ast.Call) and _last(node.func) == "getattr"]
    texts = {id(each) for node in asked for each in node.args if isinstance(each, ast.Constant)}
    owned = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)} | {id(node.func) for node in asked}
    for node in nodes:
        word = str(node.value) if isinstance(node, ast.Constant) and id(node) in texts else _last(node)
        owner = _last(node.value) if isinstance(node, ast.Attribute) else ""
        if word in _REFUSED or (id(node) in texts and word == "torch"):
            raise _unsafe(file, f"'{word}' in {name}")
        if word in _ROOTS and id(node) not in owned and (isinstance(node, ast.Name) or word == "torch"):
            raise _unsafe(file, f"'{word}' under another name in {name}")
        is_operators = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and owner == "ops"
        if (owner, word) == ("torch", "classes"):
            raise _unsafe(file, f"'torch.classes' in {name}, a class in C++, such as a quantized network's")
        if is_operators and (word not in _NAMESPACES or id(node) not in owned):
            raise _unsafe(file, f"'ops.{word}' in {name}, of another library")


def _last(node: ast.AST) -> str:
    """The last word of a name: ``relu`` of ``torch.relu``; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _called(node: ast.AST) -> str:
    """``aten.relu`` for a call of torch's operators by either name; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    words: list[str] = []
    place = node.func
    while isinstance(place, ast.Attribute):
        words.append(place.attr)
        place = place.value
    if not isinstance(place, ast.Name) or place.id not in {"torch", "ops"}:
        return ""
    return ".".join(reversed(words)) if place.id == "ops" else f"aten.{words[0]}"


def _unsafe(file: Path, what: str) -> ArtifactError:
    return unsafe(file, what, expected="a network of torch's own operators, as torch.jit.save writes it")
