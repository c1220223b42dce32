"""What a user may name as a source, resolved to an artifact."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Bundle,
    Format,
    InputError,
    Precision,
    TensorSpec,
    UnknownNameError,
    artifact_name,
)
from toolkit.formats import find_format, format_of, source_formats, trained_names
from toolkit.formats.parts.torch_zip import pickled_class
from toolkit.models import all_models

from ..data import Given, as_given, find_reader
from .place import Source, from_files, from_module, from_weights
from .sizing import Sizing
from .user_module import EDGE, UserModule

_WEIGHTS = (".pt", ".pth", ".pkl", ".ckpt", ".safetensors")
"""What files of weights without a network end with."""


def resolve_source(
    text: str,
    *,
    out: Path,
    weights: Path | None = None,
    data: str | Given | None = None,
    inputs: Sequence[str] = (),
    sizing: Sizing | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Source:
    """The artifact that `text` names: a model file or a SavedModel, an artifact folder, a bundle, a reference model's name, or a user's
    own module.

    A reference model is found in its bundle ``out/<name>``, as ``toolkit train`` leaves it, or is built anew with `weights`. A user's
    module, ``file.py:name``, is exported with `inputs`, each ``NAME:DTYPE[dims]``, which a file of some formats needs too. `sizing` is what
    the user says of sizes and values, `shapes` are those of the samples where `data` do not tell them. Nothing is written to `out`.

    Raises:
        InputError: nothing there, a pickled checkpoint, or an unknown name.
    """
    path, sizing = Path(text), sizing or Sizing()

    def said(source: Source) -> Source:
        return source.signed(sizing.applied(source.artifact.manifest.signature, of=text))

    module = UserModule.parse(text)
    if module is not None:
        return from_module(module, inputs, weights=weights, out=out, sizing=sizing, shapes=shapes or shapes_of(data))
    may_need = path.suffix.lower() in _WEIGHTS or any(about.needs_inputs and about.owns(path) for about in source_formats())
    if inputs and not may_need:
        raise InputError(f"'{text}' has its own inputs", expected="--input only with Python code, such as model.py:make_model")
    if weights is not None:
        given = as_given(data)
        return said(from_weights(text, weights, data=given.word if given else None, out=out))
    if path.is_dir() and not is_model(path):
        return said(Source(Artifact.load(path) if (path / MANIFEST).is_file() else trained(Bundle.load(path))))
    if path.exists() or path.suffix:
        return _from_path(path, inputs, out=out, sizing=sizing, shapes=shapes or shapes_of(data), numbers=_numbers_of(data))
    names = [model.name for model in all_models()]
    if text not in names:
        raise UnknownNameError("model", text, names, hint="there is no such file or folder")
    folder = out / text / artifact_name(Format.PT2, Precision.FP32)
    if not (folder / MANIFEST).is_file():
        raise ArtifactError(f"model '{text}' is not trained yet in '{out}'", hint=f"run: toolkit train {text} --out {out}")
    return said(Source(Artifact.load(folder)))


def shapes_of(data: str | Given | None) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in `data` by their names, where that can be told without reading them."""
    given = as_given(data)
    return {} if given is None else find_reader(given.word).shapes(given.word)


def _numbers_of(data: str | Given | None) -> dict[str, float]:
    given = as_given(data)
    return {} if given is None else find_reader(given.word).values(given.word)


def check_samples(text: str, data: str | Given | None, inputs: Sequence[str] = (), *, constants: Collection[str] = ()) -> None:
    """Raise `DataError` where `data` can be told not to be called as the inputs of the source `text`, before a framework is imported to
    read it; a source that tells no names without one is asked later.
    """
    given = as_given(data)
    if given is None:
        return
    reader = find_reader(given.word)
    names = tuple(TensorSpec.parse(word).name for word in inputs) or _input_names(Path(text))
    if names:
        reader.check_names(given.word, names, constants=constants)


