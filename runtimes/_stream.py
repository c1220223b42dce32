"""Calls with a memory: what a network gives as the next values of its states goes into the call that follows."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from toolkit.core import Arrays, Outputs, Signature, SignatureError
from toolkit.core.states import agree, growing_states, states_of

from ._generate import Decoder, Sampling


class Runs(Protocol):
    """What a stream or a batcher calls: a session."""

    signature: Signature

    def run(self, inputs: Arrays) -> Outputs:
        """The outputs of one call."""


class Stream:
    """One sequence of calls of a session, such as one microphone's; `run` may be called from several threads, each of which is a step.

    Args:
        session: stays open as long as the stream is used; several streams may share one.
        states: by input the output that is its next value; by default those of the model's manifest, else those that the names say.
        start: by state its first value, a number or an array; by default what ``--set`` said, else 0, and empty for one that grows.

    Raises:
        SignatureError: no such input or output, or none is known to be a state.
    """

    def __init__(
        self, session: Runs, states: Mapping[str, str] | None = None, start: Mapping[str, float | np.ndarray] | None = None
    ) -> None:
        signature = session.signature
        self._session = session
        self._states = dict(states) if states is not None else states_of(signature)
        self._check_states()
        self.growing = growing_states(signature, self._states)
        """By state the axes along which it grows with each step, from nothing."""
        self._inputs = [spec for spec in signature.inputs if spec.name not in self._states]
        shown = [spec.name for spec in signature.outputs if spec.name not in self._states.values()]
        self._shown = Outputs.named(shown or [spec.name for spec in signature.outputs])
        self._lock = threading.Lock()
        self._start: dict[str, float | np.ndarray] = dict(signature.values)
        self._begin(start or {})

    def _check_states(self) -> None:
        signature = self._session.signature
        inputs, outputs = ({spec.name: spec for spec in specs} for specs in (signature.inputs, signature.outputs))
        if not self._states:
            raise SignatureError(
                "no state is known by its name",
                expected="an input with the output that is its next value",
                got=str(signature),
                hint="session.stream(states={'h': 'h_out'}), or toolkit convert --state h=h_out",
            )
        for before, after in self._states.items():
            if before not in inputs or after not in outputs or not agree(inputs[before], outputs[after]):
                raise SignatureError(
                    f"no state '{before}' with next value '{after}'", expected="an input and an output alike", got=str(signature)
                )

    def _begin(self, start: Mapping[str, float | np.ndarray]) -> None:
        if unknown := sorted(set(start) - set(self._states)):
            raise SignatureError(f"start of '{unknown[0]}'", expected=f"a state: {', '.join(self._states)}", got=", ".join(unknown))
        self._start |= start
        fixed = {spec: [size for size in spec.shape if isinstance(size, int)] for spec in self._inputs if spec.name in self._start}
        self._known = {
            spec.name: np.full(shape, self._start[spec.name], spec.dtype) for spec, shape in fixed.items() if len(shape) == len(spec.shape)
        }
        self._now: dict[str, np.ndarray] = {}
        self._steps = 0
        self._said: list[int] = []

    @property
    def steps(self) -> int:
        """How many calls there were since the start."""
        return self._steps

    @property
    def states(self) -> dict[str, np.ndarray]:
        """Copies of the states as the next call gets them; empty before the first one, whose inputs say how large they are."""
        with self._lock:
            return {name: array.copy() for name, array in self._now.items()}

    def run(self, inputs: Arrays) -> Outputs:
        """Run the next step.

        Args:
            inputs: those that are no states: one array, arrays in signature order, or arrays by name; what ``--set`` said may be left out.

        Returns:
            The outputs that are no states; all where there are no others.

        Raises:
            SignatureError: a name, dtype or shape does not fit, or another number of samples than in the first step.
            EngineError: the engine failed; the states are as they were.
        """
        with self._lock:
            given = self._named(inputs)
            now = self._now or self._started(given)
            outputs = self._session.run({**given, **now})
            self._now = {before: outputs[after] for before, after in self._states.items()}
            self._steps += 1
        return self._shown(outputs[name] for name in self._shown.names)

    def generate(
        self,
        prompt: Sequence[int] | np.ndarray,
        count: int,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        seed: int = 0,
        stop: Collection[int] = (),
    ) -> Iterator[int]:
        """The tokens that a language model puts behind a prompt, one by one; another prompt goes on behind them.

        Args:
            prompt: token numbers, at least one.
            count: how many tokens come at most.
            temperature: divides the scores; 0 takes the likeliest token, larger ones draw by their softmax.
            top_k: only so many of the likeliest are drawn from; 0 for all.
            seed: the same one draws the same tokens.
            stop: tokens that end it; they are not given.

        Raises:
            SignatureError: the network is no language model with a memory, or an argument does not fit.
            EngineError: the engine failed.
        """
        given, sampling = np.asarray(prompt), Sampling(temperature, top_k)
        if given.ndim != 1 or given.dtype.kind not in "iu" or not given.size:
            raise SignatureError("prompt", expected="a list of token numbers, at least one", got=f"{given.dtype}{list(given.shape)}")
        if count < 1:
            raise SignatureError("count", expected="a whole number from 1 on", got=str(count))
        decoder, random = Decoder(self._session.signature, self._states, self.growing), np.random.default_rng(seed)

        def said() -> Iterator[int]:
            # What was said last has not been read yet: the network reads it before what comes behind it.
            tokens = [*self._said, *given.tolist()]
            for _ in range(count):
                for part in decoder.calls(tokens):
                    outputs = self.run(decoder.inputs(part, self._now, self._steps))
                self._said = tokens = [sampling.choose(decoder.scores(outputs), random)]
                if tokens[0] in stop:
                    return
                yield tokens[0]

        return said()

    def reset(self, start: Mapping[str, float | np.ndarray] | None = None) -> None:
        """Begin anew, with other first values if `start` has some."""
        with self._lock:
            self._begin(start or {})

    def _named(self, inputs: Arrays) -> dict[str, np.ndarray]:
        wanted = [spec.name for spec in self._inputs]
        if isinstance(inputs, Mapping):
            found = {**self._known, **inputs}
            if set(found) != set(wanted):
                raise SignatureError("wrong input names", expected=", ".join(wanted), got=", ".join(map(str, inputs)) or "none")
            return found
        arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
        names = wanted if len(arrays) == len(wanted) else [name for name in wanted if name not in self._known]
        if len(names) != len(arrays):
            raise SignatureError("wrong number of inputs", expected=f"{len(names)}: {', '.join(names)}", got=str(len(arrays)))
        return {**self._known, **dict(zip(names, arrays, strict=True))}

    def _started(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The first states, as large as the inputs of the first step say; those that grow are empty."""
        sizes: dict[str, int] = {}
        for spec in self._inputs:
            spec.check(given[spec.name])
            sizes |= {symbol: size for symbol, size in zip(spec.shape, given[spec.name].shape, strict=True) if isinstance(symbol, str)}
        found = {}
        for spec in self._session.signature.inputs:
            if spec.name not in self._states:
                continue
            value = self._start.get(spec.name, 0)
            if isinstance(value, np.ndarray):
                spec.check(value, may_be_empty=self.growing.get(spec.name, ()))
                found[spec.name] = value
                continue
            known = sizes | {str(spec.shape[axis]): 0 for axis in self.growing.get(spec.name, ())}
            missing = [size for size in spec.shape if isinstance(size, str) and size not in known]
            if missing:
                raise SignatureError(
                    f"state '{spec.name}' has a size that no input says",
                    expected=f"its first value: start={{'{spec.name}': array}}",
                    got=f"{spec} with a free '{missing[0]}'",
                )
            found[spec.name] = np.full([size if isinstance(size, int) else known[size] for size in spec.shape], value, spec.dtype)
        return found
