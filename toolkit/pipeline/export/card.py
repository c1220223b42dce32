"""A model card as Hugging Face shows it (https://huggingface.co/docs/hub/model-cards): Markdown with YAML before it, from manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import toolkit
from toolkit.core import MANIFEST, Artifact, InputError, Manifest, ParityReport, TensorSpec, Verdict, printable, write_file
from toolkit.core.measurement import BENCHMARK, BenchmarkReport
from toolkit.core.needs import DISTRIBUTION
from toolkit.tasks import all_tasks

from .. import text
from ..report.rows import table_rows
from .facts import artifacts_of, limits_of, reports_of, sizes_of, trained_of

_FREE_SIZE = 32
"""Of a free size that nothing tells, in the lines that show how to call the model: what it was verified at."""
_PIPELINES = {
    "detection": "object-detection",
    "embedding": "feature-extraction",
    "keypoints": "keypoint-detection",
    "language-model": "text-generation",
    "reconstruction": "image-to-image",
    "segmentation": "image-segmentation",
    "tagging": "token-classification",
    "transcription": "automatic-speech-recognition",
    "translation": "translation",
}
"""Hugging Face's names of those tasks that mean the same whatever goes in."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#])")
_YOURS = "*Yours to fill in.*"
Yaml = str | int | float | Sequence["Yaml"] | Mapping[str, "Yaml"]


