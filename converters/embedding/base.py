"""What an embedder is: it writes an artifact's file again, with what makes a network's input of a picture in front.

The arithmetic is Pillow's resize as `toolkit.pipeline.data` prepares with, bit for bit, in operators that every format has
(``src/libImaging/Resample.c``: a triangle that widens where a picture shrinks, as 22-bit fractions, rounded to whole levels after each
pass). It goes across and then down, as Pillow did before 13 for pictures of any size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, final

from toolkit.core import (
    MANIFEST,
    Artifact,
    ConversionError,
    Format,
    InputError,
    Preprocessing,
    Signature,
    TensorSpec,
    ToolkitError,
    needs,
    new_folder,
    sha256_of,
    version_of,
    words_of,
)
from toolkit.formats import find_format

GIVEN = ("rgb", "bgr", "gray")
"""The orders of channels that an app's picture may have."""
INPUT = "picture"
SIDES = ("picture_height", "picture_width")
HALF = 2**11
"""Of the 22 bits of a weight: in float32 a sum of levels times either half is exact."""
GROUP = 16
"""So many results are summed up from one window of the picture: one for all would hold a weight, mostly 0, for every pixel of a row."""
_LUMA = (19595, 38470, 7471)
"""What red, green and blue count for grey, of 65536: ITU-R 601-2 as Pillow rounds it."""


@dataclass(frozen=True)
class Picture:
    """What an app has, and what the network takes.

    Args:
        given: the order of the channels of the app's picture, one of `GIVEN`.
        about: how the network's input is made of it; it says ``size``, ``fit`` and ``channels``.
        dtype: of the network's input.
    """

    given: str
    about: Preprocessing
    dtype: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input."""
        assert self.about.size is not None
        return self.about.size

    @property
    def mix(self) -> tuple[tuple[int, ...], ...]:
        """What each of the app's channels counts for each of the network's, of `mix_of`."""
        order = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}
        wanted = self.about.channels
        if self.given == "gray":
            return ((1,),) * (1 if wanted == "gray" else 3)
        if wanted == "gray":
            return (tuple(_LUMA[place] for place in order[self.given]),)
        return tuple(tuple(int(order[self.given][place] == channel) for place in range(3)) for channel in order[wanted])

    @property
    def mix_of(self) -> int:
        """The sum of each row of `mix`."""
        return sum(self.mix[0])

    @property
    def is_mixed(self) -> bool:
        """Whether the network takes grey and the app has colours."""
        return self.mix_of > 1

    @property
    def resized(self) -> int:
        """How many channels are resized: the app's, or the one that is mixed of them."""
        return 1 if self.is_mixed else len(self.mix[0])

    @property
    def order(self) -> tuple[int, ...] | None:
        """Which of the channels that are resized each of the network's is; None where they are the same."""
        if self.is_mixed:
            return None
        places = tuple(row.index(1) for row in self.mix)
        return None if places == tuple(range(len(self.mix[0]))) else places

    @property
    def is_plain(self) -> bool:
        """Whether the network takes the levels as they are."""
        return self.about.scale == 1 and not any(self.about.mean) and set(self.about.std) == {1.0}


class Embedder(ABC):
    """Writes the files of one format. The public method checks, the underscored one writes."""

    name: ClassVar[str]
    """As the edge of the manifest names it."""
    format: ClassVar[Format]
    """Of the file, before and after."""
    extra: ClassVar[str]
    """What has to be installed."""
    distributions: ClassVar[tuple[str, ...]]
    """The packages whose versions decide the result."""
    batches: ClassVar[bool] = True
    """Whether a file whose batch is free keeps it so."""

    @final
    def embed(self, source: Artifact, out: Path, picture: Picture) -> Artifact:
        """Write `source` again into the folder `out`, which appears whole or not at all, with an input that is a picture.

        Raises:
            InputError: the network has another input than one picture, or a batch that is fixed.
            MissingDependencyError: the extra is not installed.
            ConversionError: a library refused.
        """
        signature = _with_picture(source.manifest.signature, picture, batches=self.batches)
        with new_folder(out) as work:
            target = work / self.format.file_name
            try:
                with needs(self.extra):
                    self._embed(source, target, picture, signature)
                    operators = find_format(self.format).operators(target)
            except (ToolkitError, OSError, MemoryError):
                raise
            except Exception as error:
                raise ConversionError(f"{self.name} failed: {words_of(error, lines=2)}") from error
            manifest = replace(
                source.manifest,
                signature=signature,
                files={file.relative_to(work).as_posix(): sha256_of(file) for file in sorted(work.rglob("*")) if file.is_file()},
                edge=self.name,
                parent=source.manifest.content_sha256,
                root=source.manifest.root or source.manifest.content_sha256,
                versions={name: version for name in self.distributions if (version := version_of(name))},
                preprocessing=None,
                data="",  # Whose samples are prepared.
                details=source.manifest.details | {"prepares": picture.given},
                operators=operators,
                evidence=(),
            )
            (work / MANIFEST).write_bytes(manifest.to_json())
        return Artifact.load(out)

    @abstractmethod
    def _embed(self, source: Artifact, target: Path, picture: Picture, signature: Signature) -> None:
        """Write the model file `target`, and files beside it, with this signature."""


def _with_picture(signature: Signature, picture: Picture, *, batches: bool) -> Signature:
    """The signature of a network whose one input is made of pictures; raises `InputError`."""
    if len(signature.inputs) != 1 or len(signature.inputs[0].shape) != 4:
        raise InputError("no picture becomes the inputs of this network", expected="one input of four dimensions", got=str(signature))
    (spec,) = signature.inputs
    rows = spec.shape[0]
    if isinstance(rows, int) and rows != 1:
        raise InputError(f"input {spec} takes {rows} pictures at a time", expected="a free batch, or one of 1")
    height, width = picture.size
    sizes = (len(picture.mix), height, width) if picture.about.layout == "NCHW" else (height, width, len(picture.mix))
    fixed = {symbol: size for symbol, size in zip(spec.shape[1:], sizes, strict=True) if isinstance(symbol, str)}
    if isinstance(rows, str) and not batches:
        fixed, rows = {**fixed, rows: 1}, 1
    given = TensorSpec(INPUT, "uint8", (rows, *SIDES, len(picture.mix[0])), "NHWC")
    return Signature((given,), signature.fixed(fixed).outputs, batch=signature.batch if isinstance(rows, str) else "")
