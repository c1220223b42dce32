"""Kinds of files that become a network's input: how each is prepared, as data for a program, and a seeded example of each."""

from __future__ import annotations

import wave
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from toolkit.core import DataError, InputError, Manifest, Preprocessing, Signature, Sound, TensorSpec, Tokens, Vocabulary, needs
from toolkit.core.reading import read_file
from toolkit.core.sounds import mel_bands
from toolkit.pipeline.data._pictures import SUFFIXES as PICTURES
from toolkit.pipeline.data._pictures import opened
from toolkit.pipeline.data._preparation import PictureInput, Preparation, picture_input, sides_of
from toolkit.pipeline.data.audio import SUFFIXES as RECORDINGS
from toolkit.pipeline.data.audio import frames_first, input_of, length_of, note_of

MOST_PIXELS = 100_000_000
"""Of a picture that a program decodes: more is refused by its header, before there is memory for it."""
_GREY_LEVEL = 1.01
"""How many grey levels a prepared value may be off: one, and what its rounding to the input's type adds."""
_EXAMPLE_S = 1.0
_PIECES = 8


class Kind(ABC):
    """What fills the one input of a network.

    Args:
        name: in words.
        suffix: of the example.
        suffixes: of files that programs take for one.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    @property
    @abstractmethod
    def note(self) -> str:
        """In words how a file becomes the input, as a sentence."""

    @property
    @abstractmethod
    def preparation(self) -> dict[str, object]:
        """The same for a program."""

    @property
    @abstractmethod
    def off(self) -> float:
        """How far a value that another program prepares may be off."""

    @abstractmethod
    def array(self, file: Path) -> np.ndarray:
        """The input of a file, one row; raises `DataError`."""

    @abstractmethod
    def seeded(self, file: Path) -> None:
        """Write an example."""

    def kept(self, given: Path, file: Path) -> None:
        """Write a user's example so that every program reads the same of it."""
        file.write_bytes(read_file(given))

    def files(self) -> dict[str, np.ndarray]:
        """Tables that a program reads, by the name of their file."""
        return {}


@dataclass(frozen=True)
class PictureKind(Kind):
    """A picture of any size."""

    spec: PictureInput
    name = "picture"
    suffix = ".png"
    suffixes = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")

    @property
    def note(self) -> str:
        """As `toolkit convert` says it, without where to change it."""
        text = self.spec.note.partition(";")[0]
        return f"{text[:1].upper()}{text[1:]}; resized by Pillow's antialiased bilinear filter."

    @property
    def preparation(self) -> dict[str, object]:
        """All that `PictureInput` has."""
        spec = self.spec
        return {
            "height": spec.height,
            "width": spec.width,
            "channels": spec.channels,
            "layout": spec.layout,
            "dtype": spec.dtype,
            "fit": spec.fit,
            "pad": spec.pad,
            "scale": spec.scale,
            "mean": spec.mean,
            "std": spec.std,
            "most_pixels": MOST_PIXELS,
        }

    @property
    def off(self) -> float:
        """One grey level, in the input's values."""
        return _GREY_LEVEL if self.spec.dtype == "uint8" else _GREY_LEVEL * abs(self.spec.scale) / min(self.spec.std)

    def array(self, file: Path) -> np.ndarray:
        """As `toolkit convert` prepares pictures."""
        with opened(file) as image:
            return self.spec.array(image)[None]

    def seeded(self, file: Path) -> None:
        """Smooth colours, larger than the input and of another shape, so that it is resized."""
        from PIL import Image

        rough = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)
        size = (self.spec.width * 3 // 2 + 5, self.spec.height * 5 // 4 + 3)
        picture = Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)
        (picture.convert("L") if self.spec.channels == "gray" else picture).save(file)

    def kept(self, given: Path, file: Path) -> None:
        """As PNG: decoders of JPEG may differ by more than the test allows, and not every program reads every format."""
        with opened(given) as image:
            (image if image.mode in {"L", "LA", "RGB", "RGBA"} else image.convert("RGB")).save(file, "PNG", icc_profile=None)


