"""The npm packages: pinned by a lock file, installed into the toolkit's cache, and of them only the files that a page needs."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from toolkit.core import (
    MissingDependencyError,
    StorageError,
    ToolkitError,
    cache_home,
    has_module,
    install_command,
    mark_used,
    new_folder,
    outdated,
)

HERE = Path(__file__).parent
EXTRA = "browser"
INSTALL = "toolkit doctor --install browser"
_LOCK = "package-lock.json"
CHROMIUM = "TOOLKIT_CHROMIUM"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_TIMEOUT_S = 600
_OLDEST_NODE = 18
"""The first with a Response of its own and with modules that wait."""


@dataclass(frozen=True)
class WebEngine:
    """An engine of the web: its npm package, the script of this folder that makes it answer, and ``files``: the name of each file beside
    that script -> its path among the packages. A name that ends in ``.gz`` is kept compressed: the script unpacks it.
    """

    package: str
    adapter: str
    files: dict[str, str]

    @property
    def version(self) -> str:
        """The pinned version of the package."""
        version: str = json.loads((HERE / "package.json").read_bytes())["dependencies"][self.package]
        return version

    def installed_files(self) -> dict[str, Path]:
        """Where the files of the engine are, by the names that they have beside each other; its script and helper included.

        Raises `MissingDependencyError` while the npm packages are not installed.
        """
        if not npm_folder().is_dir():
            raise MissingDependencyError(f"{self.package} is not installed", hint=f"run: {INSTALL}")
        mark_used(npm_folder())
        own = {"engine.js": HERE / self.adapter, "gunzip.js": HERE / "gunzip.js"}
        return own | {name: npm_folder() / kept for name, kept in self.kept_files().items()}

    def kept_files(self) -> dict[str, str]:
        """Where the files are in `npm_folder`, by the names that they have beside each other."""
        return {name: f"{path}.gz" if name.endswith(".gz") else path for name, path in self.files.items()}


ONNXRUNTIME = WebEngine(
    "onnxruntime-web",
    "onnxruntime.js",
    {
        "ort.mjs": "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
        # The plain one: those with WebGPU are twice as large.
        "ort.wasm.gz": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    },
)
ONNXRUNTIME_WEBGPU = WebEngine(
    "onnxruntime-web",
    "onnxruntime.js",
    {
        "ort.mjs": "onnxruntime-web/dist/ort.webgpu.bundle.min.mjs",
        "ort.wasm.gz": "onnxruntime-web/dist/ort-wasm-simd-threaded.asyncify.wasm",
    },
)
_COMMON = (
    *("backend", "backend-impl", "env", "env-impl", "index", "inference-session", "inference-session-impl", "onnx-model", "onnx-value"),
    *("tensor", "tensor-conversion", "tensor-conversion-impl", "tensor-factory", "tensor-factory-impl", "tensor-impl"),
    *("tensor-impl-type-mapping", "tensor-utils", "tensor-utils-impl", "trace", "type-helper", "version"),
)
"""The modules of onnxruntime-common, which only the build for Node has not within itself."""
ONNXRUNTIME_IN_NODE = WebEngine(
    "onnxruntime-web",
    "onnxruntime.js",
    {
        "ort.mjs": "onnxruntime-web/dist/ort.node.min.mjs",
        "ort-wasm-simd-threaded.mjs": "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
        "ort.wasm.gz": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
        **{
            f"node_modules/onnxruntime-common/{file}": f"onnxruntime-common/dist/esm/{file}"
            for file in (*(f"{name}.js" for name in _COMMON), "package.json")
        },
    },
)
LITERT = WebEngine(
    "@litertjs/core",
    "litert.js",
    {
        "litert-core.js": "@litertjs/core/dist/index.js",
        "wasm-utils.js": "@litertjs/wasm-utils/dist/index.js",
        **{
            f"litert_{kind}.{end}": f"@litertjs/core/wasm/litert_wasm_{kind}internal.{end.removesuffix('.gz')}"
            for kind in ("", "compat_", "threaded_")
            for end in ("js", "wasm.gz")
        },
    },
)


_KEPT = sorted({path for engine in (ONNXRUNTIME, ONNXRUNTIME_WEBGPU, ONNXRUNTIME_IN_NODE, LITERT) for path in engine.kept_files().values()})


def npm_folder() -> Path:
    """Where the packages of this lock file are, or will be: another lock file has a folder of its own, and so have other files of them."""
    return cache_home() / "browser" / hashlib.sha256((HERE / _LOCK).read_bytes() + "\n".join(_KEPT).encode()).hexdigest()[:16]


def chromium() -> Path | None:
    """The browser: ``TOOLKIT_CHROMIUM``, else Chromium or Chrome on the path; None when there is none."""
    named = os.environ.get(CHROMIUM)
    found = next((path for name in ([named] if named else _BROWSERS) if (path := shutil.which(name))), None)
    return None if found is None else Path(found)


def node() -> Path | None:
    """Node on the path; None when there is none."""
    found = shutil.which("node")
    return None if found is None else Path(found)


@dataclass(frozen=True)
class Part:
    """Something that a session needs: in words, what is wrong with it (empty when it can be used), and the command that brings it."""

    what: str
    problem: Callable[[], str]
    command: str


_ABSENT = "not installed"


def _there(is_here: Callable[[], object]) -> Callable[[], str]:
    return lambda: "" if is_here() else _ABSENT


def _problem_of_node() -> str:
    path = node()
    if path is None:
        return _ABSENT
    version = _version_of_node(path)
    return "" if _major(version) >= _OLDEST_NODE else f"at version {version}, where >={_OLDEST_NODE} is needed"


@cache
def _version_of_node(path: Path) -> str:
    """What it says of itself, without the v."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    return said.strip().removeprefix("v") or "unknown"


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdecimal() else 0


