"""An artifact: one model file in one precision, with everything that is known of it, in a folder of its own."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import msgspec

from .errors import ArtifactError, SignatureError, UnknownNameError
from .evidence import ParityReport, Verdict
from .files import is_inside, sha256_of, write_file
from .formats import Format, Precision
from .reading import decode_json, read_file
from .samples import NOISE
from .signature import Signature
from .sounds import Sound
from .tables import html_table
from .vocabulary import Tokens, Vocabulary

SCHEMA = 1
MANIFEST = "manifest.json"
QAT_EPOCHS = "qat_epochs"
"""In a manifest's details: how many epochs the network learned with rounded weights and activations."""
ANOTHER_NETWORK = "made from another network than the bundle's trained model; run: toolkit convert"
"""What is said of an artifact that an earlier training left."""
VARIANT = r"^([a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,3})?\Z"
"""What may follow the precision in an artifact's name, which is the name of a folder: a few short words."""

Scalar = str | int | float | bool


@dataclass(frozen=True)
class Operators:
    """The operators in a model file: how many of each type, and how many of them compute or store in integers."""

    total: int
    quantized: int
    by_type: dict[str, int]


@dataclass(frozen=True)
class Preprocessing:
    """How a raw sample becomes an input: an image as ``(raw * scale - mean) / std`` per channel, in the given layout; a text by its
    vocabulary or its tokens, a recording as ``sound`` says.

    Where a picture of any size was made to fit, ``size`` is its height and width, ``fit`` how it got them (stretch, letterbox, crop),
    ``pad`` the raw value of a letterbox's border and ``channels`` their order (rgb, bgr, gray); earlier manifests have none of these.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    layout: str = "NCHW"
    note: str = ""
    vocabulary: Vocabulary | None = None
    sound: Sound | None = None
    text: Tokens | None = None
    size: tuple[int, int] | None = None
    fit: str = ""
    channels: str = ""
    pad: int = 114


@dataclass(frozen=True)
class CalibrationRecord:
    """Which samples fixed the integer ranges: where they came from, how many, and the hash of their content."""

    origin: str
    samples: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What is written in ``manifest.json``. ``parent`` and ``root`` are the ``content_sha256`` of the artifact this one was
    made from and of the trained model at the start of the path; ``edge`` is the converter that made it.
    ``task`` is what the outputs mean, as `toolkit.tasks` names it, nothing where nobody said. ``variant`` is what the name of
    its recipe adds to the precision, nothing for the default; ``recipe`` are the choices themselves. ``details`` are what its user must
    know besides, such as the rules that a game's net has learned; what is made from an artifact inherits them.

    Schema history: 1, the first.
    """

    model: str
    format: Format
    precision: Precision
    signature: Signature
    files: dict[str, str]
    edge: str
    variant: Annotated[str, msgspec.Meta(pattern=VARIANT)] = ""
    parent: str = ""
    root: str = ""
    recipe: dict[str, Scalar] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    calibration: CalibrationRecord | None = None
    preprocessing: Preprocessing | None = None
    labels: tuple[str, ...] = ()
    task: str = ""
    data: str = ""
    details: dict[str, Scalar] = field(default_factory=dict)
    operators: Operators | None = None
    evidence: tuple[ParityReport, ...] = ()
    schema: int = SCHEMA

    @property
    def content_sha256(self) -> str:
        """The identity of the artifact: a hash over its files' names and hashes, whatever the manifest says besides."""
        lines = "".join(f"{name} {digest}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    def check_itself(self) -> None:
        """Raise `SignatureError` unless the signature, and what is known of preparing its inputs, can be a network's, and the precision can
        be read from the artifact's name.
        """
        self.signature.check_itself()
        if Precision.leading(name := f"{self.precision}-{self.variant}") is not self.precision:
            raise SignatureError(f"variant '{self.variant}' of {self.precision}", expected="another name", got=f"'{name}'")
        about = self.preprocessing
        if about is None:
            return
        specs = (*self.signature.inputs, *self.signature.outputs)
        images = [spec.shape[-1 if about.layout == "NHWC" else 1] for spec in specs if len(spec.shape) == 4]
        numbers = (about.scale, *about.mean, *about.std)
        channels = {len(about.mean), len(about.std)}
        if not all(map(math.isfinite, numbers)) or min(about.std, default=0) <= 0 or not (channels <= {1, *images} or not images):
            got = f"mean {about.mean[:4]}, std {about.std[:4]}"
            raise SignatureError("the preprocessing fits no image of the model", expected="one number, or one a channel", got=got)

    def to_json(self) -> bytes:
        """The manifest as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def artifact_name(format: Format, precision: Precision, variant: str = "") -> str:
    """``<format>-<precision>``, and ``-<variant>`` if there is one."""
    return "-".join(part for part in (format, precision, variant) if part)


def _instead(path: Path) -> str:
    """What lies where an artifact's folder should be."""
    if not path.is_dir():
        return "no such folder"
    names = sorted(folder.name for folder in path.iterdir() if (folder / MANIFEST).is_file())
    return f"a bundle: name one of its artifacts, {', '.join(names)}" if names else "a folder without"


@dataclass(frozen=True)
class Artifact:
    """A folder ``<model>/<format>-<precision>[-<variant>]/`` with the model file and its manifest. Frozen: a change is a new value."""

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: Path, *, verify: bool = True) -> Artifact:
        """Read an artifact folder; `verify` also compares every file with its SHA-256.

        Raises:
            ArtifactError: no manifest, one that does not fit the schema, or a file that is missing or changed.
        """
        source = path / MANIFEST
        if not source.is_file():
            raise ArtifactError(
                f"'{path}' is not an artifact folder ({MANIFEST} not found)",
                got=_instead(path),
            )
        try:
            manifest = _with_task(decode_json(read_file(source), Manifest))
            manifest.check_itself()
        except (msgspec.DecodeError, SignatureError, OSError) as error:
            raise ArtifactError(f"'{source}' cannot be read: {error}", hint="convert the model again") from error
        if manifest.schema != SCHEMA:
            raise ArtifactError(
                f"'{source}' has another schema", expected=str(SCHEMA), got=str(manifest.schema), hint="convert the model again"
            )
        if manifest.format.file_name not in manifest.files:
            raise ArtifactError(
                f"'{source}' lists no model file", expected=manifest.format.file_name, got=", ".join(manifest.files) or "none"
            )
        artifact = cls(path, manifest)
        if verify:
            artifact.verify_files()
        return artifact

    @property
    def model_file(self) -> Path:
        """The file that an engine opens."""
        return self.path / self.manifest.format.file_name

    @property
    def name(self) -> str:
        """``<format>-<precision>``, and ``-<variant>`` if its recipe is not the default: the folder's usual name."""
        return artifact_name(self.manifest.format, self.manifest.precision, self.manifest.variant)

    @property
    def size_bytes(self) -> int:
        """The size of the model's files, without the manifest."""
        return sum((self.path / name).stat().st_size for name in self.manifest.files)

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict of the evidence that is about these very files; None when there is none."""
        return Verdict.worst(r.verdict for r in self.manifest.evidence if r.candidate == self.manifest.content_sha256)

    def verify_files(self) -> None:
        """Compare each file with the SHA-256 in the manifest; raises `ArtifactError`."""
        for name, digest in self.manifest.files.items():
            file = self.path / name
            if not is_inside(name, self.path):
                raise ArtifactError(
                    f"'{self.path / MANIFEST}' names a file outside its folder", expected="the name of a file in it", got=f"'{name}'"
                )
            if not file.is_file():
                raise ArtifactError(f"'{file}' is missing", expected=f"the file that {MANIFEST} lists", hint="convert the model again")
            found = sha256_of(file)
            if found != digest:
                raise ArtifactError(
                    f"'{file}' is not the file its manifest describes",
                    expected=f"SHA-256 {digest[:12]}…",
                    got=f"{found[:12]}…",
                    hint="convert the model again",
                )

    def with_evidence(self, reports: tuple[ParityReport, ...]) -> Artifact:
        """The artifact with these reports in place of its evidence, written to its manifest."""
        manifest = replace(self.manifest, evidence=reports)
        write_file(self.path / MANIFEST, manifest.to_json())
        return replace(self, manifest=manifest)

    def with_task(self, task: str) -> Artifact:
        """The artifact with this task in its manifest, which is written where it had another."""
        if task == self.manifest.task:
            return self
        manifest = replace(self.manifest, task=task)
        write_file(self.path / MANIFEST, manifest.to_json())
        return replace(self, manifest=manifest)


@dataclass(frozen=True)
class Bundle:
    """The folder of one model's artifacts."""

    path: Path

    def __iter__(self) -> Iterator[Artifact]:
        """The artifacts, sorted by name; their files are not hashed here."""
        for folder in sorted(self.path.iterdir()):
            if not folder.name.startswith(".") and (folder / MANIFEST).is_file():
                self._check_own(folder)
                yield Artifact.load(folder, verify=False)

    def _check_own(self, folder: Path) -> None:
        """Evidence and conversions are written into a bundle's folders: through a link they would land elsewhere."""
        if folder.is_symlink():
            raise ArtifactError(f"'{folder}' is a link", expected="a folder of the bundle's own", hint="put a copy there")

    def _repr_html_(self) -> str:
        cells = [(each.name, each.verdict or "", each.manifest.evidence[0].reason if each.manifest.evidence else "") for each in self]
        return html_table(str(self.path), ("artifact", "parity", "evidence"), cells)

    def artifact(self, name: str) -> Artifact:
        """The artifact called `name`, such as ``onnx-int8``; raises `UnknownNameError`."""
        names = [artifact.name for artifact in self]
        if name not in names:
            raise UnknownNameError("artifact", name, names)
        return Artifact.load(self.path / name)

    def strangers(self) -> frozenset[Path]:
        """The folders of artifacts made from another network than any trained model of the bundle; none where it has no trained model."""
        artifacts = list(self)
        roots = {artifact.manifest.content_sha256 for artifact in artifacts if not artifact.manifest.root}
        return frozenset(each.path for each in artifacts if roots and each.manifest.root and each.manifest.root not in roots)

    @classmethod
    def load(cls, path: Path) -> Bundle:
        """The bundle at `path`; raises `ArtifactError` when there is no artifact in it."""
        if not path.is_dir():
            raise ArtifactError(
                f"'{path}' is no bundle", expected="a folder of artifacts", got="no such folder" if not path.exists() else "a file"
            )
        bundle = cls(path)
        if not any(True for _ in bundle):
            raise ArtifactError(f"'{path}' holds no artifact", expected=f"folders with a {MANIFEST}", hint="run: toolkit convert")
        return bundle


def _with_task(manifest: Manifest) -> Manifest:
    """The manifest with its task: before there were tasks, a generator had a detail for one."""
    if manifest.details.get("samples") != NOISE:
        return manifest
    details = {name: value for name, value in manifest.details.items() if name != "samples"}
    return replace(manifest, task="generation", details=details)
