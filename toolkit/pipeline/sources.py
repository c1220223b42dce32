"""What a user may name as a source or as samples, resolved to an artifact and to calibration and evaluation sets."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from toolkit.converters.cache import copy
from toolkit.core import (
    MANIFEST,
    NOISE,
    Artifact,
    ArtifactError,
    Bundle,
    DataError,
    Format,
    InputError,
    Manifest,
    Precision,
    Samples,
    Signature,
    UnknownNameError,
    memory_limit,
    new_folder,
    noise,
    run_isolated,
    sha256_of,
)
from toolkit.models import all_models, find_model
from toolkit.models.data import all_data, find_data

from .onnx_files import onnx_files
from .user_module import UserModule, export_user_module

CALIBRATION_SAMPLES = 512
NOISE_SAMPLES = 2000
_TRAINED = ("pt2-fp32", "keras-fp32", "savedmodel-fp32", "onnx-fp32")
_SOURCES = (Format.PT2, Format.ONNX, Format.KERAS)
_WEIGHTS = "weights"


@dataclass(frozen=True)
class Split:
    """Real samples: what may fix integer ranges, and what proves the result. No row is in both."""

    calibration: Samples
    evaluation: Samples


@dataclass(frozen=True)
class Source:
    """What is to be converted: an artifact that is there, or one that is known but not written yet, so that it can be checked with the
    samples before it leaves a trace.
    """

    artifact: Artifact
    _place: Callable[[], Artifact] | None = None

    def place(self) -> Artifact:
        """The artifact in its folder, complete.

        Raises:
            InputError: another model was trained there, or the weights cannot be used.
            StorageError: the folder cannot be written.
        """
        return self.artifact if self._place is None else self._place()


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
        return _from_module(module, inputs, weights=weights, out=out)
    if inputs:
        raise InputError(f"'{text}' has its own inputs", expected="--input only with Python code, such as model.py:make_model")
    if weights is not None:
        return _from_weights(text, weights, data=data, out=out)
    if path.exists() or path.suffix:
        return _from_path(path, out=out)
    names = [model.name for model in all_models()]
    if text not in names:
        raise UnknownNameError("model", text, names, hint="" if "/" not in text else "there is no such file or folder")
    if not (out / text / _TRAINED[0] / MANIFEST).is_file():
        raise ArtifactError(f"model '{text}' is not trained yet in '{out}'", hint=f"run: toolkit train {text} --out {out}")
    return Source(Artifact.load(out / text / _TRAINED[0]))


def _from_path(path: Path, *, out: Path) -> Source:
    if (path / MANIFEST).is_file():
        return Source(Artifact.load(path))
    if (path / Format.SAVEDMODEL.file_name).is_file():
        return _from_files(path / Format.SAVEDMODEL.file_name, _files_of(path), model=path.resolve().name, out=out)
    return Source(trained(Bundle.load(path))) if path.is_dir() else _from_file(path, out=out)


def trained(bundle: Bundle) -> Artifact:
    """The artifact at the start of a bundle's paths; raises `ArtifactError` when it is missing."""
    for name in _TRAINED:
        if (bundle.path / name / MANIFEST).is_file():
            return Artifact.load(bundle.path / name)
    raise ArtifactError(
        f"'{bundle.path}' has no trained model", expected=f"a folder {' or '.join(_TRAINED)}", hint="convert from the source again"
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
    return _from_files(path, {format.file_name: path, **beside}, model=path.stem, out=out)


def _files_of(folder: Path) -> dict[str, Path]:
    """Every file of a SavedModel by its name in the folder; raises `InputError` for a link, which may lead out of it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise InputError(f"'{path}' is a link", expected="the files of the SavedModel themselves", hint="copy the folder")
        if path.is_file() and path.name != MANIFEST:
            found[path.relative_to(folder).as_posix()] = path
    return found


def _from_files(path: Path, files: Mapping[str, Path], *, model: str, out: Path) -> Source:
    """An artifact with copies of `files` by their names in it, of which the engine of its format opens `path`."""
    format = Format.of_file(path)
    found = run_isolated(f"{__name__}:signature_task", str(path.resolve()), memory_bytes=memory_limit())
    signature = msgspec.convert(found, Signature)
    manifest = Manifest(
        model=model,
        format=format,
        precision=Precision.FP32,
        signature=signature,
        files={name: sha256_of(file) for name, file in files.items()},
        edge="import",
    )
    planned = Artifact(out / model / f"{format}-{Precision.FP32}", manifest)

    def place() -> Artifact:
        there = _trained_there(planned)
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


def signature_task(file: str) -> Any:
    """Read a bare model file's signature with the engine of its format, in a process of its own."""
    from toolkit.runtimes import open_session

    with open_session(Path(file)) as session:
        return msgspec.to_builtins(session.signature)


def _from_weights(name: str, weights: Path, *, data: str | None, out: Path) -> Source:
    model = find_model(name)
    if data is None:
        raise InputError(f"weights for '{name}' need the data set they were trained on", hint="add --data NAME")
    about = find_data(data)
    planned = Manifest(name, Format.PT2, Precision.FP32, about.signature, {}, edge="", data=about.name)
    target = out / name / _TRAINED[0]

    def place() -> Artifact:
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
                preprocessing=about.preparation(),
                data=about.name,
            )
            there = _trained_there(replace(made, path=target))
            return copy(made, target) if there is None else there

    return Source(Artifact(target, planned), place)


