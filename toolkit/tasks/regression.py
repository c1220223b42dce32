"""Regression and forecasting: numbers, each with a true one.

What is judged as one quantity is a column of ``[N, D]``, the last axis of ``[N, H, D]`` (a forecast of D series) and a channel of
``[N, C, H, W]``; R2 and RMSE are means over quantities, as in scikit-learn.
"""

from __future__ import annotations

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts, parts_of

from ._targets import alike, check_finite, is_binary, is_boxes, is_keypoints, is_pictures, is_real, is_whole, refused
from .base import Metric, Scorer, Sums, Task, mean_of, ratio


def _by_quantity(values: np.ndarray) -> np.ndarray:
    """``[N, P, D]`` float64: for each of D quantities, P numbers a sample."""
    array = values.astype(np.float64)
    if array.ndim == 4:
        array = np.moveaxis(array, 1, -1)
    return array.reshape(len(array), -1, array.shape[-1] if array.ndim > 1 else 1)


def _explained(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    """R2 as scikit-learn's: 1 where a constant is met, 0 where it is missed."""
    totals = [(each.sum(axis=(0, 1)), each.shape[0] * each.shape[1]) for each in (_by_quantity(part) for (part,) in parts_of(actual))]
    # Sums of squares about a middle lose no digits.
    middle = sum(total for total, _ in totals) / max(1, sum(count for _, count in totals))
    quantities = len(middle)

    def rows(found: np.ndarray, true: np.ndarray) -> np.ndarray:
        found, true = _by_quantity(found) - middle, _by_quantity(true) - middle
        count = np.full((len(true), 1), true.shape[1])
        return np.concatenate([((found - true) ** 2).sum(axis=1), true.sum(axis=1), (true**2).sum(axis=1), count], axis=1)

    def finish(sums: np.ndarray) -> np.ndarray:
        error, first, second = (sums[:, place * quantities : (place + 1) * quantities] for place in range(3))
        spread = second - ratio(first**2, sums[:, -1:])
        constant = spread <= 1e-12 * second
        share = 1 - ratio(error, np.where(constant, 0, spread))
        each: np.ndarray = np.where(constant, error == 0, share).mean(axis=1)
        return each

    return Sums(by_parts(rows, predicted, actual), finish)


def _absolute(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    def rows(found: np.ndarray, true: np.ndarray) -> np.ndarray:
        error: np.ndarray = np.abs(_by_quantity(found) - _by_quantity(true)).mean(axis=(1, 2))
        return error

    return mean_of(by_parts(rows, predicted, actual))


def _squared(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    error = by_parts(lambda found, true: ((_by_quantity(found) - _by_quantity(true)) ** 2).mean(axis=1), predicted, actual)

    def finish(sums: np.ndarray) -> np.ndarray:
        each: np.ndarray = np.sqrt(ratio(sums[:, :-1], sums[:, -1:])).mean(axis=1)
        return each

    return Sums(np.column_stack([error, np.ones(len(error))]), finish)


class Regression(Task):
    """Numbers of any shape with true ones of the same.

    R2 decides: it is a share, and a reference has exactly 1 by its own answers, of which an error of 0 would leave no percent to lose.
    """

    name = "regression"
    title = "Regression and forecasting"
    targets = "a true number for each of the output's, float of its shape"
    agreement = "R2 against the reference's numbers"
    metrics = (
        Metric(name="r2", title="R2", score=_explained),
        Metric(name="mae", title="mean absolute error", score=_absolute, unit="", higher_is_better=False),
        Metric(name="rmse", title="root mean squared error", score=_squared, unit="", higher_is_better=False),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether there are floating-point numbers of the shape of the only output that cannot be boxes, points, pictures or yes and no."""
        if targets is None or not is_real(targets) or len(signature.outputs) != 1 or not alike(targets, signature):
            return False
        return not (is_binary(targets) or is_boxes(targets) or is_keypoints(targets) or is_pictures(signature, targets))

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        if not (is_real(targets) or is_whole(targets)) or not alike(targets, signature):
            raise refused(origin, "do not match the output", targets=targets, expected=f"numbers as {signature.outputs[0]}")
        check_finite(targets, origin)

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The same."""
        return predictions
