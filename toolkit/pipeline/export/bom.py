"""A machine-learning bill of materials: CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), from the manifests of a model's artifacts.

The JSON is written here: `cyclonedx-python-lib` 11, the format's own library, has no model cards. Tests hold it against that library's
strict schema.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

import toolkit
from toolkit.core import Artifact, InputError, Manifest, Signature, printable, write_file
from toolkit.core.needs import DISTRIBUTION
from toolkit.runtimes import all_runtimes

from .facts import Figure, artifacts_of, figures_of, limits_of, reports_of, trained_of

_OURS = "toolkit"
"""What our own properties' names begin with."""
Json = dict[str, Any]


def export(model: Path, out: Path, *, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Write the bill of materials of a bundle or of one artifact as JSON; returns the names of what is in it.

    Args:
        model: the folder.
        out: the file.
        names: only these artifacts of a bundle; by default all that are of one network.

    Raises:
        ToolkitError: there is no artifact, a file is not the one of its manifest, or `out` cannot be written.
    """
    artifacts = artifacts_of(model, names)
    write_file(out, msgspec.json.format(msgspec.json.encode(bom(artifacts)), indent=2) + b"\n")
    return tuple(artifact.name for artifact in artifacts)


def bom(artifacts: Sequence[Artifact]) -> Json:
    """The document: the network with its artifacts, their files, what made them and the engines in which they were verified.

    It is of now; of the time in ``SOURCE_DATE_EPOCH``, and so the same each time, where that variable is set.
    """
    about = trained_of(artifacts).manifest
    model = _ref(about.model)
    content = {
        "version": 1,
        "metadata": {
            "timestamp": _now().isoformat(),
            "tools": {"components": [_library("application", DISTRIBUTION, toolkit.__version__)]},
            "component": _network(about, model),
        },
        "components": [*(_component(artifact) for artifact in artifacts), *_libraries(artifacts)],
        "dependencies": [
            {"ref": model, "dependsOn": [_ref(about.model, artifact.name) for artifact in artifacts]},
            *({"ref": _ref(about.model, artifact.name), "dependsOn": _engines(artifact)} for artifact in artifacts),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, msgspec.json.encode(content).decode())
    schema = "http://cyclonedx.org/schema/bom-1.6.schema.json"
    return {"$schema": schema, "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", **content}


def _now() -> datetime:
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    if not seconds:
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError("SOURCE_DATE_EPOCH", expected="seconds since 1970", got=f"'{seconds}'") from error


def _network(about: Manifest, ref: str) -> Json:
    identity = about.root or about.content_sha256
    return {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": printable(about.model),
        "version": identity[:12],
        "modelCard": {"modelParameters": _parameters(about)},
        "properties": _properties({"trained model": identity, **{f"detail.{key}": value for key, value in about.details.items()}}),
    }


def _component(artifact: Artifact) -> Json:
    about, reports, ref = artifact.manifest, reports_of(artifact), _ref(artifact.manifest.model, artifact.name)
    metrics = [
        _metric(figure, f"{report.engine} {report.engine_version} on {report.device}")
        for report in reports
        for figure in figures_of(report)
    ]
    card: Json = {"modelParameters": _parameters(about)}
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    if limits := limits_of((artifact,)):
        card["considerations"] = {"technicalLimitations": [printable(limit) for limit in limits]}
    return {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": f"{printable(about.model)}/{artifact.name}",
        "version": about.content_sha256[:12],
        "description": f"{printable(about.model)} as {about.format} in {about.precision}",
        "components": [
            {
                "type": "file",
                "bom-ref": _ref(about.model, artifact.name, name),
                "name": printable(name),
                "hashes": [{"alg": "SHA-256", "content": digest}],
            }
            for name, digest in sorted(about.files.items())
        ],
        "modelCard": card,
        "properties": _properties(
            {
                "format": about.format,
                "precision": about.precision,
                "content_sha256": about.content_sha256,
                "parent": about.parent,
                "made by": about.edge,
                **{f"recipe.{key}": value for key, value in about.recipe.items()},
                **{f"made with.{key}": value for key, value in about.versions.items()},
                **{f"parity.{report.engine}.{report.device}": f"{report.verdict}: {report.reason}" for report in reports},
                **{f"processor.{report.engine}.{report.device}": ", ".join(report.instruction_sets) for report in reports},
                **{f"samples_sha256.{report.engine}.{report.device}": report.samples_sha256 for report in reports},
            }
        ),
    }


def _parameters(about: Manifest) -> Json:
    """The model parameters: the format of the specification is free text, here ``name:dtype[shape]``."""
    found: Json = {"task": about.task} if about.task else {}
    datasets = []
    if about.data:
        datasets.append(
            {"type": "dataset", "name": printable(about.data), "description": "training and evaluation, as the manifest names it"}
        )
    if kept := about.calibration:
        text = f"calibration: {kept.samples} samples, SHA-256 {kept.sha256}"
        datasets.append({"type": "dataset", "name": printable(kept.origin), "description": text})
    return found | ({"datasets": datasets} if datasets else {}) | _ports(about.signature)


def _ports(signature: Signature) -> Json:
    return {
        what: [{"format": printable(str(spec))} for spec in specs]
        for what, specs in (("inputs", signature.inputs), ("outputs", signature.outputs))
    }


def _metric(figure: Figure, where: str) -> Json:
    samples = f", n={figure.samples}" if figure.samples else ""
    found: Json = {"type": printable(figure.name), "value": f"{figure.value:.6g}", "slice": printable(f"{where}{samples}")}
    if figure.low is not None and figure.high is not None:
        found["confidenceInterval"] = {"lowerBound": f"{figure.low:.6g}", "upperBound": f"{figure.high:.6g}"}
    return found


def _libraries(artifacts: Iterable[Artifact]) -> list[Json]:
    """What made the artifacts, which an app does not need, and the engines in which they were verified, of which it needs one."""
    found = {
        _purl(*made): _library("library", *made) | {"scope": "excluded"} for each in artifacts for made in each.manifest.versions.items()
    }
    for artifact in artifacts:
        for engine in _packages(artifact):
            found[_purl(*engine)] = _library("library", *engine) | {"scope": "optional"}
    return [found[key] for key in sorted(found)]


def _engines(artifact: Artifact) -> list[str]:
    return sorted({_purl(*engine) for engine in _packages(artifact)})


def _packages(artifact: Artifact) -> list[tuple[str, str]]:
    """The distribution and the version of each engine that the artifact was verified in; an engine in a browser is none of Python's."""
    known = {runtime.name: runtime.distribution for runtime in all_runtimes() if runtime.in_process}
    return [(known[report.engine], report.engine_version) for report in reports_of(artifact) if report.engine in known]


def _library(kind: str, name: str, version: str) -> Json:
    found = {"type": kind, "bom-ref": _purl(name, version), "name": printable(name), "purl": _purl(name, version)}
    return found | ({"version": printable(version)} if version else {})


def _purl(name: str, version: str) -> str:
    """A package URL (https://github.com/package-url/purl-spec) of Python's index."""
    return f"pkg:pypi/{quote(name.lower().replace('_', '-'), safe='')}" + (f"@{quote(version, safe='')}" if version else "")


def _properties(values: dict[str, object]) -> list[Json]:
    return [{"name": printable(f"{_OURS}:{name}"), "value": printable(str(value))} for name, value in values.items() if value != ""]


def _ref(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)
