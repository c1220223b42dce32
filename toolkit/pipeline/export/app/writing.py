"""`toolkit export app`: the folder of a program, all or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from toolkit.core import (
    Artifact,
    ArtifactError,
    DataError,
    InputError,
    Manifest,
    new_folder,
    printable,
    rule_for,
    scores_classes,
    sha256_of,
)
from toolkit.formats import find_format
from toolkit.pipeline.data._preparation import Preparation
from toolkit.runtimes import find_runtime
from toolkit.runtimes.parity.probes import probe

from ...inspect import describe_file
from ...run import run_once
from ...source.samples import read_inputs
from .base import ARRAYS, About, App, Language, Limits, Program, all_languages, find_language
from .kinds import Kind, kind_of, suffix_kind

ABOUT = "about.json"
"""What the program knows of its network; by this file an exported program is known."""
README = "README.md"
EXAMPLE = "example"
"""The folder of the example: the file that is prepared, ``prepared.npy`` as it becomes, ``inputs/0.npy`` and so on, ``outputs/0.npy``."""


@dataclass(frozen=True)
class _Example:
    """One call: the kind of files that the network takes and the user's own one, if there are; inputs in order, empty where the file is
    to give them.
    """

    kind: Kind | None
    file: Path | None
    inputs: list[np.ndarray] = field(default_factory=list)


def export(model: Path, out: Path, *, lang: str, inputs: Sequence[str] = (), prepare: str = "") -> App:
    """Write a program that runs `model`, an artifact folder or a bare model file, to the folder `out`, all or nothing.

    Args:
        lang: a language's name: cpp, js, python.
        inputs: the example: a picture, a WAV recording or a text where the network takes one, else ``[NAME=]FILE`` words for .npy and .npz
            files; a seeded one where there are none.
        prepare: a TOML file that says how a file becomes the input; by default the one beside the example, else as the manifest says.

    Raises:
        InputError: no such language, a format that it has no engine for, an example that does not fit, or `out` holds something else.
        MissingDependencyError: no engine for the artifact is installed here, or Pillow for a network that takes pictures.
        EngineError: the engine refused the model or the example.
        StorageError: the folder cannot be written.
    """
    language = find_language(lang)
    manifest, sources = _read(model)
    _check(language, manifest, model)
    if out.is_symlink() or (out.exists() and not (out / ABOUT).is_file() and (not out.is_dir() or any(out.iterdir()))):
        raise InputError(f"'{out}' holds something else", expected="a new folder, or one of an earlier export")
    example = _example(manifest, inputs, prepare)
    with new_folder(out) as work:
        for name, source in sources.items():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, work / name)
            if sha256_of(work / name) != manifest.files[name]:
                raise ArtifactError(f"'{source}' changed while it was copied", hint="run the command again")
        arrays = _write_inputs(work / EXAMPLE, example)
        computed_by = _write_outputs(work / EXAMPLE, language, manifest, model, arrays)
        program = _program(language, manifest, example.kind, computed_by)
        (work / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(program.about), indent=2) + b"\n")
        for name, table in (example.kind.files() if example.kind and program.about.kind != ARRAYS else {}).items():
            np.save(work / name, table)
        for name, text in language.texts(program).items():
            (work / name).write_text(text, encoding="utf-8")
        (work / README).write_text(language.readme(program), encoding="utf-8")
        files = tuple(sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file()))
    limits = program.about.limits
    return App(out, language.name, computed_by, program.about.kind, limits.text, files, language.steps(program))


def _read(model: Path) -> tuple[Manifest, dict[str, Path]]:
    """What is known of the model, and its files by their names in an artifact."""
    if model.is_file():
        manifest = describe_file(model)
        sources = find_format(manifest.format).files(model)
        return replace(manifest, files={name: sha256_of(source) for name, source in sources.items()}), sources
    artifact = Artifact.load(model)
    return artifact.manifest, {name: artifact.path / name for name in sorted(artifact.manifest.files)}


def _check(language: Language, manifest: Manifest, model: Path) -> None:
    """Raise `InputError` for an artifact that the language's program could not run."""
    if manifest.format not in language.engines:
        able = ", ".join(each.name for each in all_languages() if manifest.format in each.engines)
        raise InputError(
            f"'{model}' in {language.name}",
            expected=f"an artifact in {' or '.join(sorted(language.engines))}",
            got=manifest.format,
            hint=f"--lang {able} runs {manifest.format}" if able else "convert it to one of those",
        )
    if language.one_file and len(manifest.files) > 1:
        got = ", ".join(sorted(manifest.files))
        raise InputError(f"'{model}' has more files than a program in {language.name} loads", expected="one", got=got)
    for spec in (*manifest.signature.inputs, *manifest.signature.outputs):
        if spec.dtype in language.lacks:
            raise InputError(f"'{model}' in {language.name}", expected=f"no {spec.dtype} in inputs and outputs", got=str(spec))


