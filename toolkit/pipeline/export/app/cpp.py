"""C++17: OpenVINO for its own files and for ONNX, whose headers and libraries its Python package holds too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from toolkit.core import Format, TensorSpec

from .base import About, Language, Program, filled, template

_SAME = ("app.cpp", "arrays.cpp", "arrays.h", "network.cpp", "network.h", "prepare.h", "test.cpp")
_PICTURE = ("decode.cpp", "decode.h", "resize.cpp", "resize.h")
_CMAKE = '$(python3 -c "from openvino.utils import get_cmake_path as path; print(path())")'


class Cpp(Language):
    """One executable and its test, built by CMake."""

    name = "cpp"
    engines: ClassVar = {Format.ONNX: "openvino", Format.OPENVINO: "openvino"}
    kinds: ClassVar = frozenset({"picture", "sound", "text"})

    def prepares(self, kind: str, preparation: Mapping[str, object]) -> bool:
        """But words by what Unicode calls a letter: C++ has no such table."""
        return super().prepares(kind, preparation) and preparation.get("split") != "vocabulary"

    def texts(self, program: Program) -> dict[str, str]:
        """The preparation is chosen, the rest is the same for all."""
        kind = program.about.kind
        names = (*_SAME, *(_PICTURE if kind == "picture" else ()))
        texts = {name: template(self.name, name) for name in names}
        sources = [name for name in ("prepare.cpp", *sorted(names)) if name.endswith(".cpp") and name not in {"app.cpp", "test.cpp"}]
        libraries = "find_package(PNG REQUIRED)\nfind_package(JPEG REQUIRED)\n" if kind == "picture" else ""
        linked = " PNG::PNG JPEG::JPEG" if kind == "picture" else ""
        values = {"sources": " ".join(sources), "libraries": libraries, "linked": linked}
        return {
            **texts,
            "prepare.cpp": template(self.name, f"prepare_{kind}.cpp"),
            "about.h": about_h(program.about),
            "CMakeLists.txt": filled(template(self.name, "CMakeLists.txt"), values),
        }

    def steps(self, program: Program) -> tuple[str, ...]:
        """By CMake."""
        return (
            f"cmake -B build -DOpenVINO_DIR={_CMAKE}",
            "cmake --build build",
            "ctest --test-dir build --output-on-failure",
            f"build/app {program.arguments}",
        )

    def words(self, program: Program) -> dict[str, str]:
        """What must be there before."""
        packages = "cmake g++" + (" libpng-dev libjpeg-dev" if program.about.kind == "picture" else "")
        decoded = "| `decode.cpp`, `resize.cpp` | PNG, JPEG and PPM; the resize |\n" if program.about.kind == "picture" else ""
        return {"packages": packages, "decoded": decoded}


def about_h(about: About) -> str:
    """What the program knows of its network, as constants."""
    limits = about.limits
    lines = [
        f"const char *const model = {_text(about.model)};",
        f"const char *const float_type = {_text({'fp16': 'f16', 'bf16': 'bf16'}.get(about.precision, 'f32'))};",
        f"const std::vector<Spec> inputs = {_specs(about.inputs)};",
        f"const std::vector<Spec> outputs = {_specs(about.outputs)};",
        f"const std::vector<std::string> labels = {_list(map(_text, about.labels))};",
        f"const std::vector<std::string> suffixes = {_list(map(_text, about.suffixes))};",
        f"const char *const example = {_text(about.example)};",
        f"const double atol = {limits.atol!r}, rtol = {limits.rtol!r}, sqnr_db = {limits.sqnr_db!r}, prepared = {limits.prepared!r};",
    ]
    constants = [f"const {_typed(name, value)};" for name, value in _preparation(about).items()]
    body = "\n".join(f"inline {line}" for line in lines)
    own = "\n".join(f"inline {line}" for line in constants)
    return filled(template("cpp", "about.h"), {"body": body, "preparation": own})


def _preparation(about: About) -> dict[str, object]:
    found = dict(about.preparation)
    if about.kind == "text":
        tokens = found["tokens"]
        assert isinstance(tokens, tuple)
        found["unknown"] = -1 if found["unknown"] is None else found["unknown"]
        found["lowered"] = _lowered("".join(tokens)) if found["lower"] else ()
    return found


def _lowered(known: str) -> tuple[str, ...]:
    """Pairs of a character and its lower case, where that is in a token: any other one makes a piece that is no token either way."""
    characters = set(known)
    each = (chr(number) for number in range(sys.maxunicode + 1))
    pairs = ((one, low) for one in each if (low := one.lower()) != one and set(low) <= characters)
    return tuple(part for pair in pairs for part in pair)


def _typed(name: str, value: object) -> str:
    """A constant with its type."""
    if isinstance(value, tuple):
        kind = _kind(value[0]) if value and not isinstance(value[0], str) else "std::string"
        return f"std::vector<{kind}> {name} = {_list(map(_literal, value))}"
    return f"{_kind(value)} {name} = {_literal(value)}"


def _kind(value: object) -> str:
    return {bool: "bool", int: "long long", float: "double", str: "char *const"}[type(value)]


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else _text(value) if isinstance(value, str) else repr(value)


def _specs(specs: Sequence[TensorSpec]) -> str:
    """Free sizes are negative, the same one for the same name."""
    names = list(dict.fromkeys(size for spec in specs for size in spec.shape if isinstance(size, str)))

    def row(spec: TensorSpec) -> str:
        sizes = (str(size if isinstance(size, int) else -1 - names.index(size)) for size in spec.shape)
        return f"{{{_text(spec.name)}, {_text(spec.dtype)}, {_list(sizes)}}}"

    return _list(map(row, specs))


def _list(items: Iterable[str]) -> str:
    return f"{{{', '.join(items)}}}"


def _text(text: str) -> str:
    """A string of C++ in UTF-8. Octal, since what follows a hexadecimal number may go on with it."""
    quoted = json.dumps(text)[1:-1] if text.isascii() and text.isprintable() else "".join(f"\\{byte:03o}" for byte in text.encode())
    return f'"{quoted.replace("??", "?" + chr(92) + "?")}"'
