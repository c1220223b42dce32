"""`toolkit embed`: the artifacts of a bundle again, with a picture's preparation inside their files, verified on pictures."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from toolkit.converters.embedding import GIVEN, Picture, all_embedders, find_embedder
from toolkit.converters.task import made_isolated
from toolkit.core import (
    MANIFEST,
    Artifact,
    Bundle,
    InputError,
    Precision,
    Samples,
    ToolkitError,
    UnknownNameError,
    Verdict,
    instruction_sets,
    memory_limit,
    run_isolated,
    write_arrays,
)
from toolkit.runtimes import find_runtime
from toolkit.runtimes.base import Actual
from toolkit.runtimes.parity import Observation
from toolkit.tasks import Limits

from .data._preparation import PictureInput, Preparation, picture_input
from .in_memory import named_data
from .source.remembered import limits_for
from .source.samples import split_samples
from .verify import Verifier, default_engine

MOST_PICTURES = 1000
"""So many verify at most: each is of a size of its own, and a call."""
_SHARES = (1.0, 4 / 3, 2.0, 3.0)
"""How much larger than the input the samples become as pictures, by turns."""
_MOST_BYTES = 2**28
"""Of all pictures: large ones are fewer."""
_EXACT = 1e-3


@dataclass(frozen=True)
class Embedded:
    """What became of one artifact: ``artifact`` is None where its file was not made, and ``reason`` says why; ``available`` is False where
    files of its kind take no preparation.
    """

    name: str
    artifact: Artifact | None
    reason: str = ""
    available: bool = True

    @property
    def passed(self) -> bool:
        """Whether the file was made and answers pictures as the network does behind Python's preparation."""
        return self.artifact is not None and self.artifact.verdict is Verdict.PASSED


def embed(
    model: Bundle | str | Path,
    *,
    out: str | Path | None = None,
    channels: str = "",
    prepare: str | Path = "",
    data: Any = None,
    evaluation: int = MOST_PICTURES,
    on_progress: Callable[[str, str], None] | None = None,
) -> tuple[Embedded, ...]:
    """Write the artifacts of a bundle again with an input ``uint8[batch, height, width, channels]``, a picture of any size, as
    ``toolkit embed``: resized, placed, scaled and turned inside the file as the bundle's data were prepared.

    Args:
        model: a bundle, its folder, or the folder of one artifact.
        out: the folder of the new bundle; by default the bundle's with ``-embedded`` behind its name.
        channels: those of the app's pictures, rgb, bgr or gray; by default gray for a grey network, else rgb.
        prepare: a ``prepare.toml``; by default as the manifest says, else stretched.
        data: samples to verify with, as `verify` takes them; they become pictures of several sizes.
        evaluation: at most so many.
        on_progress: called with an artifact and what has happened to it.

    Raises:
        ToolkitError: the network takes no picture, nothing says how large, or the folder holds something else.
    """
    bundle, first, chosen = _subjects(Path(model.path if isinstance(model, Bundle) else model).resolve())
    report = on_progress or (lambda _name, _event: None)
    home = Path(out) if out is not None else bundle.path.with_name(f"{bundle.path.name}-embedded")
    _check_home(home, chosen)
    given = named_data(data, first.manifest.signature)
    if given is not None and prepare:
        given = replace(given, prepare=str(prepare))
    beside = Preparation.beside(Path(given.word), given.prepare) if given is not None else None
    said = beside or (Preparation.load(Path(prepare)) if prepare else Preparation())
    own = picture_input(first.manifest.signature, said, first.manifest.preprocessing, fit="stretch")
    picture = Picture(_given(channels, own), own.preprocessing, own.dtype)
    limits, _ = limits_for(Limits(), bundle.path)
    split = split_samples(first, given, evaluation=evaluation, only_judged=True, may_draw=True, limits=limits)
    pictures = _pictures(split.evaluation, own, picture)
    verifier = Verifier(first, pictures.prepared, limits, made=chosen)
    results = []
    for artifact in chosen:
        if reason := _unable(artifact):
            results.append(Embedded(artifact.name, None, reason, available=False))
            continue
        try:
            made = _make(artifact, home / artifact.name, picture)
            report(artifact.name, "embedded")
            reports = verifier.compared(made, [_answers(made, pictures.raw)])
            results.append(Embedded(artifact.name, made.with_evidence(tuple(reports))))
        except ToolkitError as error:
            results.append(Embedded(artifact.name, None, str(error)))
        report(artifact.name, "verified")
    return tuple(results)


