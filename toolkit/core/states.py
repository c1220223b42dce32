"""Which outputs of a network are the next values of its inputs: the states of a stream, found by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from .errors import InputError
from .free_sizes import is_invented
from .signature import Dimension, Signature, TensorSpec

_EARLIER, _LATER = frozenset({"old", "prev", "previous", "past"}), frozenset({"new", "next", "present", "updated"})
"""Words that exporters put before or behind the name of a state, and that are names of states on their own."""
_BEFORE, _AFTER = _EARLIER | {"in", "input", "0", "init", "initial", "last"}, _LATER | {"out", "output", "n"}
"""All such words: of a state that goes in, and of one that comes out."""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SHORT = re.compile(r"(?<![A-Za-z])([b-df-hj-np-tv-z])n(?![A-Za-z])")
"""``hn`` and ``cn``, as PyTorch's documentation calls what a recurrence gives."""
_HUGGING_FACE = "past_key_values"
"""What Hugging Face's exporters call the states whose next values are ``present``."""


def paired_states(signature: Signature) -> dict[str, str]:
    """By input the output that is its next value, of those whose names say so: ``h`` and ``h_out``, ``state`` and ``stateN``, ``h0`` and
    ``hn``, ``past.0.key`` and ``present.0.key``. Both have one dtype and sizes that agree, and no other output fits as well.

    None where no input would be left that is no state: ``audio_in`` and ``audio_out`` are not one.
    """
    found: dict[str, str] = {}
    for spec in signature.inputs:
        able = [each.name for each in signature.outputs if _follows(spec.name, each.name) and agree(spec, each)]
        if len(able) == 1:
            found[spec.name] = able[0]
    twice = len(set(found.values())) < len(found)
    return {} if twice or len(found) == len(signature.inputs) else found


def states_of(signature: Signature) -> dict[str, str]:
    """By input the output that is its next value: what is said of the network, else what its names say."""
    return dict(signature.states) or paired_states(signature)


def growing_states(signature: Signature, states: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """By state the axes along which its next value is longer, as an attention's cache is by each token: the file gives both sizes names
    that differ, and no input that is no state has that size.
    """
    known = {size for spec in signature.inputs if spec.name not in states for size in spec.shape}
    before, after = ({spec.name: spec.shape for spec in specs} for specs in (signature.inputs, signature.outputs))

    def longer(name: str, one: Dimension, two: Dimension) -> bool:
        return isinstance(one, str) and one != two and one not in known and not is_invented(one, name)

    pairs = {name: enumerate(zip(before[name], after[output], strict=True)) for name, output in states.items()}
    found = {name: tuple(axis for axis, sizes in own if longer(name, *sizes)) for name, own in pairs.items()}
    return {name: axes for name, axes in found.items() if axes}


def _follows(before: str, after: str) -> bool:
    """Whether two names are one but for words such as ``in`` and ``out``, at least one of them, or are ``past`` and ``present``."""
    first, second = _words(before), _words(after)
    if len(first) == len(second) == 1 and first[0] in _EARLIER and second[0] in _LATER:
        return True
    stem, other = _without(first, _BEFORE), _without(second, _AFTER)
    return stem == other and bool(stem) and (len(stem) < len(first) or len(other) < len(second))


@lru_cache(maxsize=1024)  # Each name of hundreds of caches is compared with each.
def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(_SHORT.sub(r"\1_n", name.replace(_HUGGING_FACE, "past"))))


def _without(words: Sequence[str], marks: frozenset[str]) -> list[str]:
    """The words but for one of the `marks` at either end."""
    if words and words[-1] in marks:
        return list(words[:-1])
    return list(words[1:] if words and words[0] in marks else words)


def agree(spec: TensorSpec, other: TensorSpec) -> bool:
    """Whether an output can be the next value of an input: one dtype, and no two numbers that differ."""
    same: bool = spec.dtype == other.dtype and len(spec.shape) == len(other.shape)
    return same and all(_may_be(one, two) for one, two in zip(spec.shape, other.shape, strict=True))


def _may_be(one: Dimension, two: Dimension) -> bool:
    return isinstance(one, str) or isinstance(two, str) or one == two


def check_states(states: Mapping[str, str], signature: Signature, *, of: str) -> None:
    """Raise `InputError` unless each pair is an input of the network `of` with an output that can be its next value."""
    inputs, outputs = ({spec.name: spec for spec in specs} for specs in (signature.inputs, signature.outputs))
    for before, after in states.items():
        for name, known, kind in ((before, inputs, "input"), (after, outputs, "output")):
            if name not in known:
                raise InputError(f"--state {before}={after}", expected=f"an {kind} of '{of}': {', '.join(known)}", got=f"'{name}'")
        if not agree(inputs[before], outputs[after]):
            raise InputError(f"--state {before}={after}", expected=f"an output like {inputs[before]}", got=str(outputs[after]))
    if len(set(states.values())) < len(states):
        raise InputError("--state", expected="another output for each input", got=", ".join(f"{one}={two}" for one, two in states.items()))
    if states and len(states) == len(inputs):
        raise InputError("--state", expected=f"an input of '{of}' that is no state", got=", ".join(states))
