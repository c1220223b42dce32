"""What is published: the public names and the wheel's contents."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import toolkit

ROOT = Path(__file__).parents[1]


def test_the_public_names() -> None:
    commands = ["benchmark", "convert", "embed", "evaluate", "generate", "load", "optimize", "pull", "push"]
    commands += ["quantize", "recommend", "verify", "verify_streams"]
    assert toolkit.__all__ == ["Artifact", "Bundle", "ToolkitError", "__version__", *commands]
    assert all(getattr(toolkit, name) for name in toolkit.__all__)
    assert toolkit.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_wheel_holds_every_module_and_nothing_else(tmp_path: Path) -> None:
    # From a copy of what git tracks: a build writes into the folder it builds from.
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"toolkit/{path.relative_to(source / 'toolkit')}" for path in (source / "toolkit").rglob("*.py")}
    for folder in ("models", "converters", "runtimes"):
        expected = {name for name in expected if not name.startswith(f"toolkit/{folder}/")}
        expected |= {f"toolkit/{folder}/{path.relative_to(source / folder)}" for path in (source / folder).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == expected
    assert "toolkit/py.typed" in names
    assert {name for name in names if name.endswith(".html")} == {
        f"toolkit/{path.relative_to(source / 'toolkit')}" for path in (source / "toolkit").rglob("*.html")
    }
    own = ("toolkit/pipeline/export/web", "toolkit/pipeline/export/web/games", "runtimes/browser")
    pages = {path for folder in own for kind in ("js", "css", "json") for path in (source / folder).glob(f"*.{kind}")}
    assert {str(path.relative_to(source)).removeprefix("toolkit/") for path in pages} <= {name.removeprefix("toolkit/") for name in names}
    apps = {str(path.relative_to(source)) for path in (source / "toolkit/pipeline/export/app/templates").rglob("*") if path.is_file()}
    assert {name for name in names if "/export/app/templates/" in name} == apps
    assert apps
    nets = {f"toolkit/{path.relative_to(source)}" for path in (source / "models/alphago/nets").rglob("*") if path.is_file()}
    assert {name for name in names if "/nets/" in name} == nets
    assert nets
    assert "toolkit/models/results.json" in names
    recipes = {f"toolkit/{path.relative_to(source)}" for path in (source / "converters/recipes").glob("*.toml")}
    assert {name for name in names if name.endswith(".toml")} == recipes
    assert recipes
