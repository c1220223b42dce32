"""What is to be converted, and how it gets into the folder of its bundle: complete, or not at all."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from toolkit.converters.cache import copy
from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Format,
    InputError,
    Manifest,
    Precision,
    Preprocessing,
    Signature,
    TensorSpec,
    artifact_name,
    memory_limit,
    new_folder,
    run_isolated,
    sha256_of,
    write_file,
)
from toolkit.core.needs import part_of
from toolkit.formats import find_format, format_of
from toolkit.models import find_model
from toolkit.models.data import find_data

from .user_module import EDGE, MODULE, UserModule, export_user_module

_PT2 = artifact_name(Format.PT2, Precision.FP32)
"""The artifact that is made of weights or of a user's Python."""
_WEIGHTS = "weights"


@dataclass(frozen=True)
class Source:
    """What is to be converted: an artifact that is there, or one that is known but not written yet, so that it can be checked with the
    samples before it leaves a trace.
    """

    artifact: Artifact
    _place: Callable[[bool], Artifact] | None = None

    def place(self, *, overwrite: bool = False) -> Artifact:
        """The artifact in its folder, complete; with `overwrite` in place of another trained model.

        Raises:
            InputError: another model was trained there, or the weights cannot be used.
            StorageError: the folder cannot be written.
        """
        return self.artifact if self._place is None else self._place(overwrite)

    def told(self, *, labels: tuple[str, ...], preprocessing: Preprocessing | None) -> Source:
        """The same, with what the data tell of classes and of preparation in its manifest, where that says nothing of its own."""

        def filled(artifact: Artifact) -> Artifact:
            own = artifact.manifest
            return replace(artifact, manifest=replace(own, labels=own.labels or labels, preprocessing=own.preprocessing or preprocessing))

        if filled(self.artifact) == self.artifact:
            return self

        def place(overwrite: bool) -> Artifact:
            made = filled(self.place(overwrite=overwrite))
            write_file(made.path / MANIFEST, made.manifest.to_json())
            return made

        return Source(filled(self.artifact), place)


def from_files(path: Path, files: Mapping[str, Path], *, model: str, out: Path, inputs: Sequence[str] = ()) -> Source:
    """An artifact with copies of `files` by their names in it, of which the engine of its format opens `path`; with `inputs`, each
    ``NAME:DTYPE[dims]``, where the file does not say them.
    """
    format = format_of(path)
    found = run_isolated(f"{__name__}:signature_task", ModelFile(str(path.resolve()), tuple(inputs)), memory_bytes=memory_limit())
    signature = msgspec.convert(found, Signature)
    manifest = Manifest(
        model=model,
        format=format,
        precision=Precision.FP32,
        signature=signature,
        files={name: sha256_of(file) for name, file in files.items()},
        edge=EDGE,
    )
    planned = Artifact(out / model / f"{format}-{Precision.FP32}", manifest)

    def place(overwrite: bool) -> Artifact:
        there = trained_there(planned, overwrite=overwrite)
        if there is not None:
            return there
        with new_folder(planned.path) as work:
            for name, file in files.items():
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, work / name)
            (work / MANIFEST).write_bytes(manifest.to_json())
            Artifact(work, manifest).verify_files()
        return planned

    return Source(planned, place)


@dataclass(frozen=True)
class ModelFile:
    """The request: a bare model file, and its ``inputs`` where it does not say them."""

    file: str
    inputs: tuple[str, ...]


@part_of("convert")
def signature_task(model: ModelFile) -> Signature:
    """Check a bare model file and read its signature with the engine of its format, in a process of its own."""
    from toolkit.runtimes import find_runtime, open_session

    path = Path(model.file)
    about = find_format(format_of(path))
    about.check(path)
    if model.inputs:
        inputs = Signature(tuple(TensorSpec.parse(text) for text in model.inputs), ())
        return find_runtime(about.default_engine).complete(path, inputs)
    with open_session(path) as session:
        return session.signature


@part_of("convert")
def from_weights(name: str, weights: Path, *, data: str | None, out: Path) -> Source:
    """The reference model `name` with the weights of a file, and the data set on which they were trained; raises `InputError`."""
    model = find_model(name)
    if data is None:
        raise InputError(f"weights for '{name}' need the data set they were trained on", hint="add --data NAME")
    about = find_data(data)
    planned = Manifest(name, Format.PT2, Precision.FP32, about.signature, {}, edge="", data=about.name)
    target = out / name / _PT2

    @part_of("convert")
    def place(overwrite: bool) -> Artifact:
        from toolkit.models.training import export_pt2, load_weights

        module = model.module(about)
        load_weights(module, weights)
        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            made = export_pt2(
                module,
                signature=about.signature,
                out=Path(folder) / target.name,
                model=name,
                recipe={_WEIGHTS: weights.name},
                labels=about.labels,
                task=model.task,
                preprocessing=about.preparation(),
                data=about.name,
            )
            there = trained_there(replace(made, path=target), overwrite=overwrite)
            return copy(made, target) if there is None else there

    return Source(Artifact(target, planned), place)


def from_module(module: UserModule, inputs: Sequence[str], *, weights: Path | None, out: Path) -> Source:
    """A user's own module, exported in a process of its own; raises `InputError` for what cannot be."""
    folder = Path(tempfile.mkdtemp(prefix="toolkit-"))
    try:
        made = export_user_module(module, inputs=inputs, weights=weights, out=folder / _PT2)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    target = out / module.model / _PT2

    def place(overwrite: bool) -> Artifact:
        there = trained_there(replace(made, path=target), overwrite=overwrite)
        return copy(made, target) if there is None else there

    source = Source(replace(made, path=target), place)
    weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)
    return source


def trained_there(artifact: Artifact, *, overwrite: bool = False) -> Artifact | None:
    """The trained model that is where `artifact` shall go, if it is the same one; None where nothing would be lost, or may be.

    Raises:
        InputError: another model was trained there, whose weights may be nowhere else, or another network's artifacts lie beside it.
    """
    try:
        there = Artifact.load(artifact.path)
    except ArtifactError:
        return None
    if overwrite:
        return None
    known, wanted = there.manifest.recipe.get(MODULE), artifact.manifest.recipe.get(MODULE)
    if known and wanted and known != wanted:
        raise InputError(
            f"'{artifact.path.parent}' is the bundle of another network",
            expected=f"one made from {wanted}",
            got=str(known),
            hint="keep it: another --out; replace it: --overwrite",
        )
    if there.manifest.edge == EDGE or _WEIGHTS in there.manifest.recipe:
        return None  # A copy of a file that the user has.
    if there.manifest.content_sha256 != artifact.manifest.content_sha256:
        raise InputError(
            f"'{artifact.path}' holds another trained model, which would be lost",
            hint="keep it: another --out; replace it: --overwrite",
        )
    return there
