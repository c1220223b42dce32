"""Python: NumPy, the engine, and Pillow for pictures."""

from __future__ import annotations

from typing import ClassVar

from toolkit.core import Format, version_of
from toolkit.runtimes import find_runtime

from .base import Language, Program, template


class Python(Language):
    """Without the toolkit."""

    name = "python"
    engines: ClassVar = {Format.ONNX: "onnxruntime", Format.OPENVINO: "openvino", Format.TFLITE: "litert"}
    kinds: ClassVar = frozenset({"picture", "sound", "text"})

    def texts(self, program: Program) -> dict[str, str]:
        """The engine and the preparation are chosen, the rest is the same for all."""
        sources = {
            "app.py": "app.py",
            "test_app.py": "test_app.py",
            "engine.py": f"engine_{program.format}.py",
            "prepare.py": f"prepare_{program.about.kind}.py",
        }
        texts = {name: template(self.name, source) for name, source in sources.items()}
        return {**texts, "requirements.txt": self._requirements(program)}

    def steps(self, program: Program) -> tuple[str, ...]:
        """By pip."""
        return ("pip install -r requirements.txt", "python test_app.py", f"python app.py {program.arguments}")

    def _requirements(self, program: Program) -> str:
        """The versions that are installed here."""
        names = ["numpy", find_runtime(self.engines[program.format]).distribution]
        names += ["pillow"] if program.about.kind == "picture" else []
        return "".join(f"{name}=={version}\n" if (version := version_of(name)) else f"{name}\n" for name in names)
