"""One mutant and the command that gets to see it: everything follows from the seed and the number."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from toolkit.core import MANIFEST, Format, sha256_of
from toolkit.formats import find_format, format_of

from . import archives, models
from .mutations import mutate_bytes, mutate_json, mutate_toml, toml_of
from .seeds import Seeds

Words = tuple[str, ...]
ARTIFACTS = {
    Format.ONNX: "net/onnx-fp32",
    Format.TFLITE: "net/tflite-fp32",
    Format.OPENVINO: "net/openvino-fp32",
    Format.PT2: "pt2/pt2-fp32",
}
_SHORT = ("--data", "samples.npz")
_CONVERT: Words = (*_SHORT, "--to", "onnx", "--precision", "fp32,int8-weights", "--out", "out", "--timeout", "60")
_BENCHMARK: Words = (*_SHORT, "--rounds", "1", "--seconds", "0.01")


@dataclass(frozen=True)
class Case:
    """A command, run in a folder ``work`` beside a ``canary``; it may change what lies below ``writable`` only. A file ``spring`` beside
    them appears when a planted pickle or Python text is executed.
    """

    name: str
    words: Words
    writable: Words


def make_case(number: int, seed: int, seeds: Seeds, home: Path, *, kinds: Sequence[str] = ()) -> Case:
    """Write the mutant `number` of `seed` into the new folder `home`, and say what to run there."""
    random = Random(f"{seed}/{number}")
    names = [*(kinds or KINDS)]
    kind = random.choices(names, [KINDS[name][1] for name in names])[0]
    work, canary = home / "work", home / "canary"
    canary.mkdir(parents=True)
    (canary / "secret.txt").write_text("do not touch\n")
    (canary / "weights.bin").write_bytes(np.full(4096, 1234.5, np.float32).tobytes())
    shutil.copytree(seeds / "net" / "onnx-fp32", canary / "onnx-fp32")
    work.mkdir()
    for name in ("x.npy", "samples.npz"):
        shutil.copyfile(seeds / name, work / name)
    words, writable = KINDS[kind][0](random, seeds, work)
    return Case(f"{number:05d}-{kind}", words, writable)


def _bundle(seeds: Seeds, work: Path, *, only: Format | None = None) -> Path:
    """A copy of the bundle; with `only` of this artifact and the trained one."""
    home = work / "net"
    for format, name in ARTIFACTS.items():
        if (only in {None, format} and format is not Format.PT2) or format is Format.ONNX:
            shutil.copytree(seeds / name, work / name)
    return home


def _manifest(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    bundle = _bundle(seeds, work, only=random.choice((Format.ONNX, Format.ONNX, Format.OPENVINO)))
    folder = random.choice([*bundle.iterdir()])
    _change_manifest(folder / MANIFEST, random)
    return _on_artifact(random, folder.name, weights=(6, 3, 4, 3, 1, 1, 1))


def _change_manifest(file: Path, random: Random) -> None:
    content = file.read_bytes()
    file.write_bytes(mutate_bytes(content, random) if random.random() < 0.15 else mutate_json(json.loads(content), random))


def _on_artifact(random: Random, name: str, *, weights: Sequence[int]) -> tuple[Words, Words]:
    folder = f"net/{name}"
    commands: tuple[tuple[Words, Words], ...] = (
        (("inspect", folder), ()),
        (("inspect", folder, "--json"), ()),
        (("run", folder, "--input", "x.npy", "--output", "out/y.npz"), ("work/out",)),
        (("run", "net", "--input", "x.npy", "--json"), ()),
        (("evaluate", folder, *_SHORT), ()),
        (("verify", folder, *_SHORT), ("work/net",)),
        (random.choice((("benchmark", "net", *_BENCHMARK), ("convert", folder, *_CONVERT))), ("work/net", "work/out")),
    )
    return random.choices(commands, weights)[0]


def _link(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    """Links, pipes and folders where files and folders should be."""
    bundle = _bundle(seeds, work, only=Format.OPENVINO)
    folder = random.choice([*bundle.iterdir()])
    place = random.choice((folder, *folder.iterdir(), bundle / "logs", bundle / "logs" / f"{folder.name}.log", bundle / "benchmark.json"))
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    canary = work.parent / "canary"
    targets = (canary, canary / "onnx-fp32", canary / "secret.txt", Path("../../../canary/onnx-fp32"), Path("/dev/zero"), place)
    target = random.choice((*targets, Path("/etc"), Path("nowhere")))
    kind = random.randrange(6)
    if kind == 0:
        os.mkfifo(place)
    elif kind == 1:
        place.mkdir()
    else:
        place.symlink_to(target)
    return _on_artifact(random, folder.name, weights=(3, 1, 3, 3, 2, 4, 6))


def _stale(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    """Names like those of killed runs' leftovers, in a bundle that came from elsewhere."""
    bundle = _bundle(seeds, work, only=Format.ONNX)
    (work.parent / "canary" / "old").mkdir()
    for name in ("onnx-fp32", "onnx-int8-weights", "benchmark.json", "manifest.json"):
        owner = bundle / "onnx-fp32" if name == MANIFEST else bundle
        left = owner / f".{name}-{random.choice(('0' * 8, 'f' * 8))}-{random.choice((1, 2**22, 2**80))}-abcdefgh"
        left.symlink_to(random.choice((work.parent / "canary", work.parent / "canary" / "secret.txt", Path("nowhere"))))
        os.utime(left, (0, 0), follow_symlinks=False)
    return random.choice(
        (
            (("convert", "net", *_SHORT, "--to", "onnx", "--precision", "fp32"), ("work/net",)),
            (("benchmark", "net", *_BENCHMARK), ("work/net",)),
        )
    )