def export(model: Path, out: Path, *, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Write the card of a bundle or of one artifact as Markdown; returns the names of the artifacts that it describes.

    Args:
        model: the folder.
        out: the file, which must not be there: a card that somebody has completed is not lost.
        names: only these artifacts of a bundle; by default all that are of one network.

    Raises:
        ToolkitError: there is no artifact, a file is not the one of its manifest, or `out` is there or cannot be written.
    """
    if out.exists():
        raise InputError(
            f"'{out}' is there", expected="a new file: a card is completed by hand", hint="move it away, or choose another name"
        )
    artifacts = artifacts_of(model, names)
    write_file(out, card(artifacts, _benchmark(model)))
    return tuple(artifact.name for artifact in artifacts)


def card(artifacts: Sequence[Artifact], report: BenchmarkReport | None = None, *, url: str = "") -> str:
    """The card of artifacts of one network, with the figures of its benchmark if there is one; `url` is where `toolkit pull` finds them
    packed, for a card that does not lie in their folder.
    """
    root = trained_of(artifacts)
    about = root.manifest
    parts = [
        f"# {_md(about.model)}",
        _summary(about, artifacts),
        "## Inputs and outputs",
        _ports(root, artifacts),
        "## How good the artifacts are",
        _quality(artifacts),
        *_speed(artifacts, report),
        "## How to load it",
        _usage(artifacts, url),
        "## Limits",
        _limits(artifacts),
        "## Training",
        _training(about),
        "## Licence",
        f"{_YOURS} Nothing here says under which licence the model may be used: add `license:` to the lines at the top.",
        f"*Made by `toolkit export card` of {DISTRIBUTION} {toolkit.__version__} from the artifacts' manifests.*",
    ]
    return f"---\n{_front(about, artifacts)}---\n\n" + "\n\n".join(parts) + "\n"


def _benchmark(model: Path) -> BenchmarkReport | None:
    file = (model.parent if (model / MANIFEST).is_file() else model) / BENCHMARK
    return BenchmarkReport.load(file) if file.is_file() else None


def _front(about: Manifest, artifacts: Sequence[Artifact]) -> str:
    """The YAML: https://github.com/huggingface/hub-docs/blob/main/modelcard.md; the licence is left to the owner."""
    pipeline = _pipeline(about)
    fields: dict[str, Yaml] = {"library_name": DISTRIBUTION}
    if pipeline:
        fields["pipeline_tag"] = pipeline
    fields["tags"] = sorted({word for artifact in artifacts for word in (str(artifact.manifest.format), str(artifact.manifest.precision))})
    metrics: list[Yaml] = [
        {"type": task.name, "value": task.candidate, "name": f"{task.name} of {artifact.name} in {report.engine}, n={task.samples}"}
        for artifact in artifacts
        for report in reports_of(artifact)
        if (task := report.task)
    ]
    if metrics:
        on = about.data or "samples of its owner"
        result: Yaml = {
            "task": {"type": pipeline or about.task or "other", "name": _title(about)},
            "dataset": {"type": on, "name": on},
            "metrics": metrics,
        }
        fields["model-index"] = [{"name": about.model, "results": [result]}]
    return f"# license: yours to fill in, such as apache-2.0\n{_yaml(fields)}"


def _pipeline(about: Manifest) -> str:
    """What Hugging Face calls the task; empty where it has no name for it, or that depends on what nobody wrote down."""
    if about.task != "classification":
        return _PIPELINES.get(about.task, "")
    how = about.preprocessing
    if how is None:
        return ""
    if how.sound:
        return "audio-classification"
    if how.vocabulary or how.text:
        return "text-classification"
    return "image-classification" if any(len(spec.shape) == 4 for spec in about.signature.inputs) else ""


def _title(about: Manifest) -> str:
    return next((task.title for task in all_tasks() if task.name == (about.task or "any")), about.task)


def _summary(about: Manifest, artifacts: Sequence[Artifact]) -> str:
    formats = ", ".join(sorted({str(artifact.manifest.format) for artifact in artifacts}))
    labels = ", ".join(map(_md, about.labels[:10])) + (f" and {len(about.labels) - 10} more" if len(about.labels) > 10 else "")
    classes = f" Its {len(about.labels)} classes: {labels}." if about.labels else ""
    return f"{_title(about)}. {_count(len(artifacts), 'artifact')} of one network, in {formats}.{classes}"


def _ports(root: Artifact, artifacts: Sequence[Artifact]) -> str:
    signature = root.manifest.signature
    rows = [
        [
            what,
            f"`{_code(spec.name)}`",
            spec.dtype,
            _code(", ".join(map(str, spec.shape))) and f"`[{_code(', '.join(map(str, spec.shape)))}]`",
        ]
        for what, specs in (("input", signature.inputs), ("output", signature.outputs))
        for spec in specs
    ]
    lines = [_table(["", "name", "type", "shape"], rows)]
    if how := root.manifest.preprocessing:
        values = f"`(raw * {how.scale:g} - mean) / std` with mean {_numbers(how.mean)} and std {_numbers(how.std)}"
        size = f" {how.size[0]} x {how.size[1]}, made to fit by {_md(how.fit)}." if how.size else ""
        note = f" {_md(how.note)}." if how.note else ""
        lines.append(
            f"Preparation: {'as its vocabulary says' if how.vocabulary or how.text else values}, layout {_md(how.layout)}.{size}{note}"
        )
    lines += [f"{artifact.name}: sizes {_md(sizes)}." for artifact in artifacts if (sizes := sizes_of(artifact))]
    return "\n\n".join(lines)


def _quality(artifacts: Sequence[Artifact]) -> str:
    rows = []
    for artifact in artifacts:
        rows += [_quality_row(artifact, report) for report in reports_of(artifact)] or [_row_without(artifact, artifacts)]
    return "Each artifact beside the trained network, on the same samples. Intervals are of 95 %; a negative loss is a gain.\n\n" + _table(
        ["artifact", "engine", "parity", "metric", "loss [95 %]", "n"], rows
    )


def _quality_row(artifact: Artifact, report: ParityReport) -> list[str]:
    who = [artifact.name, _md(f"{report.engine} {report.engine_version}"), str(report.verdict)]
    if task := report.task:
        loss = f"{text.drop(task)} {task.unit}".rstrip()
        return [*who, _md(f"{task.name} {text.accuracy(task)}"), _md(loss), str(task.samples)]
    rows = max((each.rows for each in report.outputs), default=0)
    return [*who, _md(report.reason), "", str(rows) if rows else ""]


def _row_without(artifact: Artifact, others: Sequence[Artifact]) -> list[str]:
    """Of the trained network, whose metric stands in the others' evidence, or of what nobody has verified."""
    identity = artifact.manifest.content_sha256
    reports = [report for other in others for report in reports_of(other) if report.reference == identity]
    task = next((report.task for report in reports if report.task), None)
    metric = [_md(f"{task.name} {task.value(task.reference)}"), "", str(task.samples)] if task else ["", "", ""]
    return [artifact.name, "", "not verified" if artifact.manifest.root else "the trained network", *metric]


def _speed(artifacts: Sequence[Artifact], report: BenchmarkReport | None) -> list[str]:
    contents = {artifact.manifest.content_sha256 for artifact in artifacts}
    known = {m.setting.artifact for m in report.measurements if m.setting.content_sha256 in contents} if report else set()
    if report is None or not known:
        return []
    rows = [
        [row.artifact, _md(row.engine), str(row.threads), str(row.batch), row.latency, row.throughput, row.size]
        for row in table_rows(report)
        if row.ok and row.artifact in known
    ]
    machine = report.machine
    where = f"{machine.cpu}, {_count(machine.threads, 'thread')} for this process, {machine.system}; {text.moment(report.started)}"
    head = ["artifact", "engine", "threads", "batch", "latency [95 %]", "samples/s [95 %]", "size"]
    return [
        "## How fast they are",
        f"Measured on {_md(where)}. Another machine has other figures: `toolkit benchmark`.",
        _table(head, rows),
    ]


def _usage(artifacts: Sequence[Artifact], url: str) -> str:
    shipped = [artifact for artifact in artifacts if artifact.manifest.root] or list(artifacts)
    passed = any(artifact.verdict is Verdict.PASSED for artifact in shipped) and len(artifacts) > 1
    first = shipped[0]
    opened = '"."' if passed or len(artifacts) == 1 else f'"{first.name}"'
    why = "the fastest artifact that passed and whose engine is installed" if passed else "in the folder of its manifest"
    signature = first.manifest.signature
    sizes = next(iter(signature.sizes or signature.fixes), {})
    inputs = "\n".join(
        f"    {_call(spec, signature.shape(spec, 1, sizes=sizes, free=_FREE_SIZE), signature.values)}" for spec in signature.inputs
    )
    place = (
        f"""With {DISTRIBUTION} and an engine installed:

```console
$ toolkit pull {url} --out model
$ cd model
```"""
        if url
        else f"In the folder where these files are, with {DISTRIBUTION} and an engine installed:"
    )
    return f"""{place}

```python
import numpy
import toolkit

inputs = {{  # your own{", prepared as above" if first.manifest.preprocessing else ""}
{inputs}
}}
with toolkit.load({opened}) as session:  # {why}
    outputs = session.run(inputs)
    print({{name: array.shape for name, array in dict(outputs).items()}})
```"""


def _call(spec: TensorSpec, shape: Sequence[int], values: Mapping[str, float]) -> str:
    """An entry of the dictionary of inputs, as Python."""
    value = f"numpy.full({tuple(shape)}, {values[spec.name]!r}, " if spec.name in values else f"numpy.zeros({tuple(shape)}, "
    return f'{json.dumps(spec.name, ensure_ascii=False)}: {value}"{spec.dtype}"),'


def _limits(artifacts: Sequence[Artifact]) -> str:
    known = [f"- {_md(limit)}" for limit in limits_of(artifacts)]
    general = [
        "- Parity says that an artifact answers as the trained network does on these samples, not that the network is right on yours.",
        f"- What the model is meant for, and what not, whom it may treat unfairly: {_YOURS}",
    ]
    return "\n".join([*known, *general])


def _training(about: Manifest) -> str:
    data = f"Trained on {_md(about.data)}." if about.data else f"Data: {_YOURS}"
    choices = ", ".join(f"{_md(key)} {_md(str(value))}" for key, value in about.recipe.items() if value != "" and not about.root)
    return f"{data} {f'Choices: {choices}.' if choices else ''}".rstrip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _yaml(value: Yaml, indent: str = "") -> str:
    """Block YAML whose scalars are JSON, which is YAML; a stranger's text cannot end a line."""
    if isinstance(value, Mapping):
        return "".join(f"{indent}{key}:{_nested(inner, indent)}" for key, inner in value.items())
    assert isinstance(value, Sequence)
    return "".join(f"{indent}-{_nested(item, indent)}" for item in value)


def _nested(value: Yaml, indent: str) -> str:
    if isinstance(value, str):
        return f" {json.dumps(printable(value), ensure_ascii=False)}\n"
    if isinstance(value, Mapping | Sequence):
        return f"\n{_yaml(value, f'{indent}  ')}"
    return f" {json.dumps(value)}\n"


def _md(words: str) -> str:
    """Text from elsewhere, in one line, without a meaning in Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", printable(words))


def _code(words: str) -> str:
    """Text from elsewhere for a span of code in a table."""
    return printable(words).replace("`", "'").replace("|", "\\|")


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