def _from_module(module: UserModule, inputs: Sequence[str], *, weights: Path | None, out: Path) -> Source:
    folder = Path(tempfile.mkdtemp(prefix="toolkit-"))
    try:
        made = export_user_module(module, inputs=inputs, weights=weights, out=folder / _TRAINED[0])
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    target = out / module.model / _TRAINED[0]

    def place() -> Artifact:
        there = _trained_there(replace(made, path=target))
        return copy(made, target) if there is None else there

    source = Source(replace(made, path=target), place)
    weakref.finalize(source, shutil.rmtree, folder, ignore_errors=True)
    return source


def _trained_there(artifact: Artifact) -> Artifact | None:
    """The trained model that is where `artifact` shall go, if it is the same one; None where nothing would be lost.

    Raises:
        InputError: another model was trained there; its weights may be nowhere else.
    """
    try:
        there = Artifact.load(artifact.path)
    except ArtifactError:
        return None
    if there.manifest.edge == "import" or _WEIGHTS in there.manifest.recipe:
        return None  # A copy of a file that the user has.
    if there.manifest.content_sha256 != artifact.manifest.content_sha256:
        raise InputError(
            f"'{artifact.path}' holds another trained model, which would be lost",
            hint="choose another folder with --out, or move that one away",
        )
    return there


def split_samples(
    artifact: Artifact,
    data: str | None,
    *,
    folder: Path | None = None,
    calibration: int = CALIBRATION_SAMPLES,
    evaluation: int | None = None,
) -> Split:
    """Calibration samples from the training part and evaluation samples from the test part of a data set.

    Args:
        data: a data set's name, a ``.npz`` or ``.npy`` file, or None for the set that the model was trained on; for a generator that is
            noise. A file's rows are divided at random but seeded: a fifth, at most `calibration` rows, calibrates.
        evaluation: at most so many test samples; None means all.

    Raises:
        DataError: no data are named or known, they are empty, or do not fit the model's inputs.
    """
    name = data or artifact.manifest.data
    details = artifact.manifest.details
    if data is None and details.get("samples") == NOISE:
        classes = details.get("classes", 1)
        if not isinstance(classes, int) or classes < 1:
            raise ArtifactError(f"'{artifact.path}' says nonsense of its classes", expected="a number from 1 on", got=repr(classes))
        first = noise(artifact.manifest.signature, calibration, classes=classes, seed=0)
        rest = noise(artifact.manifest.signature, evaluation or NOISE_SAMPLES, classes=classes, seed=1)
        return Split(first, rest)
    if not name:
        known = ", ".join(d.name for d in all_data())
        raise DataError(f"no data are known for '{artifact.manifest.model}'", hint=f"add --data with a .npz file or one of: {known}")
    if Path(name).suffix in {".npz", ".npy"}:
        rows = Samples.load(Path(name)).fit(artifact.manifest.signature)
        order = np.random.default_rng(0).permutation(len(rows))
        count = max(1, min(calibration, len(rows) // 5))
        if len(rows) < 2:
            raise DataError(
                f"samples '{name}'", expected="at least 2 rows, to calibrate on one and to evaluate on another", got=str(len(rows))
            )
        first, rest = rows.rows(np.sort(order[:count])), rows.rows(np.sort(order[count:]))
    else:
        dataset = find_data(name)
        signature = artifact.manifest.signature
        first = _labelled(dataset.load("train", folder, rows=slice(calibration)), signature).fit(signature)
        rest = _labelled(dataset.load("test", folder, rows=slice(evaluation)), signature).fit(signature)
    if evaluation is not None:
        rest = rest.rows(slice(0, evaluation))
    first = first.without(rest)
    if not len(first):
        raise DataError(f"every calibration sample of '{name}' is also an evaluation sample", hint="give more different samples")
    return Split(first, rest)


def _labelled(samples: Samples, signature: Signature) -> Samples:
    """With the labels as an input where the model takes them."""
    wanted = {spec.name for spec in signature.inputs} - set(samples.inputs)
    if wanted != {"label"} or samples.targets is None:
        return samples
    return replace(samples, inputs={**samples.inputs, "label": samples.targets})


def read_inputs(words: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays from ``[NAME=]FILE`` words, by input name; a single unnamed ``.npy`` has the name ``""``. Raises `DataError`."""
    arrays: dict[str, np.ndarray] = {}
    for word in words:
        name, _, file = word.rpartition("=")
        content = Samples.load(Path(file)).inputs
        if name and set(content) != {""}:
            raise DataError(f"'{file}' holds several arrays", expected="a .npy for a named input", hint="give the .npz without a name")
        arrays.update({name: content[""]} if name else content)
    return arrays
