"""What a user says of sizes, values and states: ``--fix h=32,w=320``, ``--range w=32:960:32``, ``--set sr=16000``, ``--state h=h_out``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from toolkit.core import InputError, Samples, Signature, SizeRange
from toolkit.core.free_sizes import sizes_text
from toolkit.core.states import check_states, states_of

_RANGE = re.compile(r"(\w+)=(\d+):(\d+)(?::(\d+))?")


@dataclass(frozen=True)
class Sizing:
    """What is said of a source.

    Args:
        fixes: by symbol the sizes where a format needs fixed ones, one of several.
        ranges: between which sizes it is to be right.
        values: by input the number that it is in every sample.
        states: by input the output that is its next value.
    """

    fixes: tuple[dict[str, int], ...] = ()
    ranges: tuple[SizeRange, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(
        cls, *, fix: Iterable[str] = (), ranges: Iterable[str] = (), values: Iterable[str] = (), states: Iterable[str] = ()
    ) -> Sizing:
        """From the words of the options; raises `InputError`."""
        found = tuple(_range(word) for text in ranges for word in text.split(","))
        return cls(tuple(map(_fix, fix)), found, _values(values), _states(states))

    def applied(self, signature: Signature, *, of: str) -> Signature:
        """The signature of the source `of` with what is said, and the states that are known by their names where nothing is said of them;
        raises `InputError` for names that it does not have.
        """
        for option, names in (
            ("--fix", [name for each in self.fixes for name in each]),
            ("--range", [each.symbol for each in self.ranges]),
        ):
            for name in names:
                _check_symbol(option, name, signature, of)
        inputs = [spec.name for spec in signature.inputs]
        for name in self.values:
            if name not in inputs:
                raise InputError(f"--set {name}", expected=f"an input of '{of}': {', '.join(inputs)}", got=f"'{name}'")
        if self.fixes and any(set(each) != set(self.fixes[0]) for each in self.fixes):
            raise InputError("--fix", expected="the same names each time", got=" and ".join(sizes_text(each) for each in self.fixes))
        check_states(self.states, signature, of=of)
        return replace(
            signature,
            fixes=self.fixes or signature.fixes,
            ranges=self.ranges or signature.ranges,
            values={**signature.values, **self.values},
            states=self.states or states_of(signature),
        )


Fix = str | Mapping[str, int] | Sequence[str | Mapping[str, int]] | None
"""One ``--fix``, as text or by name, or several."""


def as_sizing(
    fix: Fix = None,
    ranges: str | Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    states: Mapping[str, str] | None = None,
) -> Sizing:
    """From the arguments of the Python API: ``fix`` as a mapping, as text, or several of these; ``ranges`` as text; raises `InputError`."""
    several: Sequence[str | Mapping[str, int]] = [] if fix is None else [fix] if isinstance(fix, str | Mapping) else fix
    texts = [sizes_text(each) if isinstance(each, Mapping) else str(each) for each in several]
    return replace(
        Sizing.parse(fix=texts, ranges=[ranges] if isinstance(ranges, str) else ranges),
        values=dict(values or {}),
        states=dict(states or {}),
    )


def sizes_of(samples: Samples, signature: Signature) -> dict[str, int]:
    """What the free sizes of a network are in samples, without the batch."""
    found: dict[str, int] = {}
    for spec in signature.inputs:
        if spec.name in samples.inputs:
            turned = samples.turned(spec.name, samples.inputs[spec.name][:1])
            found |= {symbol: int(size) for symbol, size in zip(spec.shape, turned.shape, strict=True) if isinstance(symbol, str)}
    return {symbol: found[symbol] for symbol in signature.free if symbol in found}


def with_samples(signature: Signature, samples: Samples, sizing: Sizing) -> Signature:
    """The signature with the sizes of the samples where nobody fixes others; raises `InputError` for samples of other sizes than the fixed
    ones.
    """
    found = {} if samples.drawn else sizes_of(samples, signature)
    if not found:
        return signature
    fits = [each for each in signature.fixes if each.items() <= found.items()]
    if sizing.fixes and not fits:
        given = " ".join(f"--fix {sizes_text(each)}" for each in sizing.fixes)
        own = {symbol: size for symbol, size in found.items() if symbol in sizing.fixes[0]}
        raise InputError(
            f"the samples of '{samples.origin}' have other sizes than the fixed ones",
            expected=" or ".join(sizes_text(each) for each in sizing.fixes),
            got=sizes_text(own),
            hint=f"give {given} --fix {sizes_text(own)}, or samples of those sizes",
        )
    fixes = tuple({**found, **each} for each in signature.fixes) if fits else (found,)
    return replace(signature, fixes=fixes)


def _check_symbol(option: str, name: str, signature: Signature, of: str) -> None:
    free = signature.free
    if name in free:
        return
    if name == signature.rows:
        raise InputError(
            f"{option} {name}", expected=f"a size that is not the batch: {', '.join(free) or 'none'}", hint="--batch-sizes 1,32"
        )
    expected = f"a free size of '{of}': {', '.join(free)}" if free else f"no {option}: '{of}' has no free size but the batch"
    hint = f"such as {option} {free[0]}={'32' if option == '--fix' else '32:96:32'}" if free else ""
    raise InputError(f"{option} {name}", expected=expected, got=f"'{name}'", hint=hint)


def _fix(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in text.split(","):
        name, equals, size = word.strip().partition("=")
        if not equals or not name.isidentifier() or not size.isdecimal() or int(size) < 1:
            raise InputError(f"--fix {text}", expected="sizes by name, such as --fix h=32,w=320", got=f"'{word}'")
        if name in found:
            raise InputError(
                f"--fix {text}", expected="each name once", got=f"'{name}' twice", hint="several --fix make several signatures"
            )
        found[name] = int(size)
    return found


def _range(text: str) -> SizeRange:
    match = _RANGE.fullmatch(text.strip())
    low, high, step = (int(match[2]), int(match[3]), int(match[4] or 1)) if match else (0, 0, 0)
    if match is None or not 1 <= low <= high or step < 1:
        raise InputError(
            f"--range {text}", expected="a name with the smallest and largest size, and a step: --range w=32:960:32", got=f"'{text}'"
        )
    return SizeRange(match[1], low, high, step)


def _values(texts: Iterable[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise InputError(f"--set {text}", expected="an input and a number, such as --set sr=16000")
        found[name] = value
    return found


def _states(texts: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        before, equals, after = text.partition("=")
        if not equals or not before or not after:
            raise InputError(f"--state {text}", expected="an input and the output that is its next value, such as --state h=h_out")
        found[before] = after
    return found


def range_ends(signature: Signature) -> Sequence[dict[str, int]]:
    """All sizes with bounds at their smallest, in the middle, and at their largest."""
    ends = [each.ends for each in signature.ranges]
    places = max(map(len, ends), default=0)
    return [
        {each.symbol: sizes[min(place, len(sizes) - 1)] for each, sizes in zip(signature.ranges, ends, strict=True)}
        for place in range(places)
    ]