def _example(manifest: Manifest, words: Sequence[str], prepare: str) -> _Example:
    """What a user gives, else what is seeded."""
    signature = manifest.signature
    raw = next((Path(word) for word in words if suffix_kind(Path(word)) and ("=" not in word or Path(word).is_file())), None)
    if raw is not None and not raw.is_file():
        raise DataError(f"there is no file '{raw}'", expected="a picture, a recording, a text, or .npy and .npz files")
    if raw is not None:
        if len(words) > 1:
            raise InputError("the example", expected=f"'{raw}' alone", got=f"{len(words)} files")
        preparation = Preparation.beside(raw, prepare)
        return _Example(kind_of(manifest, signature, preparation, raw), raw)
    preparation = Preparation.load(Path(prepare)) if prepare else Preparation()
    sizes = next(iter(signature.fixes), {})
    kind = kind_of(manifest, signature.fixed({name: size for name, size in sizes.items() if name != signature.rows}), preparation, None)
    if kind is None and prepare:
        raise InputError(f"'{prepare}' prepares no input of this network: {', '.join(map(str, signature.inputs))}", expected="no --prepare")
    given = read_inputs(words)
    if not given and kind is not None:
        return _Example(kind, None)
    arrays = given[""] if list(given) == [""] else given or probe(signature, batch=1)
    return _Example(kind, None, signature.check(arrays))


def _write_inputs(folder: Path, example: _Example) -> list[np.ndarray]:
    """Write what is prepared, if anything is, and the inputs, which are returned in order."""
    (folder / "inputs").mkdir(parents=True)
    arrays = example.inputs
    if example.kind is not None:
        file = folder / f"input{example.kind.suffix}"
        if example.file is None:
            example.kind.seeded(file)
        else:
            example.kind.kept(example.file, file)
        prepared = example.kind.array(file)
        np.save(folder / "prepared.npy", prepared)
        arrays = arrays or [prepared]
    for index, array in enumerate(arrays):
        np.save(folder / "inputs" / f"{index}.npy", np.ascontiguousarray(array))
    return arrays


def _write_outputs(folder: Path, language: Language, manifest: Manifest, model: Path, arrays: list[np.ndarray]) -> str:
    """Compute and write what the network answers; returns by what engine, with its version."""
    names = [spec.name for spec in manifest.signature.inputs]
    own = find_runtime(language.engines[manifest.format])
    engine = own.name if own.is_installed() and own.runs(manifest.format, manifest.precision) else None
    answer = run_once(model, dict(zip(names, arrays, strict=True)), engine=engine)
    (folder / "outputs").mkdir()
    for index, spec in enumerate(manifest.signature.outputs):
        np.save(folder / "outputs" / f"{index}.npy", np.ascontiguousarray(answer.outputs[spec.name]))
    return f"{answer.actual.engine} {answer.actual.engine_version}"


def _program(language: Language, manifest: Manifest, kind: Kind | None, computed_by: str) -> Program:
    own = kind if kind is not None and language.prepares(kind.name, kind.preparation) else None
    note = own.note if own else f"Nothing in it prepares a {kind.name}: it takes what the network itself takes." if kind else ""
    about = About(
        title=printable(manifest.model),
        artifact=f"{manifest.format} {manifest.precision}",
        model=manifest.format.file_name,
        precision=manifest.precision,
        inputs=manifest.signature.inputs,
        outputs=manifest.signature.outputs,
        labels=_labels(manifest),
        kind=own.name if own else ARRAYS,
        preparation=own.preparation if own else {},
        suffixes=own.suffixes if own else (),
        example=f"input{own.suffix}" if own else "",
        limits=_limits(manifest, own),
    )
    return Program(about=about, format=manifest.format, computed_by=computed_by, note=note, arguments=_arguments(about))


def _labels(manifest: Manifest) -> tuple[str, ...]:
    """The names of the classes, their numbers where a classifier has none; nothing where the first output scores no classes."""
    classes = manifest.signature.outputs[0].shape[-1] if scores_classes(manifest.signature) else None
    if not isinstance(classes, int):
        return ()
    if len(manifest.labels) == classes:
        return tuple(map(printable, manifest.labels))
    return tuple(map(str, range(classes))) if manifest.task == "classification" else ()


def _limits(manifest: Manifest, kind: Kind | None) -> Limits:
    """Those of parity."""
    rule = rule_for(manifest.precision)
    atol, rtol = (rule.tolerance.atol, rule.tolerance.rtol) if rule.tolerance else (0.0, 0.0)
    assert rule.floor is not None
    return Limits(atol=atol, rtol=rtol, sqnr_db=rule.floor.sqnr_db, prepared=kind.off if kind else 0.0)


def _arguments(about: About) -> str:
    if about.example:
        return f"{EXAMPLE}/{about.example}"
    return " ".join(f"{EXAMPLE}/inputs/{index}.npy" for index in range(len(about.inputs)))
