"""Verification: each artifact against the trained model and against the artifact it was made from, so that a failure names its edge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path

import msgspec

from toolkit.core import (
    POINTS,
    Artifact,
    InputError,
    ParityReport,
    Samples,
    TaskMetric,
    ToolkitError,
    Verdict,
    cache_home,
    instruction_sets,
    keep_answer,
    plugin_sha256,
    read_answer,
    sources_sha256,
)
from toolkit.core.free_sizes import distinct
from toolkit.runtimes import Runtime, elsewhere, find_runtime, runtimes_for
from toolkit.runtimes.base import check_device
from toolkit.runtimes.parity import Criterion, Observation, Part, judge, observe, pooled, whole_batches
from toolkit.tasks import Limits
from toolkit.tasks.user_metric import metric_sha256

from .folds import Folds, words
from .source.sizing import range_ends

_TRIED = 16
"""Samples on which a metric is tried before the work."""


@dataclass
class Verifier:
    """Verifies artifacts of one trained model on one set of real samples; each (artifact, engine) is observed once.

    ``device`` is the candidates'; what they are compared with runs on the CPU, where every engine computes in fp32. Chains of parents may
    lead through ``made``. With ``folds`` the rows that calibrated count too, and no file is asked for those that calibrated itself.
    """

    root: Artifact
    samples: Samples
    limits: Limits = field(default_factory=Limits)
    device: str = "cpu"
    made: InitVar[Iterable[Artifact]] = ()
    folds: Folds | None = None
    _known: dict[str, Artifact] = field(default_factory=dict)
    _seen: dict[tuple[str, str, str], Observation] = field(default_factory=dict)
    _references: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self, made: Iterable[Artifact]) -> None:
        check_device(self.device)
        for artifact in (*made, self.root):
            self.remember(artifact)

    def verify(self, artifact: Artifact, *, engines: Sequence[str] = (), log: Path | None = None) -> Artifact:
        """`artifact` with fresh evidence in its manifest: a report per engine and reference.

        Args:
            engines: names; by default the first installed engine that runs the format.

        Raises:
            ToolkitError: no engine, or one that crashed or refused the model.
        """
        reports: list[ParityReport] = []
        for engine in engines or [default_engine(artifact)]:
            reports += self.reports(artifact, engine, log=log)
        return artifact.with_evidence(tuple(reports))

    def remember(self, artifact: Artifact) -> None:
        """Let chains of parents lead through `artifact`."""
        # An edge that changes no byte, as to bf16, makes an artifact that has the content of its own parent.
        if artifact.manifest.parent != artifact.manifest.content_sha256:
            self._known[artifact.manifest.content_sha256] = artifact

    def reports(self, artifact: Artifact, engine: str, *, log: Path | None = None) -> list[ParityReport]:
        """A report of `artifact` in one engine for each reference; no manifest is written. Raises as `verify`."""
        self.remember(artifact)
        parts = self._key(artifact, engine) if self.device == "cpu" else None
        return kept_evidence(parts, lambda: self._fresh(artifact, engine, log))

    def _fresh(self, artifact: Artifact, engine: str, log: Path | None) -> list[ParityReport]:
        return self.compared(artifact, self._answers(artifact, engine, log, device=self.device))

    def compared(self, artifact: Artifact, candidate: Sequence[Observation]) -> list[ParityReport]:
        """A report of what `artifact` answered for each reference: the trained model, and the artifact that it was made from.

        Args:
            candidate: its answers to the samples, and with folds those to the rows that calibrated.
        """
        reports = [self._judge(artifact, candidate, self.root)]
        parent = self._known.get(artifact.manifest.parent)
        if parent is not None and parent != self.root:
            reports.append(self._judge(artifact, candidate, parent))
        if any(report.verdict is Verdict.FAILED for report in reports):
            edge = self._first_failing(artifact, reports[0])
            reports = [replace(report, failed_edge=edge) for report in reports]
        return reports

    def _judge(self, artifact: Artifact, candidate: Sequence[Observation], reference: Artifact) -> ParityReport:
        other = self._answers(reference, default_engine(reference))
        if self.folds is None:
            return judge(artifact, candidate[0], other[0], self.samples, limits=self.limits)
        rows = [
            whole_batches(each, artifact.manifest.signature, reference.manifest.signature) for each in (self.samples, self.folds.samples)
        ]
        # Without a twin there is one part: what calibrated the file does not count.
        whole = pooled([Part(*part) for part in zip(candidate, other, rows, strict=False)])
        report = judge(artifact, whole.candidate, whole.reference, whole.samples, limits=self.limits)
        twin = 0 if artifact.manifest.calibration is None else len(whole.samples) - len(rows[0])
        told = words(artifact, self.folds, rows=twin, of=len(whole.samples)) if report.outputs else ""
        return replace(report, reason=f"{report.reason}; {told}", twin_rows=twin) if told else report

    def _answers(self, artifact: Artifact, engine: str, log: Path | None = None, *, device: str = "cpu") -> list[Observation]:
        """What `artifact` answers to the samples, and with folds what it or its twin does to the rows that calibrated it."""
        asked = [(artifact, self.samples)]
        if self.folds is not None and (other := self.folds.who_answers(artifact)) is not None:
            asked.append((other, self.folds.samples))
        return [self._observe(each, engine, samples, log, device=device) for each, samples in asked]

    def _observe(self, artifact: Artifact, engine: str, samples: Samples, log: Path | None, *, device: str) -> Observation:
        key = (artifact.manifest.content_sha256, f"{engine}/{artifact.manifest.precision}/{device}", samples.sha256)
        if key not in self._seen:
            self._seen[key] = observe(artifact, engine, samples, sizes=other_sizes(self.root), device=device, log=log)
        return self._seen[key]

    def _first_failing(self, artifact: Artifact, own: ParityReport) -> str:
        """The earliest edge on the way from the root whose artifact already fails against the root."""
        for step in reversed(self._way(artifact)):
            seen = self._answers(step, default_engine(step))
            if self._judge(step, seen, self.root).verdict is Verdict.FAILED:
                return step.manifest.edge
        return own.edge

    def _way(self, artifact: Artifact) -> list[Artifact]:
        """The known artifacts from the parent to the one made of the root, which is not among them."""
        way: dict[str, Artifact] = {}
        parent = artifact.manifest.parent
        # A manifest can be wrong: parents that lead in a circle end the way as the root does.
        while parent in self._known and parent not in {self.root.manifest.content_sha256, *way}:
            way[parent] = self._known[parent]
            parent = way[parent].manifest.parent
        return list(way.values())

    def _key(self, artifact: Artifact, engine: str) -> list[object]:
        """Everything that decides the reports of `artifact` in `engine`."""
        steps = [self.root, *self._way(artifact)]
        references = [(_facts(step), self._reference_engine(step)) for step in steps]
        return [*evidence_key(artifact, engine, self.samples, self.limits), references, self._twins(artifact, *steps)]

    def _twins(self, *artifacts: Artifact) -> list[object]:
        """What decides who answers for the rows that calibrated; nothing without folds."""
        if self.folds is None:
            return []
        who = [self.folds.who_answers(artifact) for artifact in artifacts]
        return [self.folds.samples.sha256, *(_facts(each) if each else None for each in who)]

    def _reference_engine(self, step: Artifact) -> list[str]:
        """Name, version and code of the engine that gives a reference's outputs; nothing where none does, as for a Mac's."""
        kind = f"{step.manifest.format}-{step.manifest.precision}"
        if kind not in self._references:  # Which engines are installed takes ten milliseconds to find out.
            self._references[kind] = [fact for runtime in _able(step)[:1] for fact in _engine(runtime.name)]
        return self._references[kind]


def evidence_key(artifact: Artifact, engine: str, samples: Samples, limits: Limits) -> list[object]:
    """What decides the evidence of `artifact` in `engine` on the CPU, whatever it is compared with."""
    return [
        _code_sha256(),
        _facts(artifact),
        _engine(engine),
        instruction_sets(),
        samples.sha256,
        samples.drawn,
        limits,
        metric_sha256(limits.metric),
    ]


def kept_evidence(key: Sequence[object] | None, make: Callable[[], list[ParityReport]]) -> list[ParityReport]:
    """What `make` returns, once for each `key`, by whose SHA-256 the user's cache keeps it; a key of None keeps nothing: what a GPU or its
    driver is called is not known without its engine.
    """
    if key is None:
        return make()
    file = _evidence_file(key)
    cached = read_answer(file, list[ParityReport])
    if cached is None:
        cached = make()
        keep_answer(file, cached)
    return cached


def _evidence_file(key: Sequence[object]) -> Path:
    return cache_home() / "evidence" / f"{hashlib.sha256(msgspec.json.encode(key)).hexdigest()}.json"


def _code_sha256() -> str:
    """A hash of all code that decides evidence: the rules, the probes, how an engine is asked."""
    return sources_sha256("toolkit.core", "toolkit.formats", "toolkit.tasks", "toolkit.runtimes", "toolkit.pipeline.folds", __name__)


def _facts(artifact: Artifact) -> list[object]:
    """What of an artifact decides how it is judged."""
    own = artifact.manifest
    return [own.content_sha256, own.format, own.precision, own.signature, own.edge, own.parent, own.operators, own.task, own.labels]


def _engine(name: str) -> list[str]:
    runtime = find_runtime(name)
    return [name, runtime.version(), plugin_sha256(runtime)]


def _able(artifact: Artifact) -> tuple[Runtime, ...]:
    return runtimes_for(artifact.manifest.format, artifact.manifest.precision)


def default_engine(artifact: Artifact) -> str:
    """The first installed engine that runs this artifact; raises `InputError` when there is none."""
    return engines_for(artifact, ("all",))[0]


def engines_for(artifact: Artifact, names: Sequence[str] | None) -> tuple[str, ...]:
    """The engines to verify `artifact` in: the first installed one that runs it for None, all of them for "all", else those of
    `names` that can; raises `InputError` when there is none.
    """
    able = [runtime.name for runtime in _able(artifact)]
    if names is None:
        able = able[:1]
    elif "all" not in names:
        able = [name for name in able if name in {find_runtime(word).name for word in names}]
    if not able and (reason := elsewhere(artifact.manifest.format, artifact.manifest.precision)):
        raise InputError(f"no engine runs {artifact.name} here: {reason}", hint="copy its bundle there and run: toolkit verify")
    if not able:
        raise InputError(f"no installed engine{' of those asked for' if names else ''} runs {artifact.name}", hint="run: toolkit doctor")
    return tuple(able)


def others_for(root: Artifact, names: Sequence[str], device: str = "cpu") -> tuple[str, ...]:
    """The engines of `names` that run the trained model on `device`, without the one whose outputs on the CPU are the reference; raises
    `UnknownNameError`.
    """
    able = [runtime.name for runtime in _able(root)][0 if device in {"gpu", "npu"} else 1 :]
    wanted = {*able} if "all" in names else {find_runtime(name).name for name in names}
    return tuple(name for name in able if name in wanted)


@dataclass(frozen=True)
class Verified:
    """One artifact with its fresh ``reports`` in its manifest; ``errors`` has, by engine, what kept the others from running it."""

    artifact: Artifact
    reports: tuple[ParityReport, ...]
    errors: Mapping[str, ToolkitError]

    @property
    def passed(self) -> bool:
        """Whether every engine ran it and every report passed."""
        return not self.errors and self.artifact.verdict is Verdict.PASSED


def must_try(root: Artifact, samples: Samples, limits: Limits) -> bool:
    """Whether `try_limits` has anything to do."""
    return bool(other_sizes(root)) or (not samples.drawn and bool(limits.task or limits.metric))


def try_limits(root: Artifact, samples: Samples, limits: Limits) -> None:
    """Judge the trained model against itself on its first samples, where somebody names a task or a metric, and run it at the sizes that
    somebody fixes or bounds: what is wrong with these is told before hours of work. What was tried so is not tried again.

    Raises:
        DataError: targets, or outputs, that the metric cannot take.
        InputError: a user's metric that raises, or returns no numbers; a drop that no network can have; a size that the model refuses.
        ToolkitError: the trained model does not run.
    """
    _try_sizes(root, samples)
    if samples.drawn or not (limits.task or limits.metric):
        return
    few = samples.rows(slice(_TRIED))
    engine = default_engine(root)
    kept = _evidence_file(["tried", few.origin, *evidence_key(root, engine, few, limits)])
    if read_answer(kept, bool):
        return
    seen = observe(root, engine, few)
    if not seen.problem:
        criterion = Criterion.of(root.manifest, few, limits, seen.samples)
        _check_drop(limits, criterion.measure(root.manifest, few, reference=seen.samples, candidate=seen.samples))
        keep_answer(kept, True)


def _check_drop(limits: Limits, found: TaskMetric | None) -> None:
    """A share that a user's metric gives has no points: a drop of 1 would be all of it, and nothing would fail."""
    if found is None or limits.relative is not False or found.unit == POINTS or not found.higher_is_better:
        return
    if 0 <= found.reference <= 1 <= limits.max_drop:
        raise InputError(
            f"--max-drop {limits.max_drop:g}",
            expected=f"less than '{found.name}' has to lose: it is {found.reference:.3g} of the trained model, and has no points",
            got="a drop that nothing can have",
            hint=f"{limits.max_drop:g} % of its value: --max-drop {limits.max_drop:g}%",
        )


