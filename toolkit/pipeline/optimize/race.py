"""Successive halving: everything is measured once, what cannot win any more is not measured again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.core.measurement import Measurement, Protocol, Setting
from toolkit.runtimes.benchmark import run_benchmark

# A setting stays while it is within this factor of the best after so many rounds: one round's median was seen to be off by a third
# on a shared machine, five rounds' by a few hundredths.
_MARGINS = (1.6, 1.3, 1.15, 1.1)

Cost = Callable[[Measurement], float]


class Race:
    """Settings that are measured round by round.

    ``measured`` holds what is known of each, ``dropped`` why some are out. ``keep`` is called after each round with all that was
    measured, so that a run that is killed loses one round at most.
    """

    def __init__(self, protocol: Protocol, inputs: Path, cost: Cost, keep: Callable[[Iterable[Measurement]], None]) -> None:
        self.measured: dict[Setting, Measurement] = {}
        self.dropped: dict[Setting, str] = {}
        self._protocol, self._inputs, self._cost, self._keep = protocol, inputs, cost, keep

    def active(self) -> list[Measurement]:
        """What may still win, the best first."""
        return sorted((m for s, m in self.measured.items() if s not in self.dropped and m.ok), key=self._cost)

    def enter(self, settings: Iterable[Setting], known: Sequence[Measurement] = ()) -> None:
        """Let settings take part, with the rounds of them that are `known`."""
        before = {each.setting: each for each in known if each.ok}
        for setting in settings:
            self.measured.setdefault(setting, before.get(setting, Measurement(setting)))

    def run(self, index: int, *, on_progress: Callable[[int, int], None]) -> None:
        """Measure each setting that may still win, up to and including round `index`."""
        missing = [s for s, m in self.measured.items() if s not in self.dropped and not m.reason]
        for number in range(index + 1):
            late = [setting for setting in missing if len(self.measured[setting].rounds) <= number]
            if not late:
                continue
            found = run_benchmark(
                late,
                inputs=self._inputs,
                protocol=replace(self._protocol, rounds=1),
                first_round=number,
                on_progress=lambda progress: on_progress(progress.done, progress.total),
            )
            for each in found:
                before = self.measured[each.setting]
                self.measured[each.setting] = replace(each, rounds=(*before.rounds, *each.rounds))
            self._keep(self.measured.values())
        for setting in missing:
            if self.measured[setting].reason:
                self.dropped[setting] = self.measured[setting].reason

    def drop(self, setting: Setting, reason: str) -> None:
        """Let a setting take part no more."""
        self.dropped[setting] = reason

    def drop_slow(self, index: int) -> None:
        """Drop what is so far behind the best after round `index` that it will not win."""
        active = self.active()
        margin = _MARGINS[min(index, len(_MARGINS) - 1)]
        for each in active[1:]:
            ratio = self._cost(each) / self._cost(active[0])
            if ratio > margin:
                best = active[0].setting
                self.drop(each.setting, f"{ratio:.2f} times {best.artifact} in {best.engine} after {index + 1} rounds")
