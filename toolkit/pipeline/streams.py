"""Verification of streams: each artifact keeps its own states over many steps, as the trained model does beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.core import Artifact, Bundle, InputError, Samples, ToolkitError, Verdict
from toolkit.core.states import states_of
from toolkit.runtimes import find_runtime
from toolkit.runtimes.parity import Steps, StreamReport, compare_streams, observe

from .in_memory import named_data
from .source.opened import Opened
from .source.resolve import current
from .source.samples import split_samples
from .source.sizing import as_sizing
from .verify import default_engine, engines_for


@dataclass
class Streams:
    """What became of one artifact: a report of each engine, and why others have none."""

    reports: list[StreamReport] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every engine was right."""
        return not self.errors and all(each.report.verdict is Verdict.PASSED for each in self.reports)


def verify_streams(
    bundle: Bundle | str | Path,
    *,
    steps: int = 1000,
    data: Any = None,
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
    engines: Sequence[str] = (),
    evaluation: int | None = None,
    device: str = "cpu",
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, Streams]:
    """Verify the artifacts of a bundle as streams, as ``toolkit verify --steps``, by artifact name.

    Args:
        bundle: or its folder.
        steps: how many.
        data: as `convert` takes them.
        values: as `convert` takes them.
        states: as `convert` takes them.
        engines: by default the first that runs each format; artifacts that none of them runs are left out.
        evaluation: at most so many samples.
        device: of the engines.
        on_progress: called with the name of each artifact that is done.

    Raises:
        ToolkitError: there is nothing to verify, no state is known, or the data cannot be used.
    """
    loaded = Bundle.load(Path(bundle.path if isinstance(bundle, Bundle) else bundle))
    sizing = as_sizing(values=values, states=states)
    root, artifacts = Opened(loaded, sizing=sizing).subject, current(loaded)
    given = named_data(data, root.manifest.signature)
    samples = split_samples(root, given, evaluation=evaluation, only_judged=True, may_draw=True, sizing=sizing).evaluation
    names = {artifact.name: engines or engines_for(artifact, None) for artifact in artifacts}
    able = {each.name: [word for word in names[each.name] if each.manifest.format in find_runtime(word).formats] for each in artifacts}
    chosen = [artifact for artifact in artifacts if able[artifact.name]]
    if not chosen:
        raise InputError(
            f"'{loaded.path}' holds nothing to verify", expected="artifacts that one of the engines runs beside the trained model"
        )
    return run_streams(root, chosen, samples, steps=steps, engines=able, device=device, on_done=on_progress)


def run_streams(
    root: Artifact,
    artifacts: Sequence[Artifact],
    samples: Samples,
    *,
    steps: int,
    engines: Mapping[str, Sequence[str]],
    device: str = "cpu",
    on_done: Callable[[str], None] | None = None,
) -> dict[str, Streams]:
    """Run the trained model `root` and each of the artifacts for so many steps, and compare all that they give, states too; nothing is
    written.

    Args:
        samples: a step each, from the first one again where they end.
        engines: by the artifact's name.
        device: of the artifacts; the trained model runs on the CPU.
        on_done: called with the name of each artifact.

    Raises:
        InputError: no input of the trained model is known to be a state.
        ToolkitError: the trained model does not run.
    """
    states = states_of(root.manifest.signature)
    if not states:
        raise InputError(
            f"'{root.manifest.model}' has no state that its names tell",
            expected="an input with the output that is its next value",
            got=str(root.manifest.signature),
            hint="say it: --state h=h_out",
        )
    asked = Steps(steps, states)
    reference = observe(root, default_engine(root), samples, steps=asked)
    found: dict[str, Streams] = {}
    for artifact in artifacts:
        own = found[artifact.name] = Streams()
        for engine in engines[artifact.name]:
            try:
                seen = observe(artifact, engine, samples, steps=asked, device=device)
                own.reports.append(compare_streams(artifact, seen, reference, samples, steps=asked))
            except ToolkitError as error:
                own.errors[engine] = str(error)
        if on_done:
            on_done(artifact.name)
    return found