def _input_names(path: Path) -> tuple[str, ...] | None:
    about = next((each for each in source_formats() if not each.is_folder and each.owns(path)), None) if path.is_file() else None
    return about.input_names(path) if about else None


def is_model(folder: Path) -> bool:
    """Whether the folder is a model of a format that is one, as SavedModel is, and no bundle of artifacts."""
    return any(about.is_folder and (folder / about.format.file_name).is_file() for about in source_formats())


def _from_path(
    path: Path, inputs: Sequence[str], *, out: Path, sizing: Sizing, shapes: Mapping[str, tuple[int, ...]], numbers: Mapping[str, float]
) -> Source:
    for about in source_formats():
        if about.is_folder and (path / about.format.file_name).is_file():
            files = about.files(path)
            return from_files(
                path / about.format.file_name, files, model=path.resolve().name, out=out, sizing=sizing, shapes=shapes, numbers=numbers
            )
    return _from_file(path, inputs, out=out, sizing=sizing, shapes=shapes, numbers=numbers)


def trained(bundle: Bundle) -> Artifact:
    """The artifact at the start of a bundle's paths; raises `ArtifactError` when it is missing."""
    there = [bundle.path / name for name in trained_names() if (bundle.path / name / MANIFEST).is_file()]
    # In integers is what somebody brought, or what was made here.
    found = [path for path in there if path.name.endswith(Precision.FP32) or Artifact.load(path, verify=False).manifest.edge == EDGE]
    if found:
        # ONNX and TF Lite are made of each other.
        start = next((path for path in found if not Artifact.load(path, verify=False).manifest.parent), found[0])
        return Artifact.load(start)
    raise ArtifactError(
        f"'{bundle.path}' has no trained model",
        expected=f"a folder {' or '.join(name for name in trained_names() if name.endswith(Precision.FP32))}",
        hint="convert from the source again",
    )


def current(bundle: Bundle) -> list[Artifact]:
    """The artifacts of a bundle that were made from its trained model; those of an earlier training are left out."""
    start = trained(bundle)
    # A trained model that was converted itself hands its own root on.
    root = start.manifest.root or start.manifest.content_sha256
    return [artifact for artifact in bundle if artifact.manifest.root == root and artifact.path != start.path]


def _from_file(
    path: Path, inputs: Sequence[str], *, out: Path, sizing: Sizing, shapes: Mapping[str, tuple[int, ...]], numbers: Mapping[str, float]
) -> Source:
    suffixes = " or ".join(suffix for about in source_formats() if not about.is_folder for suffix in about.suffixes)
    if path.suffix.lower() in _WEIGHTS and not any(about.owns(path) for about in source_formats()):
        if found := pickled_class(path):
            raise InputError(
                f"'{path.name}' holds a pickled network or other Python objects ({found}), which only their own code can load",
                expected=f"a {suffixes} file",
                hint="name its code, such as model.py:make_model, or export it where its code is, if you trust the file: "
                f"model = torch.load('{path.name}', weights_only=False).eval(); program = torch.export.export(model, (example_input,)); "
                f"torch.export.save(program, '{path.stem}.pt2')",
            )
        raise InputError(
            f"'{path.name}' holds weights, not a model",
            expected=f"a {suffixes} file, or a reference model",
            hint=f"for weights: toolkit convert MODEL --weights {path}",
        )
    if not path.is_file():
        raise ArtifactError(f"no model file '{path}'", expected="an existing file")
    about = find_format(format_of(path))
    if about.start is None or about.is_folder:
        raise InputError(f"'{path.name}' cannot be converted further", expected=f"a {suffixes} file", got=about.format)
    if about.needs_inputs and not inputs:
        raise InputError(f"'{path.name}' does not say what its inputs are", hint="add --input NAME:DTYPE[dims] for each, in order")
    return from_files(path, about.files(path), model=path.stem, out=out, inputs=inputs, sizing=sizing, shapes=shapes, numbers=numbers)
