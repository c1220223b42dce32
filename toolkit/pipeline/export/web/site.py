"""`toolkit export web`: the page's own files, the engine's and the model, in one folder for any static host."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from toolkit.core import Artifact, ArtifactError, InputError, Manifest, Preprocessing, Signature, TensorSpec, new_folder, sha256_of
from toolkit.runtimes import all_runtimes
from toolkit.runtimes.browser import BrowserRuntime

from ...inspect import describe_file
from .boards import Board, board_of, files_of_board

ABOUT = "model.json"
"""What the page knows of its model; by this file an exported page is known."""

_HERE = Path(__file__).parent
_WORKER = "sw.js"
_PAGE = ("index.html", "style.css", "app.js")
_ANSWERS = ("answers.js", "arrays.js", "classifier.js", "drawing.js", "form.js", "photo.js")
"""What a page without a board is made of beside `_PAGE`."""
_MOST_PIXELS = {1: 256, 3: 1024}
"""The longest side of a grey image that is drawn, and of a colour image."""


@dataclass(frozen=True)
class Image:
    """How a drawing or a photo becomes the input: pixels from 0 (paper, black) to 1 (ink, white), less ``mean``, divided by ``std``.

    Args:
        height: in pixels.
        width: the same.
        channels: 1 for what is drawn, 3 for red, green and blue.
        mean: of each channel.
        std: the same.
        layout: ``NCHW`` or ``NHWC``.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str = "NCHW"


@dataclass(frozen=True)
class About:
    """What ``model.json`` holds. ``image`` is None for a model that is no classifier of images, ``game`` for one without a board here;
    ``files`` are SHA-256 by name.
    """

    title: str
    artifact: str
    engine: str
    model: str
    size_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...]
    image: Image | None
    game: Board | None
    files: dict[str, str]
    schema: int = 1


@dataclass(frozen=True)
class Site:
    """What was written: the SHA-256 and the size of each file by name."""

    folder: Path
    engine: str
    files: dict[str, str]
    sizes: dict[str, int]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(self.sizes.values())


def export_web(model: Path, out: Path) -> Site:
    """Write a page that runs `model`, an artifact folder or a bare model file, to the folder `out`, all or nothing.

    Raises:
        InputError: no ONNX or TF Lite model in one file, or `out` holds something else than an exported page.
        MissingDependencyError: the engine's npm package is not installed.
        StorageError: the folder cannot be written.
    """
    manifest, file = _read(model)
    runtime = _engine_for(manifest)
    if set(manifest.files) != {file.name}:
        raise InputError(f"'{model}' has more files than a page can load", expected=file.name, got=", ".join(sorted(manifest.files)))
    if out.is_symlink() or (out.exists() and not (out / ABOUT).is_file()):
        raise InputError(f"'{out}' is there already", expected="a new folder, or a page that this command made")
    game = board_of(manifest)
    shown = files_of_board(game) if game else {name: _HERE / name for name in _ANSWERS}
    page = {name: _HERE / name for name in _PAGE} | shown
    sources = page | runtime.web.installed_files() | {file.name: file}
    with new_folder(out) as work:
        for name, source in sources.items():
            shutil.copyfile(source, work / name)
        hashes = {name: sha256_of(work / name) for name in sources}
        if hashes[file.name] != manifest.files[file.name]:
            raise ArtifactError(f"'{file}' changed while it was copied", hint="run the command again")
        about = About(
            title=manifest.model,
            artifact=f"{manifest.format} {manifest.precision}",
            engine=f"{runtime.web.package} {runtime.web.version}",
            model=file.name,
            size_bytes=file.stat().st_size,
            inputs=manifest.signature.inputs,
            outputs=manifest.signature.outputs,
            labels=manifest.labels,
            image=_image(manifest.signature, manifest.preprocessing),
            game=game,
            files=hashes,
        )
        (work / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
        _write_worker(work, [*page, ABOUT])
        files = hashes | {name: sha256_of(work / name) for name in (ABOUT, _WORKER)}
        sizes = {name: (work / name).stat().st_size for name in files}
    return Site(out, runtime.name, files, sizes)


def _read(model: Path) -> tuple[Manifest, Path]:
    if model.is_file():
        return describe_file(model), model
    artifact = Artifact.load(model)
    return artifact.manifest, artifact.model_file


def _engine_for(manifest: Manifest) -> BrowserRuntime:
    engines = [runtime for runtime in all_runtimes() if isinstance(runtime, BrowserRuntime) and runtime.in_page]
    for runtime in engines:
        if manifest.format in runtime.formats and manifest.precision in runtime.precisions(manifest.format):
            return runtime
    able = sorted({format for runtime in engines for format in runtime.formats})
    raise InputError(
        f"{manifest.format} in {manifest.precision} does not run in a browser", expected=" or ".join(able), hint="run: toolkit convert"
    )


def _image(signature: Signature, preprocessing: Preprocessing | None) -> Image | None:
    """What a drawing or a photo must become, if the model takes one image and answers with one number a class."""
    if len(signature.inputs) != 1 or not signature.outputs or len(signature.outputs[0].shape) != 2:
        return None
    spec = signature.inputs[0]
    if spec.dtype != "float32" or len(spec.shape) != 4:
        return None
    layout = "NHWC" if spec.shape[3] == 3 and spec.shape[1] not in {1, 3} else "NCHW"
    channels, height, width = spec.shape[1:] if layout == "NCHW" else (spec.shape[3], *spec.shape[1:3])
    if not (isinstance(channels, int) and isinstance(height, int) and isinstance(width, int)):
        return None
    if channels not in _MOST_PIXELS or max(height, width) > _MOST_PIXELS[channels]:
        return None
    mean, std = (preprocessing.mean, preprocessing.std) if preprocessing else ((0.0,), (1.0,))
    if preprocessing and preprocessing.size and preprocessing.scale:
        # The page has pixels from 0 to 1.
        mean, std = (tuple(value / (255 * preprocessing.scale) for value in values) for values in (mean, std))
    # And in the order red, green, blue.
    is_bgr = preprocessing is not None and preprocessing.channels == "bgr"
    if is_bgr or not {len(mean), len(std)} <= {1, channels}:
        return None
    each = [values * channels if len(values) == 1 else values for values in (mean, std)]
    return Image(height, width, channels, each[0], each[1], layout)


def _write_worker(work: Path, shell: list[str]) -> None:
    """The service worker keeps a version by its own text: another page, model or engine is another worker."""
    version = sha256_of(work / ABOUT)[:16]
    text = (_HERE / _WORKER).read_text(encoding="utf-8")
    filled = text.replace("'VERSION'", f"'{version}'").replace("['SHELL']", json.dumps(shell))
    (work / _WORKER).write_text(filled, encoding="utf-8")
