"""``toolkit verify``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit._interrupted import RESUMES

from ._commands import Command
from ._common import (
    Words,
    console,
    data_options,
    device_option,
    engine_names,
    evidence_line,
    json_option,
    plain,
    print_json,
    print_table,
    progress,
    say,
    styled,
)
from ._request import limits_options, source_argument, source_options

if TYPE_CHECKING:
    from toolkit.core import Artifact, Samples
    from toolkit.pipeline.data import Given
    from toolkit.pipeline.source.sizing import Sizing
    from toolkit.pipeline.verify import Verified
    from toolkit.tasks import Limits


@click.command(cls=Command, interrupted=RESUMES, short_help="Verify the artifacts of a bundle again.")
@source_argument
@data_options
@source_options
@click.option(
    "--engine", "engines", type=Words(engine_names), help="Engines to verify in. Default: the first that runs the format; 'all' for all."
)
@limits_options
@click.option("--evaluation", type=click.IntRange(min=1), help="Most samples to evaluate on. Default: all.")
@click.option(
    "--steps",
    type=click.IntRange(1, 1_000_000),
    help="Verify as a stream of so many steps that keeps its states (docs/streams.md); nothing is written.",
)
@device_option
@json_option
def command(
    source: str,
    data: Given | None,
    data_dir: Path | None,
    weights: Path | None,
    inputs: tuple[str, ...],
    sizing: Sizing,
    engines: tuple[str, ...] | None,
    asked: Limits,
    evaluation: int | None,
    steps: int | None,
    device: str,
    json_to: str | None,
) -> None:
    """Verify the artifacts of a bundle, or one artifact in its bundle, against the trained model.

    Compares outputs on seeded probes at batch 1, 2, 3, 7 and 32 and on real evaluation samples, writes the evidence to
    each manifest, and names the conversion step at which numbers diverged. An engine that cannot run an artifact is a row
    with its reason; an artifact that was made from another network is one that failed. The trained model itself is verified in
    the engines of --engine other than its own; a SOURCE that is no bundle yet, such as a bare model file, in all others, and
    nothing of it is kept. Exit code 1 unless every check passed: failed and undecided, for which the samples are too few, are both 1.

    \b
    toolkit verify artifacts/cnn
    toolkit verify artifacts/cnn/tflite-int8 --engine all --max-drop 0.5
    toolkit verify net.onnx --engine openvino
    toolkit verify artifacts/voice --steps 1000
    """
    from dataclasses import replace

    from toolkit.core import ANOTHER_NETWORK, InputError
    from toolkit.pipeline.source.opened import opened
    from toolkit.pipeline.source.plan import plan_samples
    from toolkit.pipeline.source.remembered import limits_for
    from toolkit.pipeline.source.resolve import current, trained
    from toolkit.pipeline.source.samples import split_samples
    from toolkit.pipeline.verify import Verifier, others_for, try_limits, verify_all

    with opened(source, weights=weights, data=data, inputs=inputs, sizing=sizing) as found:
        bundle, single = found.bundle, found.artifact is not None
        engines = engines if found.kept else engines or ("all",)
        root = found.sized(trained(bundle))
        own = current(bundle)
        known = {each.path.name for each in (root, *own)}
        named = [found.artifact] if found.artifact else list(bundle)
        strangers = [artifact for artifact in named if artifact.path.name not in known]
        chosen = [artifact for artifact in named if artifact.path.name in known] if single else own
        # Its own engine is what all is compared with.
        others = others_for(root, engines, device) if engines and not single else ()
        if not chosen and not others and not strangers:
            raise InputError(
                f"'{source}' holds nothing to verify",
                expected="artifacts beside the trained model" if found.kept else "another engine that runs it than its own",
                hint="run: toolkit convert",
            )
        limits, limits_of = limits_for(asked, bundle.path)
        split = split_samples(
            root, data, folder=data_dir, evaluation=evaluation, only_judged=True, may_draw=True, limits=limits, sizing=sizing
        )
        samples = split.evaluation
        try_limits(root, samples, limits)
        verifier = Verifier(root, samples, limits, device, made=bundle)
        before = {artifact.name: _before(artifact) for artifact in (root, *chosen)}
        names, skipped = _able(chosen, engines, {root.name: others} if others else {})
        chosen = [artifact for artifact in (chosen if single else [root, *chosen]) if artifact.name in names]
        in_integers = any(artifact.manifest.precision.is_quantized for artifact in chosen)
        plan = plan_samples(
            replace(split, calibration=samples.rows(slice(0))),
            root.manifest,
            limits=limits,
            limits_of=limits_of,
            in_integers=in_integers,
        )
        if steps:
            say(found.notes)
            passed = _verified_streams(root, chosen, samples, steps=steps, engines=names, device=device, json_to=json_to)
            raise click.exceptions.Exit(not passed)
        say((*found.notes, *plan.lines))
        with progress() as display:
            bar = display.add_task("verifying", total=len(chosen))
            results = verify_all(verifier, chosen, engines=names, on_done=lambda name: display.update(bar, advance=1, description=name))
    if json_to:
        told = {name: [*r.reports, *({"engine": e, "error": str(error)} for e, error in r.errors.items())] for name, r in results.items()}
        print_json({"samples": plan} | told | skipped | {artifact.name: ANOTHER_NETWORK for artifact in strangers}, json_to)
    if json_to != "-":
        rows = _rows(results, before)
        rows += [[name, "-", "-", plain(reason + before[name])] for name, reason in skipped.items()]
        rows += [[plain(artifact.name), "-", styled("failed"), ANOTHER_NETWORK] for artifact in strangers]
        where = bundle.path if found.kept else source
        print_table(f"{where}: {len(samples)} samples of {samples.origin}", ["artifact", "engine", "parity", "evidence"], rows)
    if strangers or not all(result.passed for result in results.values()):
        raise click.exceptions.Exit(1)


def _rows(results: Mapping[str, Verified], before: Mapping[str, str]) -> list[list[str]]:
    """Of the table: a row for each artifact that was run, and one for each engine that could not."""
    rows: list[list[str]] = []
    for name, result in results.items():
        if result.reports:
            used = ", ".join(dict.fromkeys(r.engine for r in result.reports))
            rows.append([name, used, styled(result.artifact.verdict), plain(evidence_line(result.artifact) + before[name])])
        rows += [[name, engine, styled("failed"), plain(f"{error}{before[name]}")] for engine, error in result.errors.items()]
    return rows


def _verified_streams(
    root: Artifact,
    chosen: Sequence[Artifact],
    samples: Samples,
    *,
    steps: int,
    engines: Mapping[str, Sequence[str]],
    device: str,
    json_to: str | None,
) -> bool:
    """Run and show streams; whether all of them passed."""
    from toolkit.pipeline.streams import run_streams

    with progress() as display:
        bar = display.add_task(f"running {steps} steps", total=len(chosen))

        def done(name: str) -> None:
            display.update(bar, advance=1, description=name)

        results = run_streams(root, chosen, samples, steps=steps, engines=engines, device=device, on_done=done)
    if json_to:
        print_json(results, json_to)
    if json_to != "-":
        reports = [each for result in results.values() for each in result.reports]
        columns = list(dict.fromkeys(span.steps for each in reports for span in each.spans))
        rows = []
        for name, result in results.items():
            for each in result.reports:
                errors = {span.steps: f"{span.max_abs:.0e}" for span in each.spans}
                verdict, reason = styled(each.report.verdict), plain(each.report.reason)
                rows.append([name, each.report.engine, verdict, *(errors.get(column, "-") for column in columns), reason])
            rows += [[name, engine, styled("failed"), *["-" for _ in columns], plain(error)] for engine, error in result.errors.items()]
        pairs = [f"{before} = {after}" for each in reports[:1] for before, after in each.states.items()]
        console().print(
            f"Largest error in steps of a stream, over {len(samples)} samples of {plain(samples.origin)}; states: {plain(', '.join(pairs))}"
        )
        print_table(
            root.manifest.model,
            ["artifact", "engine", "parity", *columns, "evidence"],
            rows,
            right=columns,
            whole=["artifact", "engine", "parity", *columns],
        )
    return all(result.passed for result in results.values())


def _before(artifact: Artifact) -> str:
    """What to add to an artifact's row when the evidence that it came with is of another kind of processor, or of more rows."""
    from toolkit.core import instruction_sets, other_processor

    own = [report for report in artifact.manifest.evidence if report.candidate == artifact.manifest.content_sha256]
    text = other_processor(own, artifact.manifest.precision, instruction_sets())
    twins = max((report.twin_rows for report in own), default=0)
    folds = f"; before: {twins} rows more by a twin, as toolkit convert --folds does" if twins else ""
    return (f"; before: {text}" if text else "") + folds


def _able(
    artifacts: Sequence[Artifact], engines: tuple[str, ...] | None, known: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """What is `known`, the engines for each artifact that one of them runs, and the reason for each that none runs; an error when none is
    left.
    """
    from toolkit.core import InputError
    from toolkit.pipeline.verify import engines_for
    from toolkit.runtimes import find_runtime

    for word in engines or ():
        if word != "all":
            find_runtime(word)
    names = dict(known)
    skipped: dict[str, str] = {}
    for artifact in artifacts:
        try:
            names[artifact.name] = engines_for(artifact, engines)
        except InputError as error:
            if len(artifacts) == 1:
                raise
            skipped[artifact.name] = str(error)
    if artifacts and not names:
        raise InputError("nothing to verify", got="; ".join(skipped.values()))
    return names, skipped
