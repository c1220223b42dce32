"""What the programs make of pictures, recordings and texts is what the toolkit makes of them, in every language."""

from __future__ import annotations

import hashlib
import json
import sys
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.export.app.apps import BUILT, call, echo, need, openvino_cmake, packages
from toolkit.core import Artifact, Preprocessing, Sound, Tokens, Vocabulary
from toolkit.pipeline.data._preparation import Preparation
from toolkit.pipeline.export.app import export
from toolkit.pipeline.export.app.base import find_language
from toolkit.pipeline.export.app.kinds import Kind, kind_of

WAYS = {
    "raw": ("x:uint8[batch,37,53,3]", Preprocessing(layout="NHWC", size=(37, 53), fit="stretch", channels="rgb")),
    "letterbox": (
        "x:float32[batch,3,40,64]",
        Preprocessing(1 / 255, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), size=(40, 64), fit="letterbox", channels="bgr"),
    ),
    "crop": ("x:float32[batch,1,31,20]", Preprocessing(1 / 127.5, (1.0,), (1.0,), size=(31, 20), fit="crop", channels="gray")),
}
SOUNDS = {
    "waveform": ("x:float32[batch,1,9000]", Sound(rate=8000)),
    "log-mel": ("x:float32[batch,40,100]", Sound(features="log-mel", mels=40)),
    "whisper": ("x:float32[batch,50,20]", Sound(rate=11025, features="log-mel", mels=20, window=256, hop=200, log="whisper", scale="htk")),
}
TEXTS: dict[str, tuple[str, Tokens | Vocabulary]] = {
    "words": ("x:int64[batch,6]", Tokens(tokens=("a", "über", "σ", "b", "?"), lower=True, unknown=4, pad=2)),
    "characters": ("x:int32[batch,9]", Tokens(tokens=tuple("abcdeö ’"), split="characters", unknown=0)),
    "vocabulary": ("x:int64[batch,7]", Vocabulary(("it's", "a", "naïve", "test", "!"), 7)),
}
SAID = ["a Über B  b\u2003σ x", "\n abc dé’ fö\t", "It’s a NAÏVE_test!! 12 (no)", "a"]
DRIVER_JS = """
import {readFileSync, writeFileSync} from 'node:fs';
const [folder, ...files] = process.argv.slice(2);
const {prepared} = await import(`${folder}/app.js`);
for (const [place, file] of files.entries()) {
  try {
    const array = await prepared(new Uint8Array(readFileSync(file)));
    writeFileSync(`${file}.raw`, new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength));
    console.log(`${array.dtype} ${array.shape.join(' ')}`);
  } catch (error) {
    console.log(`error ${error.message}`);
  }
}
"""
DRIVER_PY = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from prepare import prepare
about = json.loads(Path(sys.argv[1], "about.json").read_text())["preparation"]
for file in sys.argv[2:]:
    try:
        array = prepare(Path(file), about)
        Path(f"{file}.raw").write_bytes(array.tobytes())
        print(array.dtype, *array.shape)
    except ValueError as error:
        print("error", str(error).splitlines()[0])
