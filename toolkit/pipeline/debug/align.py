"""Which tensor of a converted network is which of the trained one, and where the two part.

Names and weights say it first, where the file has kept them, and values confirm it: a pair counts only when its values agree. From then on
the candidate computes from the reference's value, so that an error cannot hide what comes after it. Where values no longer agree,
the layer at fault is found by trial: the earliest tensor in whose place a tensor of the reference makes the outputs right again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from toolkit.core.decibels import sqnr_db
from toolkit.runtimes.intermediates import Step, Trace, Values

from .layout import Layout, layouts
from .rule import LayerRule

_MAX_TRIALS = 400
_MAX_DIVERGENCES = 16
_SAME_DB = 6.0


@dataclass(frozen=True)
class Pair:
    """A tensor of the candidate and the one of the reference that it is; ``by`` says what told."""

    candidate: str
    reference: str
    layout: Layout
    by: str
    diverges: bool = False


@dataclass
class Alignment:
    """The pairs found so far, by the candidate's names.

    ``rounds`` are sets of inputs in the signature's order, each run on its own. ``tick`` is called after every run of the candidate.
    """

    reference: Trace
    candidate: Trace
    rounds: Sequence[Sequence[np.ndarray]]
    rule: LayerRule
    tick: Callable[[], None] = lambda: None
    pairs: dict[str, Pair] = field(default_factory=dict)
    unverified: bool = False

    def __post_init__(self) -> None:
        self.known = self.reference.run(self.rounds, {})
        self.plain = self.run()
        self.steps = {step.name: step for step in self.candidate.steps}
        self._reference_steps = {step.name: step for step in self.reference.steps}
        self.seen = {name: arrays for name, arrays in self.known.items() if _tells(arrays)}
        self._sorted = {name: [np.sort(array, axis=None) for array in arrays] for name, arrays in self.seen.items()}
        self._refused: set[str] = set()
        self._tried: set[str] = set()
        self._equal = {
            name: [other for other, arrays in self._sorted.items() if all(map(np.array_equal, own, arrays))]
            for name, own in self._sorted.items()
        }
        self._readers: dict[str, list[str]] = {}
        for step in self.candidate.steps:
            for name in step.inputs:
                self._readers.setdefault(name, []).append(step.name)
        self._weights = _same_weights(self.reference.weights, self.candidate.weights)
        self._ends = dict(zip(self.candidate.outputs, self.reference.outputs, strict=True))

    def run(self, extra: Sequence[Pair] = (), *, rounds: int | None = None) -> Values:
        """The candidate's values in all or the first `rounds`, computed from the reference's at each pair."""
        forced = {
            pair.candidate: [pair.layout.to_candidate(array) for array in self.known[pair.reference][:rounds]]
            for pair in (*self.pairs.values(), *extra)
        }
        values = self.candidate.run(self.rounds[:rounds], forced)
        self.tick()
        return values

    def align(self) -> Values:
        """Find all pairs; the candidate's values when every one of them computes from the reference's inputs."""
        while True:
            values = self._match_all()
            diverged = sum(pair.diverges for pair in self.pairs.values())
            suspects = self._suspects()
            pair = self._trial(values, suspects) if suspects else self._hidden(values)
            if pair is None or diverged >= _MAX_DIVERGENCES:
                return values
            self.pairs[pair.candidate] = pair

    def boundary(self, name: str) -> list[str]:
        """The paired tensors and graph inputs from which the candidate computes the step `name`."""
        return _boundary(name, self.steps, self.pairs)

    def region(self, name: str) -> list[Step]:
        """The candidate's steps between that boundary and `name`, with it."""
        inside = _between(name, self.steps, self.pairs)
        return [step for step in self.candidate.steps if step.name in inside]

    def reference_region(self, name: str) -> list[Step]:
        """The reference's steps that no pair separates from the step `name`, with it."""
        inside = _between(name, self._reference_steps, {pair.reference for pair in self.pairs.values()})
        return [step for step in self.reference.steps if step.name in inside]

    def _match_all(self) -> Values:
        values = self.run() if self.pairs else self.plain
        for level in self.rule.levels_db:
            while new := self._matches(values, level):
                before = {name: self._ratio(pair, values) for name, pair in self.pairs.items()}
                self.pairs.update({pair.candidate: pair for pair in new})
                values = self.run()
                worse = {name for name, ratio in before.items() if self._ratio(self.pairs[name], values) < ratio - _SAME_DB / 2}
                # What is merely similar, such as a product before its bias is added, makes right values worse when it is replaced.
                wrong = {pair.candidate for pair in new if worse & _descendants(pair.candidate, self._readers)}
                if wrong:
                    self._refused |= wrong
                    self.pairs = {name: pair for name, pair in self.pairs.items() if name not in wrong}
                    values = self.run()
        return values

    def _matches(self, values: Values, level: float) -> list[Pair]:
        """The candidate's tensors without a pair that hold the values of one of the reference's; of several, those that hold them best."""
        best: dict[str, float] = {}
        for pair in self.pairs.values():
            if not pair.diverges:
                self._note(best, pair.reference, self._ratio(pair, values))
        new: list[tuple[Pair, float]] = []
        for step in self.candidate.steps:
            if step.name in self.pairs or step.name in self._refused or step.name not in values or not _tells(values[step.name]):
                continue
            found = [(pair, ratio) for pair, ratio in self._fits(step, values, level) if self._agrees(pair, values)]
            if found:
                top = max(ratio for _, ratio in found)
                close = [pair for pair, ratio in found if ratio >= top - _SAME_DB]
                new.append(
                    (
                        min(
                            close,
                            key=lambda pair: (
                                _RANK[pair.by],
                                self._kinds_differ(pair),
                                not pair.layout.is_plain,
                                pair.layout.candidate != pair.layout.reference,
                            ),
                        ),
                        top,
                    )
                )
                self._note(best, new[-1][0].reference, top)
        return [pair for pair, ratio in new if self.rule.is_exact or ratio >= best[pair.reference] - _SAME_DB]

    def _note(self, best: dict[str, float], name: str, ratio: float) -> None:
        """Keep the best ratio for each tensor of the reference, and for those with the same values, such as a dropout's."""
        for other in self._equal[name]:
            best[other] = max(best.get(other, -np.inf), ratio)

    def _fits(self, step: Step, values: Values, level: float) -> Iterator[tuple[Pair, float]]:
        ordered = [np.sort(array, axis=None) for array in values[step.name]]
        for name in self._of_size(values[step.name]):
            # No order of the values is nearer than when both are sorted.
            if self._ends.get(step.name, name) == name and sqnr_db(self._sorted[name], ordered) >= level:
                pair, ratio = self._fit(step, name, values)
                if ratio >= level:
                    yield pair, ratio

    def _agrees(self, pair: Pair, values: Values) -> bool:
        seen = [pair.layout.to_reference(array) for array in values[pair.candidate]]
        return not self.rule.is_exact or self.rule.agrees(self.known[pair.reference], seen)

    def _ratio(self, pair: Pair, values: Values) -> float:
        return sqnr_db(self.known[pair.reference], [pair.layout.to_reference(array) for array in values[pair.candidate]])

    def _of_size(self, arrays: Sequence[np.ndarray]) -> Iterator[str]:
        return (name for name, own in self.seen.items() if own[0].size == arrays[0].size)

    def _fit(self, step: Step, name: str, values: Values) -> tuple[Pair, float]:
        """The best layout for a pair, and its ratio."""
        best: tuple[float, Layout] | None = None
        for layout in layouts(values[step.name][0].shape, self.known[name][0].shape):
            ratio = sqnr_db(self.known[name], [layout.to_reference(array) for array in values[step.name]])
            if best is None or ratio > best[0]:
                best = ratio, layout
            if ratio >= self.rule.levels_db[0]:
                break
        assert best is not None
        return Pair(step.name, name, best[1], self._evidence(step, name)), best[0]

    def _evidence(self, step: Step, name: str) -> str:
        if self._ends.get(step.name) == name:
            return "signature"
        own = self._reference_steps[name]
        words = {word.removeprefix("node_") for word in (step.name, *step.aliases)}
        if words & {own.name, *own.aliases}:
            return "name"
        return "weights" if {self._weights.get(weight) for weight in step.weights} & set(own.weights) else "values"

    def _kinds_differ(self, pair: Pair) -> bool:
        own, other = (_plain(step.kind) for step in (self.steps[pair.candidate], self._reference_steps[pair.reference]))
        return not (own.startswith(other) or other.startswith(own))

    def _suspects(self) -> list[Step]:
        """The steps without a pair on the way to an output that has none."""
        inside: set[str] = set()
        for name in self.candidate.outputs:
            if name not in self.pairs:
                inside |= _between(name, self.steps, self.pairs)
        return [step for step in self.candidate.steps if step.name in inside]

    def _trial(self, values: Values, suspects: list[Step]) -> Pair:
        """The earliest suspect that, replaced by a tensor of the reference, makes what follows right; a guess by names where none does."""
        guess: Pair | None = None
        trials = 0
        for step in self._ordered(suspects):
            if step.name in self._ends:
                break
            if step.name not in values or not _tells(values[step.name]) or trials >= _MAX_TRIALS:
                continue
            found: list[tuple[bool, int, Pair]] = []
            for pair in self._options(step, values):
                guess = pair if guess is None and pair.by != "values" else guess
                healed, repaired = self._repairs(pair, suspects)
                trials += 1
                if healed or repaired:
                    # Of several the one nearest to the values that agree: behind a later layer of this shape the same operators follow.
                    found.append((not healed, len(self.reference_region(pair.reference)), pair))
            if found:
                return self._named(min(found, key=lambda each: each[:2])[2], values, suspects)
        end = next(name for name in self.candidate.outputs if name not in self.pairs)
        if guess is not None and guess.reference != self._ends[end]:
            self.unverified = True
            return guess
        shapes = values[end][0].shape, self.known[self._ends[end]][0].shape
        return Pair(end, self._ends[end], next(layouts(*shapes)), "signature", diverges=True)

    def _named(self, pair: Pair, values: Values, suspects: list[Step]) -> Pair:
        """The later suspect that has the name of the pair's tensor, if it repairs as much: a missing bias may not show in the outputs."""
        after = _descendants(pair.candidate, self._readers)
        for step in suspects:
            if step.name in after and step.name not in self._ends and self._evidence(step, pair.reference) == "name":
                for other in self._options(step, values):
                    if other.reference == pair.reference and any(self._repairs(other, suspects)):
                        return other
        return pair

    def _repairs(self, pair: Pair, suspects: list[Step]) -> tuple[bool, int]:
        """Whether every output is right with this pair, and how many tensors after it are; one round tells."""
        values = self.run([pair], rounds=1)
        after = _descendants(pair.candidate, self._readers)
        later = _descendants_of(pair.reference, self.reference.steps) - set(self._equal[pair.reference])
        right = 0
        healed = any(step.name in self._ends for step in suspects)
        for step in suspects:
            if step.name not in values:
                continue
            (array,) = values[step.name]
            if step.name in self._ends:
                own = self.known[self._ends[step.name]][0]
                healed &= sqnr_db([own], [array.reshape(own.shape)]) >= self.rule.repaired_db
            if step.name in after and _tells([array]):
                alike = (name for name in self._of_size([array]) if name in later)
                ordered = np.sort(array, axis=None)
                right += any(sqnr_db(self._sorted[name][:1], [ordered]) >= self.rule.repaired_db for name in alike)
        kept = (each for each in self.pairs.values() if each.candidate in after and not each.diverges)
        spoiled = any(
            sqnr_db(self.known[each.reference][:1], [each.layout.to_reference(values[each.candidate][0])]) < self.rule.floor_db
            for each in kept
        )
        return healed and not spoiled, 0 if spoiled else right

    def _hidden(self, values: Values) -> Pair | None:
        """A tensor that is wrong though every output is right, such as the bias of attention's keys, which the softmax forgets.

        Only names and weights can tell which tensor it should be: without them nothing is tried.
        """
        taken = {pair.reference for pair in self.pairs.values()}
        free = [step for step in self.candidate.steps if step.name not in self.pairs and step.name not in self._refused]
        for step in free:
            if step.name in self._tried or step.name not in values or not _tells(values[step.name]):
                continue
            self._tried.add(step.name)
            for pair in self._options(step, values):
                if pair.by != "values" and pair.reference not in taken and self._repairs(pair, free)[1]:
                    return pair
        return None

    def _ordered(self, suspects: list[Step]) -> list[Step]:
        """Those first through which every wrong value must pass to come further, then the others; both in the order of computation."""
        inside = {step.name for step in suspects}
        roots = {step.name for step in suspects if not inside.intersection(step.inputs)}
        narrow = {step.name for step in suspects if self._separates(step.name, roots, inside)}
        return sorted(suspects, key=lambda step: step.name not in narrow)

    def _options(self, step: Step, values: Values) -> Iterator[Pair]:
        """What a suspect may be: the reference's tensors of its size without a pair, or with one right before it."""
        before = {self.pairs[name].reference for name in self.boundary(step.name) if name in self.pairs}
        taken = {pair.reference for pair in self.pairs.values()} - before
        options = [name for name in self._of_size(values[step.name]) if name not in taken]
        for name in sorted(options, key=lambda name: (_RANK[self._evidence(step, name)], name in before)):
            own = self.known[name]
            every = list(layouts(values[step.name][0].shape, own[0].shape))
            fits = [each for each in every if each.keeps_axes] or every[:1]
            fits.sort(key=lambda layout: -sqnr_db(own, [layout.to_reference(array) for array in values[step.name]]))
            plain = [each for each in fits if each.is_plain]
            for layout in [*plain, *(each for each in fits[:2] if each not in plain)]:
                yield Pair(step.name, name, layout, self._evidence(step, name), diverges=True)

    def _separates(self, name: str, roots: set[str], inside: set[str]) -> bool:
        """Whether something behind `name` depends on the first suspects through `name` only."""
        reached, pending = set(roots) - {name}, [root for root in roots if root != name]
        while pending:
            for reader in self._readers.get(pending.pop(), ()):
                if reader in inside and reader != name and reader not in reached:
                    reached.add(reader)
                    pending.append(reader)
        return any(reader not in reached for reader in _descendants(name, self._readers) & inside) or name in self._ends


