"""Successive halving: a rough heat of everything, then rounds of what may still win."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.core.measurement import Measurement, Protocol, Setting
from toolkit.runtimes.benchmark import run_benchmark, run_heats

# A setting stays while it is within this factor of the best after the heat, one round, two and so on: one round's median was seen to be
# off by a third on a shared machine, five rounds' by a few hundredths.
_MARGINS = (2.0, 1.6, 1.3, 1.15, 1.1)

_HEAT_SHARE = 0.25
"""The part of a round's time for which a setting is called in the heat."""

Cost = Callable[[Measurement], float]


class Race:
    """Settings that are measured stage by stage: stage 0 is the heat, in which an engine's settings share a process, and those after it
    are a round each, in processes of their own.

    ``heats`` and ``measured`` hold what is known of each, ``dropped`` why some are out. ``keep`` is called after each stage, so that a
    run that is killed loses one at most.
    """

    def __init__(self, protocol: Protocol, inputs: Path, cost: Cost, keep: Callable[[], None]) -> None:
        self.heats: dict[Setting, Measurement] = {}
        self.measured: dict[Setting, Measurement] = {}
        self.dropped: dict[Setting, str] = {}
        self._protocol, self._inputs, self._cost, self._keep = protocol, inputs, cost, keep

    def figures(self) -> dict[Setting, Measurement]:
        """The best that is known of each setting: its rounds, or its heat where it has none."""
        return {s: own if own.rounds or own.reason else self.heats.get(s, own) for s, own in self.measured.items()}

    def active(self) -> list[Measurement]:
        """What may still win, the best first."""
        return sorted((m for s, m in self.figures().items() if s not in self.dropped and m.ok), key=self._cost)

    def enter(self, settings: Iterable[Setting], heats: Sequence[Measurement] = (), rounds: Sequence[Measurement] = ()) -> None:
        """Let settings take part, with the `heats` and the `rounds` of them that are known."""
        before = {each.setting: each for each in rounds if each.ok}
        rough = {each.setting: each for each in heats if each.ok}
        for setting in settings:
            self.measured.setdefault(setting, before.get(setting, Measurement(setting)))
            if setting in rough:
                self.heats[setting] = rough[setting]

    def run(self, stage: int, *, on_progress: Callable[[int, int], None]) -> None:
        """Measure each setting that may still win, up to and including `stage`."""
        racing = [setting for setting, own in self.measured.items() if setting not in self.dropped and not own.reason]
        if stage == 0 and (new := [setting for setting in racing if setting not in self.heats]):
            self._heat(new, on_progress)
        for number in range(stage):
            if late := [setting for setting in racing if len(self.measured[setting].rounds) <= number]:
                self._round(number, late, on_progress)
        for setting, own in self.figures().items():
            if own.reason:
                self.dropped.setdefault(setting, own.reason)

    def _heat(self, settings: Sequence[Setting], on_progress: Callable[[int, int], None]) -> None:
        own = self._protocol
        brief = replace(own, min_seconds=_HEAT_SHARE * own.min_seconds, warmup_seconds=_HEAT_SHARE * own.warmup_seconds)
        for each in run_heats(settings, inputs=self._inputs, protocol=brief, on_progress=on_progress):
            self.heats[each.setting] = each
        self._keep()

    def _round(self, number: int, settings: Sequence[Setting], on_progress: Callable[[int, int], None]) -> None:
        found = run_benchmark(
            settings,
            inputs=self._inputs,
            protocol=replace(self._protocol, rounds=1),
            first_round=number,
            on_progress=lambda progress: on_progress(progress.done, progress.total),
        )
        for each in found:
            before = self.measured[each.setting]
            self.measured[each.setting] = replace(each, rounds=(*before.rounds, *each.rounds))
        self._keep()

    def drop(self, setting: Setting, reason: str) -> None:
        """Let a setting take part no more."""
        self.dropped[setting] = reason

    def drop_slow(self, stage: int) -> None:
        """Drop what is so far behind the best after `stage` that it will not win."""
        active = self.active()
        margin = _MARGINS[min(stage, len(_MARGINS) - 1)]
        after = f"after {stage} round{'s' if stage > 1 else ''}" if stage else "in the heat"
        for each in active[1:]:
            ratio = self._cost(each) / self._cost(active[0])
            if ratio > margin:
                best = active[0].setting
                self.drop(each.setting, f"{ratio:.2f} times {best.artifact} in {best.engine} {after}")
