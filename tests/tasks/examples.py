"""An example for each task, of as many samples as are asked for; its network is right in most of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.tasks.contract import Example
from toolkit.core import Signature, TensorSpec

COUNT = 12


def signature(**outputs: tuple[str, tuple[int | str, ...]]) -> Signature:
    """One image in, these outputs with dtype and shape without the batch."""
    specs = tuple(TensorSpec(name, dtype, ("batch", *shape)) for name, (dtype, shape) in outputs.items())
    return Signature((TensorSpec("image", "float32", ("batch", 3, 8, 8)),), specs)


def classification(random: np.random.Generator) -> Example:
    labels = random.integers(0, 9, COUNT)
    scores = np.eye(9)[labels] + random.normal(0, 0.5, (COUNT, 9))
    return Example(signature(scores=("float32", (9,))), {"scores": scores.astype(np.float32)}, labels)


def detection(random: np.random.Generator) -> Example:
    """Eight boxes in each image, of which the network finds most."""
    targets = np.zeros((COUNT, 8, 5))
    targets[:, :, 0] = random.integers(-1, 3, (COUNT, 8))
    targets[:, :, 1:3] = 40 * np.arange(8)[None, :, None] + random.uniform(0, 20, (COUNT, 8, 2))
    targets[:, :, 3:] = targets[:, :, 1:3] + random.uniform(10, 20, (COUNT, 8, 2))
    output = np.zeros((COUNT, 4 + 3, 40))
    corners = targets[:, :, 1:] + random.normal(0, 1, (COUNT, 8, 4))
    output[:, :2, :8] = ((corners[:, :, :2] + corners[:, :, 2:]) / 2).transpose(0, 2, 1)
    output[:, 2:4, :8] = (corners[:, :, 2:] - corners[:, :, :2]).transpose(0, 2, 1)
    output[:, 4:, :8] = random.uniform(0.2, 1, (COUNT, 1, 8)) * (np.arange(3)[None, :, None] == targets[:, None, :, 0])
    output[:, :4, 8:] = random.uniform(20, 300, (COUNT, 4, 32))
    output[:, 4:, 8:] = random.uniform(0, 0.5, (COUNT, 3, 32)) ** 3
    return Example(signature(output=("float32", (7, 40))), {"output": output.astype(np.float32)}, targets)


EXAMPLES: dict[str, Callable[[np.random.Generator], Example]] = {
    "classification": classification,
    "detection": detection,
}
