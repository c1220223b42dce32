"""Is a ``.pt2`` archive plain data? Checked before torch reads it, because torch's loader may run what a file says.

Read in torch 2.13 (``torch/export/pt2_archive/_package.py``, ``torch/_export/serde/serialize.py``, ``torch/export/_unlift.py``),
loading an archive can execute code through:

- a weight or constant marked ``use_pickle``: ``torch.load(weights_only=False)``;
- constants named ``custom_obj_*`` and ``opaque_obj_*``: unpickled without limits;
- ``data/sample_inputs/*.pt`` and the older ``data/weights/*.pt``, ``data/constants/*.pt``: where ``weights_only=True`` refuses, torch
  tries again with ``weights_only=False``;
- an archive of torch 2.7 or older, to which ``torch.export.load`` falls back: the same loader;
- ``data/aotinductor/``: shared libraries, loaded as they are;
- ``guards_code``: Python source that ``ExportedProgram.module()`` executes;
- ``expr_str``, the symbolic sizes: given to ``sympy.sympify``, which evaluates Python;
- an operator's ``target``, resolved by attributes from ``torch``, so that ``torch.os.system`` is reachable; and ``aten.from_file``,
  which maps any file;
- names, which torch.fx writes into the Python source that it compiles;
- tree specifications: ``defaultdict`` and enumerations import the module that they name.

`check_pt2` accepts only what ``torch.export.save`` writes for a network of tensors, and refuses the rest. It reads the zip
strictly (stored members, one root folder, unique names, nothing before or behind), so that it sees the same members as torch.
"""

from __future__ import annotations

import ast
import io
import json
import pickletools
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from toolkit.core import ArtifactError, first_line

from .torch_zip import FOREIGN_OPCODES, TENSOR_PICKLE, strict_members, unsafe

_MEMBER = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/\w+|models/\w+\.json|extra/[\w./-]+|data/sample_inputs/\w+\.pt"
    r"|data/weights/(weight_\d+|\w+_config\.json)|data/constants/(tensor_\d+|\w+_config\.json)"
)
_PAYLOAD = re.compile(r"(weight|tensor)_\d+")
_TARGET = re.compile(
    r"torch\.ops\.(aten|prims|quantized_decomposed)\.(?!from_file\b)(_?[A-Za-z]\w*|__(and|or|xor|lshift|rshift)__)\.[A-Za-z]\w*"
    r"|torch\.ops\.higher_order\.(cond|while_loop|scan|associative_scan|map_impl|wrap_with_set_grad_enabled|wrap_with_autocast)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|not_)"
    r"|math\.(ceil|floor|trunc|sqrt)|torch\.sym_\w+|torch\._sym_\w+"
)
_PLAIN = re.compile(r"[\w.:+@-]*")
_SIZE_TEXT = re.compile(r"([\w\s+\-*/%(),<>=!&|~]|\.(?=\d))*")
_SYMBOL = re.compile(r"Symbol\('\w+'(, \w+=(True|False))*\)")
_SIZE_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_SIZE_FUNCTIONS = frozenset({
    "FloorDiv", "ModularIndexing", "Where", "PythonMod", "Mod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift", "RShift",
    "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat",
    "Identity", "IsNonOverlappingAndDenseIndicator", "Max", "Min", "Abs", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality",
    "LessThan", "GreaterThan", "StrictLessThan", "StrictGreaterThan", "And", "Or", "Not", "Add",
    "Mul", "Pow", "Integer", "Float", "Rational", "ceiling", "floor",
})  # fmt: skip
PLAIN_TREES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})
_GUARD_NODES = (
    ast.Expression, ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Constant, ast.Name, ast.Attribute, ast.Call,
    ast.cmpop, ast.boolop, ast.operator, ast.unaryop, ast.expr_context,
)  # fmt: skip
_GUARD_METHODS = frozenset({"size", "stride", "storage_offset", "dim"})


def check_pt2(path: Path) -> None:
    """Raise `ArtifactError` unless the ``.pt2`` archive at `path` is complete and holds nothing that torch would execute."""
    check_archive(path, lambda _stream, _members: None)


def check_archive(path: Path, edit: Callable[[IO[bytes], dict[str, zipfile.ZipInfo]], io.BytesIO | None]) -> io.BytesIO | None:
    """Check the archive at `path`, as `check_pt2`, or the copy of it that `edit` returns; that copy is returned.

    Args:
        edit: given the archive and its members by their names below the root folder; returns None to leave it as it is.
    """
    try:
        with path.open("rb") as stream:
            copy = edit(stream, _members(stream, path))
            _check_archive(stream if copy is None else copy, path)
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, RecursionError, EOFError) as error:
        got = "0 bytes" if path.stat().st_size == 0 else first_line(error)
        raise ArtifactError(
            f"'{path}' is no readable .pt2 archive", expected="a file written by torch.export.save", got=got, hint="export it again"
        ) from error
    if copy is not None:
        copy.seek(0)
    return copy