_PACKAGES = Part("the npm packages", _there(lambda: npm_folder().is_dir()), INSTALL)
BROWSER_PARTS = (
    Part(
        "the Python package playwright",
        lambda: outdated("playwright") if has_module("playwright") else _ABSENT,
        install_command(EXTRA),
    ),
    Part("Chromium", _there(chromium), "apt-get install chromium"),
    _PACKAGES,
)
NODE_PARTS = (Part("Node", _problem_of_node, "apt-get install nodejs"), _PACKAGES)


def missing(parts: Sequence[Part] = BROWSER_PARTS) -> str:
    """Empty when everything that a session needs is here and new enough, else what is not."""
    problems = {part.what: problem for part in parts if (problem := part.problem())}
    if all(problem == _ABSENT for problem in problems.values()):
        return f"{_ABSENT}: {', '.join(problems)}" if problems else ""
    return "not complete: " + ", ".join(f"{what} is {problem}" for what, problem in problems.items())


def repair(parts: Sequence[Part] = BROWSER_PARTS) -> str:
    """The commands that bring what is missing."""
    return " && ".join(part.command for part in parts if part.problem()) or INSTALL


def install(on_step: Callable[[str], None] | None = None) -> Path:
    """Install the npm packages into the cache, all or nothing, and return their folder; nothing happens when they are there.

    Args:
        on_step: called with what is being done.

    Raises:
        MissingDependencyError: no npm, or it could not install them; one line says why.
        StorageError: the cache cannot be written.
    """
    target = npm_folder()
    if target.is_dir():
        return target
    if (npm := shutil.which("npm")) is None:
        raise MissingDependencyError("npm is not installed", hint=f"run: apt-get install npm && {INSTALL}")
    say = on_step or (lambda _: None)
    with tempfile.TemporaryDirectory(prefix="toolkit-npm-") as name:
        work = Path(name)
        for file in ("package.json", _LOCK):
            shutil.copy(HERE / file, work)
        say("npm ci: onnxruntime-web, @litertjs/core")
        _npm_ci(npm, work)
        with new_folder(target, replace=False) as new:
            for kept in _KEPT:
                say(f"keeping {Path(kept).name}")
                content = (work / "node_modules" / kept.removesuffix(".gz")).read_bytes()
                (new / kept).parent.mkdir(parents=True, exist_ok=True)
                (new / kept).write_bytes(gzip.compress(content, mtime=0) if kept.endswith(".gz") else content)
    return target


def _npm_ci(npm: str, folder: Path) -> None:
    # Without scripts: a package that is only unpacked cannot run code here.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise _not_installed(f"took longer than {_TIMEOUT_S} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise _not_installed(lines[0] if lines else f"ended with exit code {done.returncode}")


def _not_installed(why: str) -> ToolkitError:
    kind = StorageError if "ENOSPC" in why else MissingDependencyError
    return kind(f"npm could not install the packages of the browser: {why}", hint=f"is its registry reachable? then run again: {INSTALL}")