def _subjects(path: Path) -> tuple[Bundle, Artifact, list[Artifact]]:
    """The bundle, the artifact that its files are compared with, and those to write again: one that is named, or all of the bundle but a
    trained model whose format takes no preparation. Raises `ToolkitError`.
    """
    named = Artifact.load(path) if (path / MANIFEST).is_file() else None
    bundle = Bundle.load(path.parent if named else path)
    own = [each for each in bundle if each.path not in bundle.strangers()]
    root = next((each for each in own if not each.manifest.root), None)
    chosen = [named] if named else [each for each in own if each.manifest.root or not _unable(each)]
    reasons = [_unable(each) for each in chosen]
    if all(reasons):
        able = ", ".join(sorted(each.format for each in all_embedders()))
        raise InputError(reasons[0] if reasons else f"'{bundle.path}' holds no file for a preparation", expected=f"one of {able}")
    return bundle, root or chosen[0], chosen


def _check_home(home: Path, chosen: Sequence[Artifact]) -> None:
    """Raise `InputError` where something else would be replaced."""
    for folder in (home / each.name for each in chosen):
        if folder.exists() and not ((folder / MANIFEST).is_file() and "prepares" in Artifact.load(folder, verify=False).manifest.details):
            raise InputError(f"'{folder}' is there already", expected="a new folder, or what this command made", hint="name another: --out")


def _unable(artifact: Artifact) -> str:
    """Why a file takes no preparation; nothing where it does."""
    if "prepares" in artifact.manifest.details:
        return f"{artifact.name} prepares its pictures already"
    if artifact.manifest.precision is Precision.BF16:
        return f"{artifact.name} computes in bfloat16, in which no level of a picture survives"
    able = {each.format for each in all_embedders()}
    return "" if artifact.manifest.format in able else f"{artifact.manifest.format} files take no preparation"


def _given(channels: str, own: PictureInput) -> str:
    if channels and channels not in GIVEN:
        raise UnknownNameError("order of channels", channels, GIVEN)
    return channels or ("gray" if own.channels == "gray" else "rgb")


def _make(artifact: Artifact, out: Path, picture: Picture) -> Artifact:
    """`artifact` with the preparation inside, in a process of its own."""
    return made_isolated(out, f"{__name__}:embed_task", lambda folder: Task(str(artifact.path.resolve()), folder, picture))


@dataclass(frozen=True)
class Task:
    """The request: an artifact's folder, the folder to write, and the picture."""

    artifact: str
    out: str
    picture: Picture


def embed_task(task: Task) -> None:
    """The child's half of `embed`."""
    artifact = Artifact.load(Path(task.artifact))
    find_embedder(artifact.manifest.format).embed(artifact, Path(task.out), task.picture)


@dataclass(frozen=True)
class _Pictures:
    """Pictures ``uint8[h,w,c]`` as an app has them, and what Python's preparation makes of each."""

    raw: list[np.ndarray]
    prepared: Samples


def _pictures(samples: Samples, own: PictureInput, picture: Picture) -> _Pictures:
    """The samples as pictures of several sizes. Raises `InputError` for samples that are no pictures prepared as `own` says."""
    from PIL import Image

    rows = samples.inputs[own.name]
    if samples.drawn:
        levels: Iterator[np.ndarray] = _drawn(len(rows), own, picture)
    else:
        levels = (_levels(np.asarray(row), own, samples.origin) for row in rows)
    raw: list[np.ndarray] = []
    prepared: list[np.ndarray] = []
    left = _MOST_BYTES
    for level, share in zip(levels, itertools.cycle(_SHARES), strict=False):
        image = Image.fromarray(level[..., 0] if level.shape[2] == 1 else level)
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        image = image.resize(size, Image.Resampling.BICUBIC)
        image = image.convert("L" if picture.given == "gray" else "RGB")
        array = np.asarray(image)
        raw.append(np.ascontiguousarray(array[..., None] if array.ndim == 2 else array[..., ::-1] if picture.given == "bgr" else array))
        prepared.append(own.array(image))
        left -= raw[-1].nbytes
        if left < 0:
            break
    return _Pictures(raw, replace(samples.rows(slice(len(raw))), inputs={own.name: np.stack(prepared)}))


