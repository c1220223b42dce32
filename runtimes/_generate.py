"""Text from a language model: which inputs of a network its tokens are, and which token comes next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.core import Outputs, Signature, SignatureError, TensorSpec

_MASK, _POSITION = re.compile(r"mask", re.IGNORECASE), re.compile(r"(?<![A-Za-z])(cache_)?pos(ition)?s?(?![A-Za-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: divides the scores before their softmax; 0 takes the largest one.
        top_k: only so many of the likeliest can come; 0 for all.
    """

    temperature: float = 0.0
    top_k: int = 0

    def __post_init__(self) -> None:
        if not self.temperature >= 0 or not np.isfinite(self.temperature):
            raise SignatureError("temperature", expected="a number from 0 on", got=str(self.temperature))
        if self.top_k < 0:
            raise SignatureError("top_k", expected="a whole number from 0 on", got=str(self.top_k))

    def choose(self, scores: np.ndarray, random: np.random.Generator) -> int:
        """A token of its `scores` ``[V]``, logits; raises `SignatureError` where they are no numbers."""
        if not np.isfinite(scores).any() or np.isnan(scores).any():
            raise SignatureError("the scores of the next token", expected="numbers", got=str(scores.ravel()[:3]))
        if self.temperature == 0:
            return int(scores.argmax())
        wide = scores.astype(np.float64) / self.temperature
        if self.top_k and self.top_k < len(wide):
            wide[np.argpartition(wide, -self.top_k)[: -self.top_k]] = -np.inf
        likely = np.exp(wide - wide.max())
        return int(random.choice(len(likely), p=likely / likely.sum()))


class Decoder:
    """The inputs and outputs of a language model that takes the tokens after those of the calls before.

    Its tokens are the one integer input that is no state; an input with ``mask`` in its name is 1 for each token so far, and 0 behind them
    where its length is fixed; one called ``position_ids`` or alike is the place of each.

    Args:
        signature: the network's.
        states: by input the output that is its next value.
        growing: by state the axes along which it grows with each token.

    Raises:
        SignatureError: it has no such inputs, or no scores of tokens.
    """

    def __init__(self, signature: Signature, states: Mapping[str, str], growing: Mapping[str, Sequence[int]]) -> None:
        given = [spec for spec in signature.inputs if spec.name not in states and spec.name not in signature.values]
        self._masks = [spec for spec in given if _MASK.search(spec.name)]
        self._positions = [spec for spec in given if spec not in self._masks and _POSITION.search(spec.name)]
        rest = [spec for spec in given if spec not in self._masks and spec not in self._positions]
        tokens = [spec for spec in rest if spec.dtype in {"int32", "int64"} and len(spec.shape) in {1, 2}]
        scores = [spec for spec in signature.outputs if spec.name not in states.values() and spec.dtype.startswith("float")]
        if len(tokens) != 1 or len(rest) != 1 or len(scores) != 1 or len(scores[0].shape) != len(tokens[0].shape) + 1:
            raise SignatureError(
                "this is no language model with a memory",
                expected="tokens[batch] or tokens[batch, time] that give scores of each, beside states, masks and positions",
                got=str(signature),
            )
        self._tokens, self._scores = tokens[0], scores[0]
        self._growing = growing

    def calls(self, tokens: Sequence[int]) -> Iterable[Sequence[int]]:
        """The tokens of each call: all of them in one, or one after the other where the network takes so many; raises `SignatureError`."""
        known = self._scores.shape[-1]
        if isinstance(known, int) and not all(0 <= token < known for token in tokens):
            wrong = next(token for token in tokens if not 0 <= token < known)
            raise SignatureError("prompt", expected=f"tokens from 0 to {known - 1}", got=str(wrong))
        if len(self._tokens.shape) == 2 and isinstance(self._tokens.shape[1], str):
            return [tokens]
        many = self._tokens.shape[1] if len(self._tokens.shape) == 2 else 1
        if many != 1:
            raise SignatureError(f"{self._tokens} takes {many} tokens in each call", expected="one, or any number", got=str(many))
        return [[token] for token in tokens]

    def inputs(self, tokens: Sequence[int], states: Mapping[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
        """What a call takes besides its `states`, after so many `steps`."""
        before = next((states[name].shape[axes[0]] if name in states else 0 for name, axes in self._growing.items()), steps)
        place = np.arange(before, before + len(tokens))
        found = {self._tokens.name: _shaped(np.array(tokens), self._tokens)}
        found |= {spec.name: _shaped(place, spec) for spec in self._positions}
        return found | {spec.name: _shaped(_mask(before + len(tokens), spec), spec) for spec in self._masks}

    def scores(self, outputs: Outputs) -> np.ndarray:
        """Those of the token that comes next, ``[V]``."""
        found: np.ndarray = outputs[self._scores.name][0]
        return found if found.ndim == 1 else found[-1]


def _mask(count: int, spec: TensorSpec) -> np.ndarray:
    """1 for each of the first `count` places of a mask; raises `SignatureError` where it has fewer."""
    size = spec.shape[-1] if spec.shape else 1
    if isinstance(size, int) and count > size:
        raise SignatureError(f"'{spec.name}' has room for {size} tokens", expected="a shorter text", got=f"{count} tokens")
    return np.arange(size if isinstance(size, int) else count) < count


def _shaped(values: np.ndarray, spec: TensorSpec) -> np.ndarray:
    """A row of numbers as an input of one sample."""
    return values.astype(spec.dtype).reshape((1,) * (len(spec.shape) - 1) + (-1,))
