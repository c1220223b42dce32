"""Reconstruction, image restoration and super-resolution: pictures that should be like others.

The range of the values is that of the targets: 255 where one is above 2, 2 (from -1 to 1) where one is below -0.5, else 1.
"""

from __future__ import annotations

import numpy as np

from toolkit.core import Signature
from toolkit.core.mapped import by_parts, parts_of

from ._targets import alike, check_finite, is_pictures, is_real, refused
from .base import Metric, Scorer, Task, mean_of

WINDOW = 7
"""The side of the squares in which SSIM compares: scikit-image's."""
BEST = 100.0
"""dB that a picture has at most, as one without any error would have infinitely many."""
_COLOURS = (1, 3, 4)


def _similarity(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    """SSIM of Wang and others (2004), mean over colours, as scikit-image's ``structural_similarity``."""
    reach = _range(actual)
    least, most = (0.01 * reach) ** 2, (0.03 * reach) ** 2

    def rows(found: np.ndarray, true: np.ndarray) -> np.ndarray:
        return np.array([_similar(one, two, least, most) for one, two in zip(_planes(found), _planes(true), strict=True)])

    return mean_of(by_parts(rows, predicted, actual))


def _similar(first: np.ndarray, second: np.ndarray, least: float, most: float) -> float:
    """Mean over windows and planes ``[C, H, W]``."""
    mean, other = _means(first), _means(second)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    spread, spread_other = unbiased * (_means(first**2) - mean**2), unbiased * (_means(second**2) - other**2)
    together = unbiased * (_means(first * second) - mean * other)
    like = (2 * mean * other + least) * (2 * together + most)
    return float((like / ((mean**2 + other**2 + least) * (spread + spread_other + most))).mean())


def _means(planes: np.ndarray) -> np.ndarray:
    """The mean in each window, along one axis and then the other."""
    rows = np.lib.stride_tricks.sliding_window_view(planes, WINDOW, axis=1).mean(axis=-1)
    means: np.ndarray = np.lib.stride_tricks.sliding_window_view(rows, WINDOW, axis=2).mean(axis=-1)
    return means


def _noise(predicted: np.ndarray, actual: np.ndarray) -> Scorer:
    error = by_parts(lambda found, true: ((_planes(found) - _planes(true)) ** 2).mean(axis=(1, 2, 3)), predicted, actual)
    most = _range(actual) ** 2
    return mean_of(10 * np.log10(most / np.maximum(error, most * 10 ** (-BEST / 10))))


def _range(actual: np.ndarray) -> float:
    if actual.dtype == np.uint8:
        return 255.0
    ends = [(float(part.min(initial=0)), float(part.max(initial=0))) for (part,) in parts_of(actual)]
    if max(most for _, most in ends) > 2:
        return 255.0
    return 2.0 if min(least for least, _ in ends) < -0.5 else 1.0


def _planes(pictures: np.ndarray) -> np.ndarray:
    """``[N, C, H, W]`` float64 of that, of ``[N, H, W, C]`` or of ``[N, H, W]``."""
    array = pictures.astype(np.float64)
    if array.ndim == 3:
        return array[:, None]
    return np.moveaxis(array, 3, 1) if array.shape[3] in _COLOURS and array.shape[1] not in _COLOURS else array


class Reconstruction(Task):
    """Pictures that should be like others.

    SSIM decides: it is a share, and a reference that has 100 dB by its own answers would leave a candidate few.
    """

    name = "reconstruction"
    title = "Image restoration"
    targets = "the true picture of each sample, uint8 or float of the output's shape"
    agreement = "SSIM with the reference's pictures"
    metrics = (
        Metric(name="ssim", title="structural similarity", score=_similarity),
        Metric(name="psnr", title="peak signal-to-noise ratio", score=_noise, unit="dB"),
    )

    def fits(self, signature: Signature, targets: np.ndarray | None) -> bool:
        """Whether the network makes pictures of three colours from such, and there are some of the output's shape."""
        return targets is not None and is_pictures(signature, targets)

    def check(self, signature: Signature, targets: np.ndarray, origin: str) -> None:
        """As `Task.check`."""
        if targets.ndim not in {3, 4} or not (is_real(targets) or targets.dtype == np.uint8) or not alike(targets, signature):
            raise refused(origin, "are no pictures as the output's", targets=targets, expected=f"uint8 or float as {signature.outputs[0]}")
        sides = _planes(targets[:1]).shape[2:]
        if min(sides) < WINDOW:
            raise refused(origin, "are too small", expected=f"at least {WINDOW} pixels a side", got=f"{sides[0]} x {sides[1]}")
        check_finite(targets, origin)

    def as_targets(self, predictions: np.ndarray) -> np.ndarray:
        """The same."""
        return predictions