def _levels(row: np.ndarray, own: PictureInput, origin: str) -> np.ndarray:
    """The picture ``uint8[h,w,c]``, red first, that was prepared as this input."""
    values = row.transpose(1, 2, 0) if own.layout == "NCHW" else row
    about = own.preprocessing
    raw = (values.astype(np.float64) * np.array(about.std) + np.array(about.mean)) / about.scale
    levels = np.clip(np.rint(raw), 0, 255)
    if np.abs(raw - levels).max(initial=0) > 0.5 + _EXACT:
        raise InputError(
            f"samples of {origin} are no pictures prepared as the network's manifest says",
            expected=f"values of levels from 0 to 255 by scale {about.scale:.6g}, mean and std",
            got=f"levels from {raw.min():.4g} to {raw.max():.4g}",
            hint="say how they were prepared: --prepare prepare.toml, or give other --data",
        )
    return np.ascontiguousarray((levels[..., ::-1] if own.channels == "bgr" else levels).astype(np.uint8))


def _drawn(count: int, own: PictureInput, picture: Picture) -> Iterator[np.ndarray]:
    """Seeded pictures with large and small shapes."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for _ in range(count):
        coarse = generator.integers(0, 256, (5, 5, 1 if picture.given == "gray" else 3), dtype=np.uint8)
        image = Image.fromarray(coarse[..., 0] if coarse.shape[2] == 1 else coarse).resize((own.width, own.height))
        array = np.asarray(image)
        noise = generator.integers(-20, 21, array.shape)
        level = np.clip(array + noise, 0, 255).astype(np.uint8)
        yield level[..., None] if level.ndim == 2 else level


@dataclass(frozen=True)
class Asked:
    """The request: an artifact's folder, an engine, and the folder with the ``pictures.npz`` by number."""

    artifact: str
    engine: str
    folder: str


@dataclass(frozen=True)
class Answered:
    """The answer beside ``outputs.npz``."""

    actual: Actual
    instruction_sets: tuple[str, ...]


def _answers(artifact: Artifact, raw: Sequence[np.ndarray]) -> Observation:
    """What the artifact answers to each picture, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        write_arrays(Path(folder) / "pictures.npz", {str(number): array for number, array in enumerate(raw)})
        asked = Asked(str(artifact.path.resolve()), default_engine(artifact), folder)
        done = msgspec.convert(run_isolated(f"{__name__}:answer_task", asked, memory_bytes=memory_limit()), Answered)
        outputs = dict(np.load(Path(folder) / "outputs.npz", allow_pickle=False))
    names = [spec.name for spec in artifact.manifest.signature.outputs]
    found = {name: outputs[str(number)] for number, name in enumerate(names)}
    return Observation(artifact.manifest.content_sha256, done.actual, {}, found, instruction_sets=done.instruction_sets)


def answer_task(asked: Asked) -> Answered:
    """The child's half of `_answers`."""
    artifact = Artifact.load(Path(asked.artifact))
    with (
        find_runtime(asked.engine).open(artifact) as session,
        np.load(Path(asked.folder) / "pictures.npz", allow_pickle=False) as pictures,
    ):
        answers = [session.run(pictures[str(number)][None]) for number in range(len(pictures.files))]
        whole = {str(place): np.concatenate([answer[place] for answer in answers]) for place in range(len(answers[0]))}
        write_arrays(Path(asked.folder) / "outputs.npz", whole)
        return Answered(session.actual, tuple(instruction_sets()))
