"""JavaScript: ONNX Runtime in WebAssembly, in Node and in browsers."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import ClassVar

from toolkit.core import Format
from toolkit.runtimes.browser import ONNXRUNTIME_IN_NODE

from .base import ARRAYS, Language, Program, filled, plain, template

_PICTURES = {"jpeg-js": "0.4.4", "pngjs": "7.0.0"}
"""The npm packages that decode pictures in Node: neither has dependencies or scripts."""
_SAME = ("app.js", "index.html", "network.js", "page.js", "test.js")


class JavaScript(Language):
    """One program for Node, and a page that shares all but the decoding of pictures with it."""

    name = "js"
    engines: ClassVar = {Format.ONNX: "onnxruntime"}
    kinds: ClassVar = frozenset({"picture", "sound", "text"})
    one_file = True
    lacks: ClassVar = frozenset({"float16"})  # No typed array of Node 20 and 22 holds it.

    def texts(self, program: Program) -> dict[str, str]:
        """The preparation is chosen, the rest is the same for all; arrays are read as an exported page reads them."""
        kind = program.about.kind
        texts = {name: template(self.name, name) for name in _SAME}
        texts["index.html"] = filled(texts["index.html"], {"title": plain(program.about.title).replace("<", "&lt;")})
        texts |= {"prepare.js": template(self.name, f"prepare_{kind}.js"), "decode.js": template(self.name, f"decode_{kind}.js")}
        texts |= {"resize.js": template(self.name, "resize.js")} if kind == "picture" else {}
        arrays = files("toolkit.pipeline.export.web") / "arrays.js"
        return {**texts, "arrays.js": arrays.read_text(encoding="utf-8"), "package.json": self._package(program)}

    def steps(self, program: Program) -> tuple[str, ...]:
        """By npm."""
        return ("npm install", "npm test", f"node app.js {program.arguments}")

    def words(self, program: Program) -> dict[str, str]:
        """What decodes pictures."""
        with_pictures = ", and by pngjs and jpeg-js in Node" if program.about.kind == "picture" else ""
        return {"decoded": "" if program.about.kind == ARRAYS else f"; files are decoded in `decode.js`{with_pictures}"}

    def _package(self, program: Program) -> str:
        packages = {ONNXRUNTIME_IN_NODE.package: ONNXRUNTIME_IN_NODE.version}
        packages |= _PICTURES if program.about.kind == "picture" else {}
        package = {
            "name": "app",
            "private": True,
            "type": "module",
            "engines": {"node": ">=20"},
            "scripts": {"start": "node app.js", "test": "node test.js"},
            "dependencies": dict(sorted(packages.items())),
        }
        return json.dumps(package, indent=2) + "\n"
