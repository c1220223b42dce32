"""What is to be converted, and how it gets into the folder of its bundle: complete, or not at all."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from toolkit.converters.cache import copy
from toolkit.converters.onnx_declared import with_constants, with_shapes
from toolkit.converters.onnx_squeeze import with_axes
from toolkit.core import (
    MANIFEST,
    Artifact,
    ArtifactError,
    Format,
    InputError,
    Manifest,
    Precision,
    Preprocessing,
    ProcessError,
    Signature,
    TensorSpec,
    artifact_name,
    memory_limit,
    new_folder,
    run_isolated,
    sha256_of,
    write_file,
)
from toolkit.core.free_sizes import sizes_text
from toolkit.core.needs import part_of
from toolkit.formats import find_format, format_of
from toolkit.models import find_model
from toolkit.models.data import find_data

from .sizing import Sizing
from .user_module import EDGE, MODULE, UserModule, check_inputs, export_user_module

_PT2 = artifact_name(Format.PT2, Precision.FP32)
"""The artifact that is made of weights or of a user's Python."""
_WEIGHTS = "weights"

Place = Callable[[Path, bool], Artifact]
"""Writes an artifact to a folder, complete; in place of another trained model or not."""


@dataclass(frozen=True)
class Source:
    """What is to be converted: an artifact that is there, or one that is known but not written yet, so that it can be checked with the
    samples before it leaves a trace. ``notes`` say what is other than its file says.
    """

    artifact: Artifact
    _place: Place | None = None
    notes: tuple[str, ...] = ()

    def place(self, *, overwrite: bool = False) -> Artifact:
        """The artifact in its folder, complete; with `overwrite` in place of another trained model.

        Raises:
            InputError: another model was trained there, or the weights cannot be used.
            StorageError: the folder cannot be written.
        """
        return self.artifact if self._place is None else self._place(self.artifact.path, overwrite)

    @contextmanager
    def tried(self) -> Iterator[Artifact]:
        """The artifact as `place` leaves it, in a folder that is gone after the block where it is not written yet. Raises as `place`."""
        if self._place is None:
            yield self.artifact
            return
        with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
            yield self._place(Path(folder) / self.artifact.path.name, False)

    def told(self, *, labels: tuple[str, ...], preprocessing: Preprocessing | None) -> Source:
        """The same, with what the data tell of classes and of preparation in its manifest, where that says nothing of its own."""

        def filled(artifact: Artifact) -> Artifact:
            own = artifact.manifest
            return replace(artifact, manifest=replace(own, labels=own.labels or labels, preprocessing=own.preprocessing or preprocessing))

        return self._filled(filled)

    def noted(self, note: str) -> Source:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, note))

    def signed(self, signature: Signature) -> Source:
        """The same with this signature in its manifest."""
        return self._filled(lambda artifact: replace(artifact, manifest=replace(artifact.manifest, signature=signature)))

    def _filled(self, filled: Callable[[Artifact], Artifact]) -> Source:
        if filled(self.artifact) == self.artifact:
            return self

        own = self._place

        def place(target: Path, overwrite: bool) -> Artifact:
            if own is None and target != self.artifact.path:
                return copy(self.artifact, target, manifest=filled(self.artifact).manifest)
            made = filled(self.artifact if own is None else own(target, overwrite))
            write_file(made.path / MANIFEST, made.manifest.to_json())
            return made

        return Source(filled(self.artifact), place, self.notes)


def from_files(
    path: Path,
    files: Mapping[str, Path],
    *,
    model: str,
    out: Path,
    inputs: Sequence[str] = (),
    sizing: Sizing | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    numbers: Mapping[str, float] | None = None,
) -> Source:
    """An artifact with copies of `files` by their names in it, of which the engine of its format opens `path`; with `inputs`, each
    ``NAME:DTYPE[dims]``, where the file does not say them. What the file declares of its sizes and does not hold is mended in the copy.
    `shapes` are those of the samples, where they are known, and `numbers` those that have but one.
    """
    format, sizing = format_of(path), sizing or Sizing()
    work = Path(tempfile.mkdtemp(prefix="toolkit-"))
    asked = ModelFile(str(path.resolve()), tuple(inputs), str(work), sizing, dict(shapes or {}), dict(numbers or {}))
    try:
        found = msgspec.convert(_read(asked), ReadFile)
        signature = replace(sizing, values={name: value for name, value in sizing.values.items() if name not in found.folded}).applied(
            found.signature, of=path.name
        )
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    if found.mended:
        files = {**files, format.file_name: work / format.file_name}
    precision = find_format(format).precision(path)
    manifest = Manifest(
        model=model,
        format=format,
        precision=precision,
        signature=signature,
        files={name: sha256_of(file) for name, file in files.items()},
        edge=EDGE,
    )
    planned = Artifact(out / model / artifact_name(format, precision), manifest)

    def place(target: Path, overwrite: bool) -> Artifact:
        there = trained_there(replace(planned, path=target), overwrite=overwrite)
        if there is not None:
            return there
        with new_folder(target) as work:
            for name, file in files.items():
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, work / name)
            (work / MANIFEST).write_bytes(manifest.to_json())
            Artifact(work, manifest).verify_files()
        return replace(planned, path=target)

    source = Source(planned, place, found.notes)
    weakref.finalize(place, shutil.rmtree, work, ignore_errors=True)
    return source


def _read(asked: ModelFile) -> Any:
    """What `signature_task` answers; a network that crashes at a size which is tried is read without trying any."""
    try:
        return run_isolated(f"{__name__}:signature_task", asked, memory_bytes=memory_limit())
    except ProcessError:
        return run_isolated(f"{__name__}:signature_task", replace(asked, tried=False), memory_bytes=memory_limit())