"""
DRIVER_CPP = """
#include <cstdio>
#include <exception>
#include <fstream>
#include "prepare.h"
static std::string folder;
std::string beside_model(const std::string &name) { return folder + "/" + name; }
int main(int argc, char **argv) {
    folder = argv[1];
    for (int file = 2; file < argc; ++file) {
        try {
            const Array array = prepare(argv[file]);
            std::ofstream(std::string(argv[file]) + ".raw", std::ios::binary)
                .write(reinterpret_cast<const char *>(array.bytes.data()), array.bytes.size());
            std::printf("%s", array.dtype.c_str());
            for (const auto size : array.shape) std::printf(" %zu", size);
            std::printf("\\n");
        } catch (const std::exception &error) {
            std::printf("error %s\\n", error.what());
        }
    }
}
"""


def prepared(language: str, folder: Path, files: Sequence[Path], common: Path) -> list[np.ndarray | str]:
    """What a program makes of each file: its input, or what is wrong."""
    if language == "js":
        (folder / "node_modules").symlink_to(packages(common))
        (folder / "driver.mjs").write_text(DRIVER_JS)
        words: list[str | Path] = ["node", "driver.mjs", folder]
    elif language == "python":
        words = [sys.executable, "-c", DRIVER_PY, folder]
    else:
        words = [_compiled(folder, common), folder]
    done = call((*words, *files), folder)
    assert done.returncode == 0, done.stderr
    found: list[np.ndarray | str] = []
    for line, file in zip(done.stdout.splitlines(), files, strict=True):
        kind, _, rest = line.partition(" ")
        raw = file.with_name(f"{file.name}.raw")
        found.append(rest if kind == "error" else np.frombuffer(raw.read_bytes(), kind).reshape([int(size) for size in rest.split()]))
    return found


def _compiled(folder: Path, common: Path) -> Path:
    """The preparation alone: the network, which is most of what a compiler reads, is left out, and what is the same is compiled once."""
    pytest.importorskip("openvino")
    home = Path(openvino_cmake()).parent
    (folder / "driver.cpp").write_text(DRIVER_CPP)
    objects = []
    for source in sorted({*folder.glob("*.cpp")} - {folder / name for name in ("app.cpp", "test.cpp", "network.cpp")}):
        text = source.read_text()
        key = hashlib.sha256((text + ((folder / "about.h").read_text() if '"about.h"' in text else "")).encode()).hexdigest()
        objects.append(common / f"apps-{key}.o")
        if not objects[-1].exists():
            flags = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", f"-I{home}/include")
            done = call(("g++", *flags, "-c", source, "-o", folder / "new.o"), folder)
            if "png.h" in done.stderr or "jpeglib.h" in done.stderr:
                pytest.skip("libpng or libjpeg is not installed; run: apt-get install libpng-dev libjpeg-dev")
            assert done.returncode == 0, done.stderr
            (folder / "new.o").rename(objects[-1])
    (openvino,) = (home / "libs").glob("libopenvino.so.*")
    libraries = ("-lpng", "-ljpeg") if (folder / "decode.cpp").exists() else ()
    done = call(("g++", *objects, openvino, f"-Wl,-rpath,{home}/libs", *libraries, "-o", "driver"), folder)
    assert done.returncode == 0, done.stderr
    return folder / "driver"


def exported(language: str, model: Path, out: Path) -> Kind:
    """Write a program and tell how its network's input is prepared here."""
    need(language)
    export(model, out, lang=language)
    manifest = Artifact.load(model).manifest
    kind = kind_of(manifest, manifest.signature, Preparation(), None)
    assert kind is not None
    return kind


def drawn(mode: str, width: int, height: int, seed: int) -> Image.Image:
    bands = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    values = np.random.default_rng(seed).integers(0, 256, (height, width, bands)).astype(np.uint8)
    return Image.fromarray(values[..., 0] if bands == 1 else values, mode)


def pictures(folder: Path) -> list[Path]:
    """Of every mode, as small and as long as they come, and of random sizes."""
    random = np.random.default_rng(1)
    modes = ("L", "LA", "RGB", "RGBA")
    images = {f"{mode}.png": drawn(mode, 61, 45, place) for place, mode in enumerate(modes)}
    images |= {
        "one.png": drawn("RGB", 1, 1, 1),
        "tall.png": drawn("L", 1, 301, 2),
        "wide.png": drawn("RGBA", 299, 2, 3),
        "same.png": drawn("RGB", 53, 37, 4),
        "large.png": drawn("RGB", 700, 533, 5),
        "palette.png": drawn("RGB", 64, 64, 6).quantize(20),
        "bits.png": drawn("L", 65, 33, 7).convert("1"),
        "colours.ppm": drawn("RGB", 70, 20, 8),
        "gray.pgm": drawn("L", 21, 80, 9),
    }
    for number in range(6):
        width, height = map(int, random.integers(1, 200, 2))
        images[f"random-{number}.png"] = drawn(modes[number % 4], width, height, 20 + number)
    for name, image in images.items():
        image.save(folder / name)
    return [folder / name for name in images]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("language", BUILT)
