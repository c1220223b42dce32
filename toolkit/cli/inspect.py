"""``toolkit inspect``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._common import console, json_option, plain, print_json, print_table, size, styled

if TYPE_CHECKING:
    from toolkit.core import Manifest


@click.command(short_help="Show an artifact's signature, operators and evidence.")
@click.argument("artifact", type=click.Path(path_type=Path))
@json_option
def command(artifact: Path, json_to: str | None) -> None:
    """Show an artifact's signature, operators and how many are quantized, sizes, origin and evidence.

    ARTIFACT is an artifact folder, or a bare model file.

    \b
    toolkit inspect artifacts/cnn/onnx-int8
    toolkit inspect model.onnx --json
    """
    from toolkit.core import MANIFEST, Artifact
    from toolkit.pipeline.inspect import describe_file

    if not (artifact / MANIFEST).is_file() and artifact.is_file():
        about = describe_file(artifact)
        manifest, path, total = about, artifact, artifact.stat().st_size
    else:
        loaded = Artifact.load(artifact)
        manifest, path, total = loaded.manifest, loaded.path, loaded.size_bytes
    if json_to:
        print_json(manifest, json_to)
    if json_to == "-":
        return
    _show(manifest, path, total)


def _show(manifest: Manifest, path: Path, total: int) -> None:
    from toolkit.core import QAT_EPOCHS

    out = console()
    out.print(f"[bold]{plain(path)}[/]  {manifest.format} {manifest.precision}, {size(total)}")
    for what, specs in (("in", manifest.signature.inputs), ("out", manifest.signature.outputs)):
        for spec in specs:
            out.print(f"  {what:4}{plain(spec)}")
    for before, after in manifest.signature.states.items():
        out.print(f"  state {plain(before)}, next value {plain(after)}")
    if manifest.operators:
        kinds = sorted(manifest.operators.by_type.items(), key=lambda kind: -kind[1])
        out.print(f"operators: {manifest.operators.total}, of them {manifest.operators.quantized} quantized")
        out.print("  " + plain(", ".join(f"{name} {count}" for name, count in kinds)))
    if manifest.edge:
        out.print(f"made by: {plain(manifest.edge)} {plain(', '.join(f'{n} {v}' for n, v in manifest.versions.items()))}")
    if qat_epochs := manifest.details.get(QAT_EPOCHS):
        out.print(f"learned with int8 rounding: {plain(qat_epochs)} epochs")
    if manifest.calibration:
        out.print(f"calibrated on: {manifest.calibration.samples} samples of {plain(manifest.calibration.origin)}")
    for name, digest in manifest.files.items():
        out.print(f"SHA-256: {digest[:16]}…  {plain(name)}")
    names = _names(manifest, path)
    rows = [
        [
            plain(r.edge),
            plain(names.get(r.reference, f"{r.reference[:8]}…")),
            plain(r.engine),
            styled(r.verdict),
            plain(r.reason),
            f"{max((o.max_abs for o in r.outputs), default=float('nan')):.2g}",
        ]
        for r in manifest.evidence
    ]
    if rows:
        print_table("Evidence", ["step", "compared with", "engine", "parity", "reason", "max error"], rows, right=["max error"])
    else:
        out.print("evidence: none; run: toolkit verify")


def _names(manifest: Manifest, path: Path) -> dict[str, str]:
    """What evidence can be compared with, by its content's SHA-256: the artifacts beside this one, its parent, the trained model."""
    from toolkit.core import Bundle, ToolkitError

    names = {manifest.content_sha256: "itself", manifest.parent: "its parent", manifest.root: "the trained model"}
    with contextlib.suppress(ToolkitError):
        names |= {each.manifest.content_sha256: each.name for each in Bundle.load(path.parent) if each.path != path}
    return names
