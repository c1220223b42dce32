"""What targets look like, and how they are refused."""

from __future__ import annotations

import numpy as np

from toolkit.core import DataError, Signature
from toolkit.core.mapped import chunks
from toolkit.core.signature import Dimension
from toolkit.core.signature import fits as fits_shape

IGNORED = -100
"""The target of a token that does not count, as in PyTorch and transformers."""
PADDING = -1
"""What a row of tokens, boxes or candidates is filled up with."""


def described(array: np.ndarray) -> str:
    """Dtype and shape, for messages."""
    return f"{array.dtype}[{', '.join(map(str, array.shape))}]"


def is_whole(array: np.ndarray | None) -> bool:
    """Whether these are integers or booleans by their type."""
    return array is not None and (np.issubdtype(array.dtype, np.integer) or array.dtype == np.bool_)


def is_real(array: np.ndarray | None) -> bool:
    """Whether these are floating-point numbers."""
    return array is not None and np.issubdtype(array.dtype, np.floating)


def is_binary(array: np.ndarray) -> bool:
    """Whether every number is 0 or 1."""
    return (is_whole(array) or is_real(array)) and all(bool(np.isin(part, (0, 1)).all()) for part in chunks(array))


def is_boxes(array: np.ndarray) -> bool:
    """Whether these may be rows of a class and a box, ``[N, M, 5]``."""
    return (is_whole(array) or is_real(array)) and array.ndim == 3 and array.shape[2] == 5 and bool((array[:, :, 0] % 1 == 0).all())


def is_keypoints(array: np.ndarray) -> bool:
    """Whether these may be points with a visibility of 0, 1 or 2, ``[N, K, 3]``."""
    return is_real(array) and array.ndim == 3 and array.shape[2] == 3 and bool(np.isin(array[:, :, 2], (0, 1, 2)).all())


def is_pictures(signature: Signature, array: np.ndarray) -> bool:
    """Whether a network makes pictures of three colours from pictures, and these are some."""
    if len(signature.outputs) != 1 or not any(_has_colours(spec.shape) for spec in signature.inputs):
        return False
    return _has_colours(array.shape) and (is_real(array) or array.dtype == np.uint8) and alike(array, signature)


def _has_colours(shape: tuple[Dimension, ...]) -> bool:
    return len(shape) == 4 and 3 in {shape[1], shape[3]}


def alike(array: np.ndarray, signature: Signature) -> bool:
    """Whether targets have the shape of the first output, but for how many samples there are; ``[N]`` is ``[N, 1]``."""
    want = signature.outputs[0].shape
    return fits_shape(array.shape[1:], want[1:]) or {array.shape[1:], want[1:]} == {(), (1,)}


def refused(origin: str, what: str, *, targets: np.ndarray | None = None, expected: str, got: str = "", hint: str = "") -> DataError:
    """The error for targets of samples from `origin`."""
    return DataError(
        f"targets of '{origin}' {what}", expected=expected, got=got or ("" if targets is None else described(targets)), hint=hint
    )


def check_finite(targets: np.ndarray, origin: str) -> None:
    """Raise `DataError` for NaN or infinity."""
    if is_real(targets) and not all(np.isfinite(part).all() for part in chunks(targets)):
        place = tuple(int(axis) for axis in np.argwhere(~np.isfinite(targets))[0])
        raise refused(origin, "have numbers that are not finite", expected="finite numbers", got=f"{targets[place]} at {list(place)}")


def check_below(targets: np.ndarray, origin: str, *, classes: Dimension, what: str = "class", ignored: int | None = None) -> None:
    """Raise `DataError` for numbers that are below 0 or that the network does not have, but for those that are `ignored`."""
    looked = (part if ignored is None else part[part != ignored] for part in chunks(targets))
    ends = [(part.min(), part.max()) for part in looked if part.size]
    if not ends:
        return
    least, most = min(low for low, _ in ends), max(high for _, high in ends)
    if least < 0 or (isinstance(classes, int) and most >= classes):
        wrong = least if least < 0 else most
        below = f"from 0 on and below {classes}" if isinstance(classes, int) else "from 0 on"
        raise refused(origin, f"have an unknown {what}", expected=f"whole numbers {below}", got=str(wrong))