def _try_sizes(root: Artifact, samples: Samples) -> None:
    """Run the trained model at the sizes that somebody fixes or bounds: one that it cannot take is told before hours of work.

    Raises:
        InputError: it refuses one.
        ToolkitError: it does not run.
    """
    sizes = other_sizes(root)
    seen = observe(root, default_engine(root), samples.rows(slice(2)), sizes=sizes) if sizes else None
    if seen is not None and seen.problem:
        raise InputError(f"'{root.manifest.model}' refuses a size: {seen.problem}", hint="give sizes that it takes to --fix or --range")


def other_sizes(root: Artifact) -> list[dict[str, int]]:
    """Other sizes than those of the samples, at which answers are compared too: the ends of what they are bounded by, and those that a
    file may have a signature for.
    """
    return distinct([*range_ends(root.manifest.signature), *root.manifest.signature.fixes[1:]])


def verify_all(
    verifier: Verifier,
    artifacts: Sequence[Artifact],
    *,
    engines: Mapping[str, Sequence[str]] | None = None,
    on_done: Callable[[str], None] | None = None,
) -> dict[str, Verified]:
    """Verify several artifacts, by name; an artifact or an engine that fails does not stop the others.

    An artifact that no engine ran keeps the evidence that it had.

    Raises:
        StorageError: a manifest cannot be written.
    """
    for artifact in artifacts:
        verifier.remember(artifact)
    results: dict[str, Verified] = {}
    for artifact in artifacts:
        results[artifact.name] = _verified(verifier, artifact, (engines or {}).get(artifact.name, ()))
        if on_done:
            on_done(artifact.name)
    return results


def _verified(verifier: Verifier, artifact: Artifact, engines: Sequence[str]) -> Verified:
    reports: list[ParityReport] = []
    errors: dict[str, ToolkitError] = {}
    for engine in engines or [""]:
        try:
            reports += verifier.reports(artifact, engine or default_engine(artifact))
        except ToolkitError as error:
            errors[engine] = error
    return Verified(artifact.with_evidence(tuple(reports)) if reports else artifact, tuple(reports), errors)