_RANK = {"signature": 0, "name": 1, "weights": 2, "values": 3}


def _tells(arrays: Sequence[np.ndarray]) -> bool:
    """Whether the values can identify a tensor: floats, not all the same. What is not finite tells too: nothing is like it."""
    floats = all(array.dtype.kind == "f" and array.size > 1 for array in arrays)
    return floats and any(not np.isfinite(array).all() or float(np.ptp(array)) > 0 for array in arrays)


def _same_weights(reference: Mapping[str, np.ndarray], candidate: Mapping[str, np.ndarray]) -> dict[str, str]:
    """For constants of the candidate the reference's weight of the same name, or of the same values in any order."""
    known = {name: np.sort(array, axis=None) for name, array in reference.items() if array.dtype.kind == "f" and array.size > 1}
    found = {}
    for name, array in candidate.items():
        if name in reference:
            found[name] = name
        elif array.dtype.kind == "f" and array.size > 1 and float(np.ptp(array)) > 0:
            ordered = np.sort(array, axis=None).astype(np.float32)
            same = [key for key, own in known.items() if own.size == ordered.size and np.allclose(own, ordered, rtol=1e-2, atol=1e-4)]
            if same:
                found[name] = same[0]
    return found


def _between(name: str, steps: Mapping[str, Step], ends: Mapping[str, object] | set[str]) -> set[str]:
    inside, pending = {name}, [name]
    while pending:
        for source in steps[pending.pop()].inputs:
            if source in steps and source not in ends and source not in inside:
                inside.add(source)
                pending.append(source)
    return inside


def _boundary(name: str, steps: Mapping[str, Step], ends: Mapping[str, object]) -> list[str]:
    inside = _between(name, steps, ends)
    return list(dict.fromkeys(source for step in steps.values() if step.name in inside for source in step.inputs if source not in inside))


def _descendants(name: str, readers: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        new = set(readers.get(pending.pop(), ())) - found
        found |= new
        pending += new
    return found


def _descendants_of(name: str, steps: Sequence[Step]) -> set[str]:
    found = {name}
    for step in steps:
        if found.intersection(step.inputs):
            found.add(step.name)
    return found - {name}


def _plain(kind: str) -> str:
    """An operator's kind without what formats write differently."""
    word = "".join(letter for letter in kind.lower() if letter.isalpha())
    return {"gemm": "linear", "matmul": "linear", "fullyconnected": "linear", "depthwiseconvd": "conv", "convolution": "conv"}.get(
        word, word
    )
