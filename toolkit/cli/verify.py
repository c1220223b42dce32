"""``toolkit verify``."""

from __future__ import annotations

from pathlib import Path

import click

from ._common import Words, data_options, evidence_line, json_option, plain, print_json, print_table, progress, styled


def _engines() -> list[str]:
    from toolkit.runtimes import all_runtimes

    return [runtime.name for runtime in all_runtimes()]


@click.command(short_help="Prove the artifacts of a bundle again.")
@click.argument("path", type=click.Path(path_type=Path))
@data_options
@click.option(
    "--engine", "engines", type=Words(_engines), help="Engines to verify in. Default: the first that runs the format; 'all' for all."
)
@click.option("--max-drop", type=click.FloatRange(min=0), default=1.0, show_default=True, help="Points of the metric that int8 may lose.")
@click.option("--evaluation", type=click.IntRange(min=1), help="Evaluation samples at most. Default: all.")
@click.option("--device", default="cpu", show_default=True, help="cpu, gpu, npu or auto.")
@json_option
def command(
    path: Path,
    data: str | None,
    data_dir: Path | None,
    engines: tuple[str, ...] | None,
    max_drop: float,
    evaluation: int | None,
    device: str,
    json_to: str | None,
) -> None:
    """Prove the artifacts of a bundle, or one artifact in its bundle, against the trained model.

    Compares outputs on seeded probes at batch 1, 2, 3, 7 and 32 and on real evaluation samples, writes the evidence to
    each manifest, and names the conversion step at which numbers departed. Exit code 1 when a check failed.

    \b
    toolkit verify artifacts/cnn
    toolkit verify artifacts/cnn/tflite-int8 --engine litert,tensorflow --max-drop 0.5
    """
    from toolkit.core import MANIFEST, Artifact, Bundle, ToolkitError, Verdict
    from toolkit.pipeline.sources import current, split_samples, trained
    from toolkit.pipeline.verify import Verifier, engines_for, verify_all
    from toolkit.runtimes.parity import Limits

    single = (path / MANIFEST).is_file()
    bundle = Bundle.load(path.parent if single else path)
    root = trained(bundle)
    chosen = [Artifact.load(path)] if single else [a for a in current(bundle) if a.manifest.root]
    samples = split_samples(root, data, folder=data_dir, evaluation=evaluation).evaluation
    known = {a.manifest.content_sha256: a for a in bundle}
    verifier = Verifier(root, samples, Limits(max_drop), device, known=known)
    names = {artifact.name: engines_for(artifact, engines) for artifact in chosen}
    with progress() as display:
        bar = display.add_task("verifying", total=len(chosen))
        results = verify_all(verifier, chosen, engines=names, on_done=lambda name: display.update(bar, advance=1, description=name))
    if json_to:
        print_json({name: str(r) if isinstance(r, ToolkitError) else r.manifest.evidence for name, r in results.items()}, json_to)
    if json_to != "-":
        rows = []
        for name, result in results.items():
            if isinstance(result, ToolkitError):
                rows.append([name, "-", styled("failed"), plain(result)])
            else:
                used = ", ".join(dict.fromkeys(r.engine for r in result.manifest.evidence))
                rows.append([name, used, styled(result.verdict), plain(evidence_line(result))])
        print_table(f"{bundle.path}: {len(samples)} samples of {samples.origin}", ["artifact", "engine", "parity", "evidence"], rows)
    if any(isinstance(r, ToolkitError) or r.verdict is not Verdict.PASSED for r in results.values()):
        raise click.exceptions.Exit(1)