@dataclass(frozen=True)
class ModelFile:
    """The request.

    Args:
        file: a bare model file.
        inputs: where it does not say them.
        work: a folder for a mended copy.
        sizing: what the user says of sizes and values.
        shapes: those of the samples by input, where they are known.
        numbers: the samples of one number, by input.
        tried: whether its sizes are found by running it.
    """

    file: str
    inputs: tuple[str, ...]
    work: str
    sizing: Sizing
    shapes: dict[str, tuple[int, ...]]
    numbers: dict[str, float]
    tried: bool = True


@dataclass(frozen=True)
class ReadFile:
    """The answer.

    Args:
        signature: of the network as it runs.
        notes: what the file says otherwise.
        folded: inputs of one value that the user gives and that are constants now.
        mended: whether the copy in the folder of the request is to be taken.
    """

    signature: Signature
    notes: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    mended: bool = False


@part_of("convert")
def signature_task(model: ModelFile) -> ReadFile:
    """Check a bare model file and read its signature with the engine of its format, in a process of its own."""
    from toolkit.runtimes import find_runtime, open_session
    from toolkit.runtimes.parity.probes import FREE_SIZE

    from .settle import Hints, Settled, settle

    path = Path(model.file)
    about = find_format(format_of(path))
    about.check(path)
    if model.inputs:
        inputs = Signature(tuple(TensorSpec.parse(text) for text in model.inputs), ())
        return ReadFile(find_runtime(about.default_engine).complete(path, inputs))
    renewed = find_runtime(about.default_engine).renewed(path, Path(model.work))
    opened, folded = renewed, tuple[str, ...]()
    if about.format is Format.ONNX and model.sizing.values:
        opened, folded = with_constants(path, model.sizing.values, Path(model.work))
    values = {name: value for name, value in model.sizing.values.items() if name not in folded}
    with open_session(opened) as session:
        own = session.signature
        # What torch exported says how its sizes belong together.
        runs = model.tried and about.format is not Format.PT2
        sizes = {**(model.sizing.fixes[0] if model.sizing.fixes else {})}
        found = settle(session, Hints(model.shapes, sizes, model.numbers | values)) if runs else Settled(own)
    squeezed = with_axes(opened, found.calls, Path(model.work)) if about.format is Format.ONNX else ()
    notes = (
        *(f"input '{name}' is {model.sizing.values[name]:g} in every call, a constant of the network now" for name in folded),
        *(f"'{name}' is squeezed without axes in the file: here it keeps free sizes, a batch of 1 too" for name in squeezed),
        *found.notes,
        *([f"the network refuses {FREE_SIZE} for a free size: without samples it is {sizes_text(found.sizes)}"] if found.sizes else []),
    )
    mended = bool(folded or squeezed) or renewed != path
    if about.format is Format.ONNX and model.tried:
        file = Path(model.work) / about.format.file_name if mended else opened
        mended = with_shapes(file, found.signature, Path(model.work)) or mended
    signature = replace(found.signature, fixes=(dict(found.sizes),)) if found.sizes else found.signature
    return ReadFile(signature, notes, folded, mended)


@part_of("convert")
def from_weights(name: str, weights: Path, *, data: str | None, out: Path) -> Source:
    """The reference model `name` with the weights of a file, and the data set on which they were trained; raises `InputError`."""
    model = find_model(name)
    if data is None:
        raise InputError(f"weights for '{name}' need the data set they were trained on", hint="add --data NAME")
    about = find_data(data)
    planned = Manifest(name, Format.PT2, Precision.FP32, about.signature, {}, edge="", data=about.name)

    @part_of("convert")
    def place(target: Path, overwrite: bool) -> Artifact:
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

    return Source(Artifact(out / name / _PT2, planned), place)


def from_module(
    module: UserModule,
    inputs: Sequence[str],
    *,
    weights: Path | None,
    out: Path,
    sizing: Sizing | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> Source:
    """A user's own module, exported in a process of its own; raises `InputError` for what cannot be. `shapes` are those of the samples,
    where they are known.
    """
    sizing = sizing or Sizing()
    check_inputs(inputs)
    said = replace(sizing, states={}).applied(Signature(tuple(map(TensorSpec.parse, inputs)), ()), of=str(module))
    folder = Path(tempfile.mkdtemp(prefix="toolkit-"))
    try:
        made = export_user_module(
            module, inputs=inputs, weights=weights, out=folder / _PT2, fixes=said.fixes, values=said.values, shapes=shapes or {}
        )
        fixed = [size for size in said.free if size not in made.manifest.signature.free]
        own = made.manifest.signature
        fixes = tuple({symbol: size for symbol, size in each.items() if symbol not in fixed} for each in said.fixes)
        own = replace(
            own,
            fixes=tuple(each for each in fixes if each),
            ranges=tuple(each for each in said.ranges if each.symbol not in fixed),
            values=said.values,
        )
        own = Sizing(states=sizing.states).applied(own, of=str(module))  # Only now its outputs are known.
        made = replace(made, manifest=replace(made.manifest, signature=own))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise

    def place(target: Path, overwrite: bool) -> Artifact:
        there = trained_there(replace(made, path=target), overwrite=overwrite)
        return copy(made, target, manifest=made.manifest) if there is None else there

    notes = (f"torch's exporter fixes {', '.join(f'{size}={said.fixes[0][size]}' for size in fixed)}, as --fix says",) if fixed else ()
    source = Source(replace(made, path=out / module.model / _PT2), place, notes)
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
