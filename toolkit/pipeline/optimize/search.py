"""One search: race, verification, and the state that survives a kill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import msgspec

from toolkit.converters.cache import copy
from toolkit.core import (
    Artifact,
    ConversionError,
    Format,
    ParityReport,
    Precision,
    Samples,
    ToolkitError,
    Verdict,
    available_threads,
    decode_json,
    load_average,
    read_file,
    this_machine,
    write_file,
)
from toolkit.core.measurement import BenchmarkReport, Measurement, Protocol, Setting
from toolkit.runtimes import all_runtimes
from toolkit.runtimes.parity import Observation, observe

from ..benchmark import join_parity, plan_settings
from ..convert import Request
from ..progress import OnCount
from ..quantize.search import search as hold_limit
from ..recommend import recommend
from ..verify import Verifier, default_engine
from .budget import Budget, Choice
from .race import Race

STATE = "optimize.json"
_ENOUGH_ROUNDS = 3


@dataclass(frozen=True)
class _State:
    """What a run that was killed leaves: what it had measured, on which machine and how."""

    machine: str
    protocol: Protocol
    budget: Budget
    heats: tuple[Measurement, ...]
    measurements: tuple[Measurement, ...]


class Search:
    """The candidates of one model and what is known of them."""

    def __init__(
        self,
        request: Request,
        root: Artifact,
        artifacts: Iterable[Artifact],
        *,
        choice: Samples,
        fresh: Samples,
        budget: Budget,
        protocol: Protocol,
        work: Path,
        report: OnCount,
    ) -> None:
        self._request, self._root, self._choice, self._budget, self._protocol = request, root, choice, budget, protocol
        self._work, self._progress = work, report
        self._started, self._load = datetime.now(UTC).isoformat(timespec="seconds"), load_average()
        self._artifacts = {artifact.name: artifact for artifact in artifacts}
        # What was not chosen by any sample is judged by all of them, as `toolkit verify` does it: fewer would leave more undecided.
        self._verifier = Verifier(root, request.split.evaluation, request.limits, made=self._artifacts.values())
        self._verifier_of_chosen = Verifier(root, fresh, request.limits, made=self._artifacts.values())
        self._failed: dict[tuple[str, str], str] = {}
        self._held: set[str] = set()
        samples = request.split.evaluation.rows(slice(32 * protocol.inputs))
        samples.save(inputs := work / "inputs.npz")
        self._race = Race(protocol, inputs, budget.cost, self._keep)
        self._race.enter(self._settings(self._artifacts.values()), *self._known())

    @property
    def processes(self) -> int:
        """How many measuring processes there were, in this run and in those that it went on from."""
        heats = {setting.engine for setting in self._race.heats}
        return len(heats) + sum(len(each.rounds) for each in self._race.measured.values())

    def run(self) -> None:
        """Race until one candidate is left, or every round was run; raises `ConversionError` when none passes."""
        for stage in range(1 + (1 if self._budget is Budget.SIZE else self._protocol.rounds)):
            self._measure(stage)
            while self._race.active() and not self._passes(self._race.active()[0].setting):
                self._fail(self._race.active()[0].setting, stage)
            if not self._race.active():
                reasons = "; ".join(f"{name} in {engine}: {why}" for (name, engine), why in self._failed.items())
                raise ConversionError("nothing that could be measured passed", got=reasons or "; ".join(self.dropped().values()))
            self._race.drop_slow(stage)
            if len(self._race.active()) == 1 and stage >= _ENOUGH_ROUNDS:
                break

    def best(self) -> tuple[Choice, Setting, str]:
        """What to ship, as it was measured, and why."""
        first = self._race.active()[0]
        others = len(self._race.measured) - 1
        reason = f"Ship {first.setting.artifact}: the smallest {self._budget} of what passed, {others} others tried."
        if self._budget is Budget.LATENCY:
            told = recommend(self._as_report(self._rows()))
            assert told.measurement is not None, "a candidate passed"
            first, reason = self._race.measured[told.measurement.setting], told.reason
        return self._choice_of(first), first.setting, reason

    def front(self) -> tuple[Choice, ...]:
        """Those that passed and that no other beats in both the budget and the size, the best by the budget first."""
        front: list[Choice] = []
        tried = [m for s, m in self._race.figures().items() if m.ok and (s.artifact, s.engine) not in self._failed]
        ranked = sorted(tried, key=self._budget.cost)
        for each in ranked:
            if (not front or each.size_bytes < front[-1].size_bytes) and self._passes(each.setting):
                front.append(self._choice_of(each))
        return tuple(front)

    def forget(self) -> None:
        """Remove what a killed run would have gone on from."""
        (self._request.out / STATE).unlink(missing_ok=True)

    def dropped(self) -> dict[str, str]:
        """Why candidates are out."""
        return {f"{s.artifact}, {s.engine}, {s.threads} threads": why for s, why in self._race.dropped.items()}

    def report(self, shipped: Setting | None = None) -> BenchmarkReport:
        """What was measured, of the artifact that is shipped or of all; what was dropped is a row with its reason."""
        rows = [row for row in self._rows() if shipped is None or row.setting.artifact == shipped.artifact]
        report = self._as_report([replace(row, setting=_in_bundle(row.setting)) for row in rows])
        return replace(report, shipped=shipped and _in_bundle(shipped))

    def _rows(self) -> list[Measurement]:
        return [replace(m, reason=self._race.dropped.get(s, m.reason)) for s, m in self._race.figures().items()]

    def _as_report(self, rows: list[Measurement]) -> BenchmarkReport:
        samples = self._request.split.evaluation
        return BenchmarkReport(
            model=self._root.manifest.model,
            machine=this_machine(),
            started=self._started,
            load_before=self._load,
            load_after=load_average(),
            protocol=self._protocol,
            measurements=tuple(rows),
            parity=join_parity(self._artifacts.values(), rows),
            samples=samples.origin,
            samples_sha256=samples.sha256,
            complete=True,
        )

    def _settings(self, artifacts: Iterable[Artifact]) -> list[Setting]:
        every = available_threads()
        streams = (1, every) if self._budget is Budget.THROUGHPUT else ()
        engines = [runtime.name for runtime in all_runtimes() if runtime.for_apps]
        plan = plan_settings(artifacts, engines=engines, threads=tuple(dict.fromkeys((1, every))), streams=streams)
        return [setting for setting in plan.settings if setting.scenario is self._budget.scenario]

    def _measure(self, stage: int) -> None:
        what = f"round {stage} of {self._protocol.rounds}" if stage else "heat"
        self._race.run(stage, on_progress=lambda done, total: self._progress(what, done, total))

    def _reports(self, setting: Setting) -> list[ParityReport]:
        artifact = self._artifacts[setting.artifact]
        own = [r for r in artifact.manifest.evidence if r.candidate == setting.content_sha256]
        if not any(report.engine == setting.engine for report in own):
            self._progress(f"verifying {setting.artifact} in {setting.engine}", 0, 0)
            engines = [*dict.fromkeys(report.engine for report in own), setting.engine]
            verifier = self._verifier_of_chosen if artifact.manifest.recipe.get("keep_float") else self._verifier
            artifact = self._artifacts[setting.artifact] = verifier.verify(artifact, engines=engines)
        return [r for r in artifact.manifest.evidence if (r.candidate, r.engine) == (setting.content_sha256, setting.engine)]

    def _passes(self, setting: Setting) -> bool:
        key = (setting.artifact, setting.engine)
        if key not in self._failed:
            try:
                bad = [f"{report.verdict}: {report.reason}" for report in self._reports(setting) if report.verdict is not Verdict.PASSED]
            except ToolkitError as error:
                bad = [str(error)]
            if not bad:
                return True
            self._failed[key] = bad[0]
        return False

    def _fail(self, setting: Setting, stage: int) -> None:
        """Drop what failed in this engine, whatever its threads; static int8 may come back with layers in float."""
        key = (setting.artifact, setting.engine)
        for other in [s for s in self._race.measured if (s.artifact, s.engine) == key and s not in self._race.dropped]:
            self._race.drop(other, f"parity: {self._failed[key]}")
        artifact = self._artifacts[setting.artifact]
        if artifact.name == f"{artifact.manifest.format}-{Precision.INT8}" and artifact.name not in self._held:
            self._held.add(artifact.name)
            held = self._hold(artifact.manifest.format)
            if held is not None:
                self._failed = {key: why for key, why in self._failed.items() if key[0] != held.name}
                self._artifacts[held.name] = held
                self._race.enter(self._settings([held]))
                self._measure(stage)

    @cached_property
    def _reference(self) -> Observation:
        """The trained model on the samples for choosing layers."""
        return observe(self._root, default_engine(self._root), self._choice)

    def _hold(self, format: Format) -> Artifact | None:
        """Static int8 with layers in float, where some choice of them holds the limit."""
        exact = self._artifacts.get(f"{format}-{Precision.FP32}")
        if exact is None:
            return None
        try:
            found = hold_limit(
                exact,
                self._reference,
                self._choice,
                request=self._request,
                work=self._work / format,
                report=lambda name, what: self._progress(f"{name}: {what}", 0, 0),
            )
        except ToolkitError:
            return None
        return copy(found.chosen.artifact, self._request.out / f"{format}-{Precision.INT8}")

    def _choice_of(self, measurement: Measurement) -> Choice:
        reports = self._reports(measurement.setting)
        task = next((report.task for report in reports if report.task is not None), None)
        return Choice(
            measurement.setting.artifact,
            measurement.setting.engine,
            measurement.setting.threads,
            measurement.latency_ns.value,
            measurement.samples_per_s.value,
            measurement.size_bytes,
            len(self._race.measured[measurement.setting].rounds),
            task.drop if task is not None else None,
            reports[0].reason if reports else "",
        )

    def _known(self) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...]]:
        try:
            state = decode_json(read_file(self._request.out / STATE), _State)
        except (OSError, msgspec.DecodeError):
            return (), ()
        same = (state.machine, state.protocol, state.budget) == (this_machine().fingerprint, self._protocol, self._budget)
        return (state.heats, state.measurements) if same else ((), ())

    def _keep(self) -> None:
        rounds = tuple(each for each in self._race.measured.values() if each.rounds)
        state = _State(this_machine().fingerprint, self._protocol, self._budget, tuple(self._race.heats.values()), rounds)
        write_file(self._request.out / STATE, msgspec.json.encode(state))


def _in_bundle(setting: Setting) -> Setting:
    return replace(setting, folder=setting.artifact)
