"""True classes: what targets must be where a network's accuracy is counted by them. Every command and the judge ask here, by way of
`toolkit.tasks.check_targets`.
"""

from __future__ import annotations

import numpy as np

from .errors import DataError
from .samples import Samples
from .signature import Signature

_WITHOUT = "or leave the targets out: outputs are then compared with those of the trained model alone"


def scores_classes(signature: Signature) -> bool:
    """Whether the first output is a row of class scores ``[N, C]``, whose largest entry parity counts."""
    shape = signature.outputs[0].shape if signature.outputs else ()
    return len(shape) == 2 and shape[1] != 1


def class_labels(samples: Samples, classes: int | None) -> np.ndarray | None:
    """The true class of each sample, integers ``[N]`` in [0, `classes`); None for samples without targets.

    Args:
        classes: how many there are; None where only the outputs will tell.

    Raises:
        DataError: targets of another kind, such as one-hot rows, or classes that the network does not have.
    """
    targets = samples.targets
    if targets is None:
        return None
    last = "" if classes is None else f" to {classes - 1}"
    if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer):
        raise DataError(
            f"samples '{samples.origin}' have targets that are no class labels",
            expected=f"a whole number from 0{last} for each sample, such as int64[{len(samples)}]",
            got=f"{targets.dtype}[{','.join(map(str, targets.shape))}]",
            hint=f"{_remedy(targets, classes)}{_WITHOUT}",
        )
    present = np.unique(targets)
    unknown = present[(present < 0) | (present >= classes)] if classes is not None else present[present < 0]
    if len(unknown):
        from_one = present[0] == 1 and present[-1] == classes
        raise DataError(
            f"samples '{samples.origin}' have unknown labels",
            expected=f"0{last}" if last else "numbers from 0 on",
            got=", ".join(map(str, unknown[:5])),
            hint="labels that count from 1: targets - 1" if from_one else "",
        )
    return targets


def _remedy(targets: np.ndarray, classes: int | None) -> str:
    """How labels are made of targets that hold them in another form."""
    if targets.ndim == 2 and targets.shape[1] == classes:
        return "of one-hot rows or probabilities: targets.argmax(axis=1), "
    if targets.ndim == 2 and targets.shape[1] == 1:
        return "of one column: targets[:, 0], as integers, "
    if targets.ndim == 1 and (targets.dtype == bool or (np.issubdtype(targets.dtype, np.floating) and (targets == np.rint(targets)).all())):
        return "of whole numbers: targets.astype('int64'), "
    return ""
