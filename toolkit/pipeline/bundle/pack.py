"""Packing: the artifacts of a bundle, real inputs, and what the trained model answers to them."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from toolkit.core import ANOTHER_NETWORK, MANIFEST, Artifact, Bundle, EngineError, InputError, Samples, sha256_of, write_arrays, write_file
from toolkit.runtimes.parity import observe
from toolkit.tasks import Limits

from ..source.resolve import current, trained
from ..verify import default_engine
from .contents import CONTENTS, EXPECTED, INPUTS, Contents
from .keys import PrivateKey
from .signature import signed_archive


def pack(
    bundle: Bundle,
    samples: Samples,
    target: Path,
    *,
    names: Sequence[str] = (),
    limits: Limits | None = None,
    key: PrivateKey | None = None,
) -> tuple[Artifact, ...]:
    """Write artifacts, `samples` and the trained model's outputs on them into the zip file `target`; the same content and key give the same
    bytes.

    Args:
        bundle: a bundle with its trained model, which is run here and does not travel.
        samples: real inputs, best with labels.
        target: appears whole or not at all.
        names: the artifacts to pack; all that were made from the trained model when there are none.
        limits: what a quantized artifact may lose on the device.
        key: signs the file, of which whoever has its public half can then ask that nobody changed it.

    Raises:
        UnknownNameError: no artifact has such a name.
        InputError: nothing, or not all of `names`, was made from the trained model.
        EngineError: the trained model does not run.
        StorageError: `target` cannot be written.
    """
    root = trained(bundle)
    chosen = tuple(bundle.artifact(name) for name in names or [each.name for each in current(bundle)])
    if not chosen:
        raise InputError(
            f"'{bundle.path}' holds nothing to pack", expected="artifacts beside the trained model", hint="run: toolkit convert"
        )
    strangers = bundle.strangers()
    for each in chosen:
        if each.path in strangers:
            raise InputError(f"'{each.path}' cannot be packed", got=ANOTHER_NETWORK)
    limits = limits or Limits()
    observed = observe(root, default_engine(root), samples)
    if observed.problem:
        raise EngineError(f"the trained model does not run: {observed.problem}")
    with tempfile.TemporaryDirectory(prefix="toolkit-bundle-") as name:
        work = Path(name)
        samples.save(work / INPUTS)
        write_arrays(work / EXPECTED, observed.arrays())
        contents = Contents(
            model=root.manifest.model,
            reference=root.manifest.content_sha256,
            max_drop=limits.max_drop,
            samples=samples.origin,
            samples_sha256=samples.sha256,
            expected_sha256=sha256_of(work / EXPECTED),
            relative=limits.relative,
            task=limits.task,
            metric=limits.metric,
        )
        (work / CONTENTS).write_bytes(msgspec.json.format(msgspec.json.encode(contents), indent=1) + b"\n")
        files = {file: work / file for file in (CONTENTS, INPUTS, EXPECTED)}
        for artifact in chosen:
            files |= {f"{artifact.name}/{file}": artifact.path / file for file in (MANIFEST, *artifact.manifest.files)}
        archive = work / "archive.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for place, file in files.items():
                # As in `write_arrays`: without a time.
                packed.writestr(zipfile.ZipInfo(place), file.read_bytes(), zipfile.ZIP_DEFLATED)
        content = archive.read_bytes()
        write_file(target, signed_archive(content, key, name=target.name) if key else content)
    return chosen