@dataclass(frozen=True)
class SoundKind(Kind):
    """A recording."""

    spec: TensorSpec
    sound: Sound
    name = "sound"
    suffix = ".wav"
    suffixes = tuple(sorted(RECORDINGS))

    @property
    def note(self) -> str:
        """As `toolkit convert` says it, without where to change it."""
        text = note_of(self.spec, self.sound).partition(";")[0]
        return f"{text[:1].upper()}{text[1:]}."

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of one row; what has no fixed size is as long as the sound says."""
        length = length_of(self.spec, self.sound)
        free = max(1, length // self.sound.hop) if self.sound.features == "log-mel" else length
        return tuple(size if isinstance(size, int) else free for size in self.spec.shape[1:])

    @property
    def preparation(self) -> dict[str, object]:
        """The numbers of `Sound` that a program needs; bands are in a file."""
        sound, spec = self.sound, self.spec
        return {
            "rate": sound.rate,
            "features": sound.features,
            "window": sound.window,
            "hop": sound.hop,
            "mels": sound.mels,
            "log": sound.log,
            "length": length_of(spec, sound),
            "shape": self._shape,
            "frames_first": sound.features == "log-mel" and frames_first(spec, sound),
            "dtype": spec.dtype,
        }

    @property
    def off(self) -> float:
        """Of samples, or of logarithms, whose sums are rounded in another order."""
        return 1e-3 if self.sound.features == "log-mel" else 1e-4

    def array(self, file: Path) -> np.ndarray:
        """As `toolkit convert` prepares recordings."""
        return input_of(file, self.spec, self.sound)[None]

    def seeded(self, file: Path) -> None:
        """A second of tones and noise in two channels, at another rate than the network's."""
        rate, random = self.sound.rate * 5 // 4, np.random.default_rng(0)
        time = np.arange(round(rate * _EXAMPLE_S)) / rate
        tones = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 1234.5)) / 4
        both = np.stack([tones, 0.5 * tones], axis=1) + 0.02 * random.standard_normal((len(time), 2))
        with wave.open(str(file), "wb") as stream:
            stream.setnchannels(2)
            stream.setsampwidth(2)
            stream.setframerate(rate)
            stream.writeframes((both * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2").tobytes())

    def files(self) -> dict[str, np.ndarray]:
        """How much each frequency counts in each band."""
        return {"bands.npy": mel_bands(self.sound)} if self.sound.features == "log-mel" else {}


@dataclass(frozen=True)
class TextKind(Kind):
    """A text in UTF-8."""

    spec: TensorSpec
    tokens: Tokens | Vocabulary
    length: int
    name = "text"
    suffix = ".txt"
    suffixes = (".txt",)

    @property
    def note(self) -> str:
        """In words."""
        if isinstance(self.tokens, Vocabulary):
            return f"Its first {self.length} words in lower case become their numbers among {len(self.tokens.words)}, filled up with 0."
        case = " in lower case" if self.tokens.lower else ""
        numbers = f"become their numbers among {len(self.tokens.tokens)}, filled up with {self.tokens.pad}"
        return f"Its first {self.length} {self.tokens.split}{case} {numbers}."

    @property
    def preparation(self) -> dict[str, object]:
        """All that a program needs."""
        tokens = self.tokens
        own = {"length": self.length, "dtype": self.spec.dtype}
        if isinstance(tokens, Vocabulary):
            return {"tokens": tokens.words, "first": 2, "split": "vocabulary", "lower": True, "unknown": 1, "pad": 0, **own}
        return {
            "tokens": tokens.tokens,
            "first": 0,
            "split": tokens.split,
            "lower": tokens.lower,
            "unknown": tokens.unknown,
            "pad": tokens.pad,
            **own,
        }

    @property
    def off(self) -> float:
        """Nothing: numbers are the same."""
        return 0.0

    def array(self, file: Path) -> np.ndarray:
        """As `toolkit convert` prepares texts."""
        try:
            text = read_file(file).decode().strip()
            if isinstance(self.tokens, Vocabulary):
                return self.tokens.encode([text]).astype(self.spec.dtype)
            numbers = self.tokens.row(self.tokens.encode(text), self.length)
        except (OSError, UnicodeDecodeError, InputError) as error:
            raise DataError(f"'{file}' cannot be read as a text: {error}") from error
        return np.array([numbers], self.spec.dtype)

    def seeded(self, file: Path) -> None:
        """Some of the tokens."""
        every = self.tokens.words if isinstance(self.tokens, Vocabulary) else self.tokens.tokens
        characters = isinstance(self.tokens, Tokens) and self.tokens.split == "characters"
        usable = [token for token in every if self._is_itself(token)] or [*every[:1]]
        chosen = np.random.default_rng(0).choice(len(usable), min(_PIECES, len(usable)), replace=False)
        file.write_text(("" if characters else " ").join(usable[number] for number in chosen), encoding="utf-8")

    def _is_itself(self, token: str) -> bool:
        """Whether a token stands for itself in a text: one in capitals does not where texts are in lower case."""
        if not token.strip() or not token.isprintable():
            return False
        if isinstance(self.tokens, Vocabulary):
            return token.isalnum() and token == token.lower()
        try:
            return self.tokens.encode(token) == [self.tokens.tokens.index(token)]
        except InputError:
            return False


def kind_of(manifest: Manifest, signature: Signature, preparation: Preparation, example: Path | None) -> Kind | None:
    """The kind of files of which one is a row of the network's only input; None where it takes arrays alone.

    Args:
        signature: with numbers for the free sizes that are known.
        preparation: what a user says.
        example: a file that must be of that kind.

    Raises:
        DataError: the example is no file of the kind that the network takes, or something that it needs is not said.
    """
    if len(signature.inputs) != 1 or signature.inputs[0].shape[:1] not in {(1,), (signature.rows,)}:
        _check_arrays(signature, example)
        return None
    about = manifest.preprocessing or Preprocessing()
    spec = signature.inputs[0]
    makers: list[Callable[[], Kind | None]] = [
        lambda: _text(spec, preparation.text or about.text or about.vocabulary),
        lambda: _sound(spec, preparation.audio or about.sound),
        lambda: _picture(signature, preparation, manifest.preprocessing, example),
    ]
    for make in makers:
        try:
            kind = make()
        except DataError:
            if example is not None:
                raise
            kind = None
        if kind is not None:
            if example is not None and suffix_kind(example) != kind.name:
                raise DataError(f"'{example}'", expected=f"a {kind.name} ({', '.join(kind.suffixes)}), or .npy", got=f"'{example.suffix}'")
            return kind
    _check_arrays(signature, example)
    return None


def suffix_kind(file: Path) -> str:
    """The kind of a file by its name; empty for arrays and what is none."""
    suffix = file.suffix.lower()
    kinds = ((PICTURES, "picture"), (RECORDINGS, "sound"), ({".txt"}, "text"))
    return next((name for suffixes, name in kinds if suffix in suffixes), "")


def _check_arrays(signature: Signature, example: Path | None) -> None:
    """Raise `DataError` for an example that is no array."""
    if example is not None:
        got = ", ".join(map(str, signature.inputs))
        raise DataError(f"'{example}' fills no input of this network: {got}", expected=".npy or .npz")


def _text(spec: TensorSpec, tokens: Tokens | Vocabulary | None) -> Kind | None:
    if tokens is None or len(spec.shape) != 2 or not spec.dtype.startswith("int"):
        return None
    size = spec.shape[1]
    length = size if isinstance(size, int) else tokens.length
    return TextKind(spec, tokens, length) if length else None


def _sound(spec: TensorSpec, sound: Sound | None) -> Kind | None:
    if sound is None or not spec.dtype.startswith("float"):
        return None
    length_of(spec, sound)
    return SoundKind(spec, sound)


def _picture(signature: Signature, preparation: Preparation, known: Preprocessing | None, example: Path | None) -> Kind | None:
    (spec,) = signature.inputs
    if len(spec.shape) != 4 or not any(isinstance(size, str) or size in {1, 3} for size in (spec.shape[1], spec.shape[3])):
        return None
    with needs("pictures"):
        import PIL  # noqa: F401 - asked for before the work
    _, sides = sides_of(spec, preparation)
    free = all(isinstance(size, str) for size in sides) and preparation.size is None and not (known and known.size)
    if free and example is not None and suffix_kind(example) == PictureKind.name:
        with opened(example) as image:
            preparation = replace(preparation, size=(image.height, image.width))
    return PictureKind(picture_input(signature, preparation, known, fit="stretch"))
