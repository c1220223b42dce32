"""Policy and value: which move to make, and how it will end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from toolkit.core import Signature

from ._targets import check_below, check_finite, is_real, is_whole, refused
from .base import Metric, Scorer, Task, mean_of


@dataclass(frozen=True, eq=False)
class Moves:
    """The best move ``[N]`` int64 and the value ``[N]`` float64."""

    move: np.ndarray
    value: np.ndarray


def _move(predicted: Moves, actual: np.ndarray) -> Scorer:
    return mean_of(predicted.move == actual[:, 0])


def _value(predicted: Moves, actual: np.ndarray) -> Scorer:
    return mean_of(np.abs(predicted.value - actual[:, 1]))


class PolicyValue(Task):
    """Scores of moves ``[N, A]`` and a value ``[N]`` or ``[N, 1]``, in any order."""

    name = "policy-value"
    title = "Policy and value"
    targets = "the move and the value of each sample, float[N, 2]"
    agreement = "top-1 agreement of the policy"
    scores = True
    metrics = (
        Metric(name="policy-top1", title="accuracy of the move", score=_move),
        Metric(name="value-mae", title="mean absolute error of the value", score=_value, unit="", higher_is_better=False),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there are a policy and a value, and a move and a value for each sample; without these by the outputs' names."""
        places = _places(signature)
        if places is None:
            return False
        if targets is None:
            return tuple(signature.outputs[place].name for place in places) == ("policy", "value")
        numbers = is_real(targets) or is_whole(targets)
        return numbers and targets.ndim == 2 and targets.shape[1] == 2 and bool((targets[:, 0] % 1 == 0).all())

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        places = _places(signature)
        if places is None:
            got = ", ".join(map(str, signature.outputs))
            raise refused(origin, "are moves and values", expected="two outputs, [N, A] and [N] or [N, 1]", got=got)
        if targets.ndim != 2 or targets.shape[1] != 2 or not (is_real(targets) or is_whole(targets)):
            raise refused(origin, "are no moves and values", targets=targets, expected=self.targets)
        check_finite(targets, origin)
        if (targets[:, 0] % 1 != 0).any():
            wrong = targets[targets[:, 0] % 1 != 0][0, 0]
            raise refused(origin, "have a move that is none", expected="whole numbers in the first column", got=f"{wrong:g}")
        check_below(targets[:, 0].astype(np.int64), origin, classes=signature.outputs[places[0]].shape[1], what="move")

    def predictions(self, outputs: Mapping[str, np.ndarray]) -> Moves:
        """The best move, and the value."""
        first, second = list(outputs.values())
        policy, value = (first, second) if first.ndim == 2 and first.shape[1] > 1 else (second, first)
        return Moves(policy.argmax(axis=1), value.reshape(-1).astype(np.float64))

    def as_targets(self, predictions: Moves) -> np.ndarray:
        """Move and value, ``[N, 2]``."""
        return np.column_stack([predictions.move, predictions.value])

    def judged(self, signature: Signature) -> tuple[str, ...]:
        """All outputs."""
        return tuple(spec.name for spec in signature.outputs)

    def covered(self, signature: Signature, metric: Metric) -> tuple[str, ...]:
        """The policy, or the value: a right move says nothing of how the game ends."""
        places = _places(signature)
        return self.judged(signature) if places is None else (signature.outputs[places[metric.name == "value-mae"]].name,)


def _places(signature: Signature) -> tuple[int, int] | None:
    """Which output is the policy and which the value; None where there is no such pair."""
    if len(signature.outputs) != 2:
        return None
    values = [place for place, spec in enumerate(signature.outputs) if spec.shape[1:] in {(), (1,)}]
    policies = [place for place, spec in enumerate(signature.outputs) if len(spec.shape) == 2 and spec.shape[1] != 1]
    return (policies[0], values[0]) if len(policies) == len(values) == 1 else None