def _check_archive(stream: IO[bytes], path: Path) -> None:
    members = _members(stream, path)
    for name, info in members.items():
        if not _MEMBER.fullmatch(name):
            raise _unsafe(path, f"the member '{name}'")
        if name.startswith("data/sample_inputs/") and info.file_size:
            _check_pickle(_read(stream, info), path, name)
        elif name.endswith("_config.json"):
            for payload in json.loads(_read(stream, info))["config"].values():
                if payload["use_pickle"] is not False or not _PAYLOAD.fullmatch(payload["path_name"]):
                    raise _unsafe(path, f"the pickled object '{payload['path_name']}'")
        elif name.startswith("models/"):
            program = json.loads(_read(stream, info))
            for guard in program.pop("guards_code", []):
                _check_guard(guard, path)
            _check_program(program, path)
    if "archive_format" not in members or not any(name.startswith("models/") for name in members):
        raise _unsafe(path, "no exported program; an archive of torch 2.7 or older is unpickled")


def _members(stream: IO[bytes], path: Path) -> dict[str, zipfile.ZipInfo]:
    """Members by their name below the root folder; a zip that two readers could understand differently is refused."""
    members = strict_members(stream)
    if members is None or any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
        raise _unsafe(path, "a zip that torch did not write")
    return members


def _read(stream: IO[bytes], info: zipfile.ZipInfo) -> bytes:
    with zipfile.ZipFile(stream) as archive:
        return archive.read(info)


def _check_pickle(content: bytes, path: Path, name: str) -> None:
    """Allow only the globals that rebuild tensors, in the opcodes of pickle protocol 2, where a global is spelled out."""
    stream = io.BytesIO(content)
    members = _members(stream, path)
    if "data.pkl" not in members or "constants.pkl" in members:
        raise _unsafe(path, f"'{name}', which is no torch.save file")
    for opcode, argument, _ in pickletools.genops(_read(stream, members["data.pkl"])):
        if opcode.name in FOREIGN_OPCODES:
            raise _unsafe(path, f"a pickled object in '{name}'")
        if opcode.name == "GLOBAL" and not TENSOR_PICKLE.fullmatch(str(argument)):
            raise _unsafe(path, f"a pickled '{str(argument).replace(' ', '.')}' in '{name}'")


def _check_program(value: Any, path: Path, key: str = "") -> None:
    """Every string of the serialized graph must be harmless in the place where torch uses it."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not _PLAIN.fullmatch(name):
                raise _unsafe(path, f"the name {name!r}")
            if name != "metadata":  # Notes for people: torch resolves names in them and calls nothing.
                _check_program(item, path, name)
    elif isinstance(value, list):
        for item in value:
            _check_program(item, path, key)
    elif isinstance(value, str):
        _check_text(value, path, key)


def _check_text(text: str, path: Path, key: str) -> None:
    if key in {"target", "as_operator"} and text.startswith(("torch", "_operator", "math")):
        if not _TARGET.fullmatch(text):
            raise _unsafe(path, f"the operator '{text}'")
    elif key == "expr_str":
        plain = _SYMBOL.sub("s", text)
        if not _SIZE_TEXT.fullmatch(plain) or not set(_SIZE_CALL.findall(plain)) <= _SIZE_FUNCTIONS:
            raise _unsafe(path, f"the size expression {text!r}")
    elif key in {"in_spec", "out_spec"}:
        if text:
            _check_tree(json.loads(text)[1], path)
    elif key not in {"as_string", "as_strings"} and not _PLAIN.fullmatch(text):  # An operator's string arguments are quoted by torch.fx.
        raise _unsafe(path, f"the name {text!r}")


def _check_tree(tree: dict[str, Any], path: Path) -> None:
    if tree["type"] not in PLAIN_TREES or "__enum__" in str(tree["context"]):
        raise _unsafe(path, f"inputs or outputs in a '{tree['type']}'")
    for child in tree["children_spec"]:
        _check_tree(child, path)


def _check_guard(guard: str, path: Path) -> None:
    """Allow comparisons of the inputs' sizes, such as ``L['x'].size()[0] == L['y'].size()[0]``."""
    for node in ast.walk(ast.parse(guard, mode="eval")):
        allowed = isinstance(node, _GUARD_NODES)
        if isinstance(node, ast.Call):
            allowed = isinstance(node.func, ast.Attribute) and node.func.attr in _GUARD_METHODS and not node.keywords
        elif isinstance(node, ast.Attribute):
            allowed = node.attr in _GUARD_METHODS
        elif isinstance(node, ast.Name):
            allowed = node.id == "L"
        elif isinstance(node, ast.Constant):
            allowed = isinstance(node.value, int | float) or (isinstance(node.value, str) and _PLAIN.fullmatch(node.value) is not None)
        if not allowed or '"' in guard or "\\" in guard or "#" in guard or "\n" in guard:
            raise _unsafe(path, f"the guard {guard!r}")


def _unsafe(path: Path, what: str) -> ArtifactError:
    return unsafe(path, what, expected="a network of plain tensors, as torch.export.save writes it")