def test_pictures_become_what_pillow_makes_of_them(language: str, way: str, tmp_path: Path, common_folder: Path) -> None:
    spec, preprocessing = WAYS[way]
    kind = exported(language, echo(tmp_path / "net", spec, preprocessing=preprocessing), tmp_path / "app")
    files = pictures(tmp_path)
    for file, found in zip(files, prepared(language, tmp_path / "app", files, common_folder), strict=True):
        assert isinstance(found, np.ndarray), (file.name, found)
        expected = kind.array(file)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        # One level would be allowed; the arithmetic is the same to the last bit.
        assert np.abs(found.astype(np.float64) - expected).max() == 0, file.name


@pytest.mark.parametrize("language", BUILT)
def test_jpeg_is_alike_but_for_its_decoders(language: str, tmp_path: Path, common_folder: Path) -> None:
    spec, preprocessing = WAYS["raw"]
    kind = exported(language, echo(tmp_path / "net", spec, preprocessing=preprocessing), tmp_path / "app")
    smooth = drawn("RGB", 9, 7, 0).resize((300, 200), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "colours.jpg", quality=90)
    smooth.convert("L").save(tmp_path / "gray.jpeg", quality=90)
    files = [tmp_path / name for name in ("colours.jpg", "gray.jpeg")]
    for file, found in zip(files, prepared(language, tmp_path / "app", files, common_folder), strict=True):
        assert isinstance(found, np.ndarray), (file.name, found)
        off = np.abs(found.astype(np.float64) - kind.array(file))
        # jpeg-js computes with fewer bits, and does not smooth colours of half the size.
        assert off.max() <= (8 if language == "js" else 0), file.name
        assert off.mean() < 1


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("language", BUILT)
def test_recordings_become_samples_or_bands(language: str, name: str, tmp_path: Path, common_folder: Path) -> None:
    spec, sound = SOUNDS[name]
    kind = exported(language, echo(tmp_path / "net", spec, preprocessing=Preprocessing(sound=sound)), tmp_path / "app")
    random = np.random.default_rng(0)
    files = []
    for place, (rate, channels, width, size) in enumerate(
        [(16000, 1, 2, 20000), (11025, 2, 3, 3000), (44100, 1, 1, 40000), (8000, 2, 4, 90)]
    ):
        files.append(tmp_path / f"{place}.wav")
        with wave.open(str(files[-1]), "wb") as stream:
            stream.setparams((channels, width, rate, 0, "NONE", ""))
            stream.writeframes(random.integers(0, 256, size * channels * width).astype(np.uint8).tobytes())
    for file, found in zip(files, prepared(language, tmp_path / "app", files, common_folder), strict=True):
        assert isinstance(found, np.ndarray), (file.name, found)
        expected = kind.array(file)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert np.abs(found - expected).max() <= kind.off / 20, file.name


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("language", BUILT)
def test_texts_become_numbers(language: str, name: str, tmp_path: Path, common_folder: Path) -> None:
    spec, tokens = TEXTS[name]
    about = Preprocessing(vocabulary=tokens) if isinstance(tokens, Vocabulary) else Preprocessing(text=tokens)
    model = echo(tmp_path / "net", spec, preprocessing=about)
    kind = exported(language, model, tmp_path / "app")
    if not find_language(language).prepares(kind.name, kind.preparation):
        assert json.loads((tmp_path / "app" / "about.json").read_text())["kind"] == "arrays"
        assert "Nothing in it prepares a text" in (tmp_path / "app" / "README.md").read_text()
        return
    files = [tmp_path / f"{place}.txt" for place in range(len(SAID))]
    for file, text in zip(files, SAID, strict=True):
        file.write_text(text, encoding="utf-8")
    for file, found in zip(files, prepared(language, tmp_path / "app", files, common_folder), strict=True):
        assert isinstance(found, np.ndarray), (file.name, found)
        expected = kind.array(file)
        assert (found.dtype, found.tolist()) == (expected.dtype, expected.tolist())
