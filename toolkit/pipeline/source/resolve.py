"""What a user may name as a source, resolved to an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolkit.core import MANIFEST, Artifact, ArtifactError, Bundle, Format, InputError, UnknownNameError
from toolkit.core.files import is_link
from toolkit.models import all_models

from .onnx_files import onnx_files
from .place import TRAINED, Source, from_files, from_module, from_weights
from .user_module import UserModule

_SOURCES = (Format.PT2, Format.ONNX, Format.KERAS)


def resolve_source(text: str, *, out: Path, weights: Path | None = None, data: str | None = None, inputs: Sequence[str] = ()) -> Source:
    """The artifact that `text` names: a model file or a SavedModel, an artifact folder, a bundle, a reference model's name, or a user's
    own module.

    A reference model is found in its bundle ``out/<name>``, as ``toolkit train`` leaves it, or is built anew with `weights`. A user's
    module, ``file.py:name``, is exported with `inputs`, each ``NAME:DTYPE[dims]``. Nothing is written to `out`.

    Raises:
        InputError: nothing there, a pickled checkpoint, or an unknown name.
    """
    path = Path(text)
    module = UserModule.parse(text)
    if module is not None:
        return from_module(module, inputs, weights=weights, out=out)
    if inputs:
        raise InputError(f"'{text}' has its own inputs", expected="--input only with Python code, such as model.py:make_model")
    if weights is not None:
        return from_weights(text, weights, data=data, out=out)
    if path.exists() or path.suffix:
        return _from_path(path, out=out)
    names = [model.name for model in all_models()]
    if text not in names:
        raise UnknownNameError("model", text, names, hint="" if "/" not in text else "there is no such file or folder")
    if not (out / text / TRAINED[0] / MANIFEST).is_file():
        raise ArtifactError(f"model '{text}' is not trained yet in '{out}'", hint=f"run: toolkit train {text} --out {out}")
    return Source(Artifact.load(out / text / TRAINED[0]))


def _from_path(path: Path, *, out: Path) -> Source:
    if (path / MANIFEST).is_file():
        return Source(Artifact.load(path))
    if (path / Format.SAVEDMODEL.file_name).is_file():
        return from_files(path / Format.SAVEDMODEL.file_name, _files_of(path), model=path.resolve().name, out=out)
    return Source(trained(Bundle.load(path))) if path.is_dir() else _from_file(path, out=out)


def trained(bundle: Bundle) -> Artifact:
    """The artifact at the start of a bundle's paths; raises `ArtifactError` when it is missing."""
    for name in TRAINED:
        if (bundle.path / name / MANIFEST).is_file():
            return Artifact.load(bundle.path / name)
    raise ArtifactError(
        f"'{bundle.path}' has no trained model", expected=f"a folder {' or '.join(TRAINED)}", hint="convert from the source again"
    )


def current(bundle: Bundle) -> list[Artifact]:
    """The artifacts of a bundle that were made from its trained model; those of an earlier training are left out."""
    start = trained(bundle)
    # A trained model that was converted itself hands its own root on.
    root = start.manifest.root or start.manifest.content_sha256
    return [artifact for artifact in bundle if artifact.manifest.root == root and artifact.path != start.path]


def _from_file(path: Path, *, out: Path) -> Source:
    if path.suffix.lower() in {".pt", ".pth", ".pkl", ".ckpt", ".safetensors", ".h5"}:
        raise InputError(
            f"'{path.name}' holds weights, not a model",
            expected=f"a {' or '.join(format.suffix for format in _SOURCES)} file, or a reference model",
            hint=f"for weights: toolkit convert MODEL --weights {path}",
        )
    if not path.is_file():
        raise ArtifactError(f"no model file '{path}'", expected="an existing file")
    format = Format.of_file(path)
    if format not in _SOURCES:
        raise InputError(
            f"'{path.name}' cannot be converted further", expected=f"a {' or '.join(f.suffix for f in _SOURCES)} file", got=format
        )
    beside = onnx_files(path) if format is Format.ONNX else {}
    if format.file_name in beside or MANIFEST in beside:
        raise InputError(f"'{path.name}' keeps its weights in a file '{', '.join(beside)}'", hint="save them under another name")
    return from_files(path, {format.file_name: path, **beside}, model=path.stem, out=out)


def _files_of(folder: Path) -> dict[str, Path]:
    """Every file of a SavedModel by its name in the folder; raises `InputError` for a link, which may lead out of it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if is_link(path):
            raise InputError(f"'{path}' is a symbolic or hard link", expected="the SavedModel's own files", hint="copy the folder")
        if path.is_file() and path.name != MANIFEST:
            found[path.relative_to(folder).as_posix()] = path
    return found