def _report(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    """A stored benchmark, by which a bundle's artifact is chosen."""
    bundle = _bundle(seeds, work, only=Format.ONNX)
    content = (seeds / "benchmark.json").read_bytes()
    changed = mutate_bytes(content, random) if random.random() < 0.2 else mutate_json(json.loads(content), random)
    if random.random() < 0.3:
        (work / "a.json").write_bytes(content)
        (work / "b.json").write_bytes(changed)
        return ("report", "a.json", "b.json", "--html", "out/page.html"), ("work/out",)
    (bundle / "benchmark.json").write_bytes(changed)
    return ("run", "net", "--input", "x.npy"), ()


def _field(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    """What another machine packed."""
    (work / "field.zip").write_bytes(archives.field_mutant((seeds / "field.zip").read_bytes(), random, work.parent / "spring"))
    return ("check", "field.zip", "--engine", "openvino", "--rounds", "1", "--seconds", "0.01", "--out", "out/report.json"), ("work/out",)


def _model(format: Format) -> Callable[[Random, Seeds, Path], tuple[Words, Words]]:
    """A changed model file, bare or in an artifact whose manifest fits it."""

    def make(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
        own = seeds / ARTIFACTS[format] / format.file_name
        change = {Format.ONNX: models.onnx_mutant, Format.TFLITE: models.tflite_mutant, Format.OPENVINO: models.openvino_mutant}
        spring = work.parent / "spring"
        data = own.read_bytes()
        changed = archives.pt2_mutant(data, random, spring) if format is Format.PT2 else change[format](data, random)
        if format is Format.PT2 or random.random() < 0.5:
            file = work / f"model{find_format(format).suffixes[0]}"
            file.write_bytes(changed)
            _beside(file, own, random)
            commands = [("inspect", file.name), ("run", file.name, "--input", "x.npy")]
            if format in {Format.ONNX, Format.PT2}:
                commands.append(("convert", file.name, *_CONVERT))
            return random.choices(commands, (3, 3, 1)[: len(commands)])[0], ("work/out",)
        _bundle(seeds, work, only=format)
        folder = work / ARTIFACTS[format]
        file = folder / format.file_name
        file.write_bytes(changed)
        _beside(file, own, random)
        text = (folder / MANIFEST).read_text()
        (folder / MANIFEST).write_text(text.replace(sha256_of(own), sha256_of(file)))
        return _on_artifact(random, folder.name, weights=(1, 0, 6, 2, 2, 1, 2))

    return make


def _beside(file: Path, own: Path, random: Random) -> None:
    """What a model file may name beside it: OpenVINO's weights, ONNX's external data, as file, link or pipe."""
    weights = own.with_suffix(".bin")
    if weights.is_file():
        content = weights.read_bytes()
        file.with_suffix(".bin").write_bytes(content if random.random() < 0.7 else mutate_bytes(content, random))
    if format_of(file) is Format.ONNX:
        (file.parent / "weights.bin").write_bytes(bytes(4096))
        (file.parent / "link.bin").symlink_to("../canary/weights.bin")
        os.mkfifo(file.parent / "pipe")
        (file.parent / "folder").mkdir()


def _samples(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    _bundle(seeds, work, only=Format.ONNX)
    spring = work.parent / "spring"
    if random.random() < 0.5:
        (work / "x.npy").write_bytes(archives.npy_mutant((work / "x.npy").read_bytes(), random, spring))
        return ("run", "net/onnx-fp32", "--input", random.choice(("x.npy", "x=x.npy"))), ()
    (work / "samples.npz").write_bytes(archives.npz_mutant((work / "samples.npz").read_bytes(), random, spring))
    commands: tuple[tuple[Words, Words], ...] = (
        (("run", "net/onnx-fp32", "--input", "samples.npz"), ()),
        (("evaluate", "net/onnx-fp32", *_SHORT), ()),
        (("verify", "net", *_SHORT), ("work/net",)),
        (("convert", "net", "--data", "samples.npz", "--to", "onnx", "--precision", "fp32"), ("work/net",)),
    )
    return random.choices(commands, (4, 4, 1, 1))[0]


def _recipe(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    content = (seeds / "recipe.json").read_bytes()
    changed = mutate_bytes(content, random) if random.random() < 0.3 else mutate_json(json.loads(content), random)
    (work / "recipe.json").write_bytes(changed)
    return ("train", "perceptron", "--data", "digits", "--recipe", "recipe.json", "--epochs", "1", "--out", "out"), ("work/out",)


_CHOICES: dict[str, object] = {
    "name": "int8-mine",
    "precision": "int8",
    "about": "mine",
    "ranges": "percentile",
    "percentile": 99.9,
    "per_channel": False,
    "symmetric": True,
    "keep_float": [],
}


def _choices(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    """A recipe of a conversion, as TOML or JSON."""
    _bundle(seeds, work, only=Format.ONNX)
    file = work / random.choice(("mine.toml", "mine.json"))
    if file.suffix == ".json":
        file.write_bytes(mutate_bytes(_AS_JSON, random) if random.random() < 0.3 else mutate_json(_CHOICES, random))
    else:
        file.write_bytes(mutate_bytes(_AS_TOML, random) if random.random() < 0.5 else mutate_toml(_CHOICES, random))
    return ("convert", "net", *_SHORT, "--to", "onnx", "--recipe", file.name, "--max-drop", "100", "--out", "out"), ("work/out",)


_AS_JSON = json.dumps(_CHOICES).encode()
_AS_TOML = toml_of(_CHOICES).encode()


def _checkpoint(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    shutil.copytree(seeds / "perceptron", work / "out" / "perceptron")
    shutil.rmtree(work / "out" / "perceptron" / "pt2-fp32")
    file = work / "out" / "perceptron" / "training" / "checkpoint.safetensors"
    file.write_bytes(archives.safetensors_mutant(file.read_bytes(), random))
    return ("train", "perceptron", "--data", "digits", "--epochs", "1", "--out", "out", "--resume"), ("work/out",)


def _start(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    """A trained net whose weights a training starts from."""
    folder = work / "pt2-fp32"
    shutil.copytree(seeds / "perceptron" / "pt2-fp32", folder)
    file = folder / Format.PT2.file_name
    before = sha256_of(file)
    file.write_bytes(archives.pt2_mutant(file.read_bytes(), random, work.parent / "spring"))
    (folder / MANIFEST).write_text((folder / MANIFEST).read_text().replace(before, sha256_of(file)))
    return ("train", "perceptron", "--data", "digits", "--epochs", "1", "--out", "out", "--start-from", "pt2-fp32"), ("work/out",)


def _weights(random: Random, seeds: Seeds, work: Path) -> tuple[Words, Words]:
    file = work / random.choice(("w.safetensors", "w.pt", "w.pth"))
    content = (seeds / f"weights{file.suffix.removesuffix('h')}").read_bytes()
    if file.suffix == ".safetensors":
        file.write_bytes(archives.safetensors_mutant(content, random))
    else:
        file.write_bytes(archives.pt_mutant(content, random, work.parent / "spring"))
    to: Words = ("--to", "pt2", "--precision", "fp32", "--out", "out")
    words = ("convert", "perceptron", "--weights", file.name, "--data", "digits", *to)
    return words, ("work/out",)


KINDS: dict[str, tuple[Callable[[Random, Seeds, Path], tuple[Words, Words]], int]] = {
    "manifest": (_manifest, 30),
    "report": (_report, 6),
    "field": (_field, 6),
    "link": (_link, 8),
    "stale": (_stale, 1),
    "onnx": (_model(Format.ONNX), 20),
    "tflite": (_model(Format.TFLITE), 10),
    "openvino": (_model(Format.OPENVINO), 10),
    "pt2": (_model(Format.PT2), 8),
    "samples": (_samples, 10),
    "recipe": (_recipe, 10),
    "choices": (_choices, 8),
    "checkpoint": (_checkpoint, 3),
    "weights": (_weights, 3),
    "start": (_start, 2),
}
"""What is damaged, and how often of a hundred or so."""
