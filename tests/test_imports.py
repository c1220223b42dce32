"""Every module imports with no extra installed, and `import toolkit` loads next to nothing."""

from __future__ import annotations

import subprocess
import sys

EXTRAS = (
    "torch", "safetensors", "sklearn", "scipy", "onnx", "onnxscript", "nncf", "litert_torch", "ai_edge_quantizer",
    "openvino", "ai_edge_litert", "tensorflow", "keras", "tf_keras", "tf2onnx", "onnx2tf", "onnx_ir",
    "tflite_micro", "executorch", "torchao",
    "jinja2", "matplotlib", "PIL", "pyarrow", "numba", "llvmlite", "sgfmill", "pyspiel", "cryptography", "cyclonedx",
)  # fmt: skip

WALK = f"""
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"refused: {{name}}", name=name)

sys.meta_path.insert(0, Refuse())
import toolkit
names = [info.name for info in pkgutil.walk_packages(toolkit.__path__, "toolkit.") if not info.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
assert "onnxruntime" not in sys.modules, "an engine was imported"
print(len(names))
"""


def test_every_module_imports_without_any_extra() -> None:
    result = subprocess.run([sys.executable, "-c", WALK], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 90


def test_a_game_without_numba_says_what_to_install() -> None:
    code = f"{WALK}\nfrom toolkit.models.alphago.games import TicTacToe\ngame = TicTacToe()\ngame.play(game.new(1), [0], [0])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "MissingDependencyError" in result.stderr
    assert "[go]" in result.stderr


def test_importing_the_package_loads_no_library() -> None:
    code = "import sys, toolkit; print(sorted({'numpy', 'click', 'rich', 'msgspec', 'onnxruntime', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_help_loads_no_array_library() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom toolkit.cli import toolkit\n"
        "assert CliRunner().invoke(toolkit, ['--help']).exit_code == 0\n"
        "print(sorted({'numpy', 'rich', 'msgspec', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_app_that_loads_a_model_reads_no_report_and_no_converter() -> None:
    code = "import sys, toolkit\ntoolkit.load\nprint('\\n'.join(name for name in sys.modules if name.startswith('toolkit.')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "toolkit.pipeline.load" in found
    assert [
        name for name in found if name.startswith(("toolkit.pipeline.report", "toolkit.converters", "toolkit.models", "toolkit.cli"))
    ] == []
    assert "toolkit.pipeline.benchmark" not in found
