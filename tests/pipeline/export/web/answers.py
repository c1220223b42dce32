"""A network whose answers are known in Python and in Node."""

from __future__ import annotations

import numpy as np


def hashed(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and values made of the bits of ``planes [B, 17, N, N]``, exact in float32: as hashed.mjs has it."""
    bits, actions = planes.reshape(len(planes), -1).astype(np.uint32), planes.shape[2] * planes.shape[3] + 1
    weights = np.arange(1, bits.shape[1] + 1, dtype=np.uint32) * np.uint32(2654435761)
    keys = (bits * weights).sum(axis=1, dtype=np.uint32) + np.uint32(1)
    spread = keys[:, None] * (2 * np.arange(actions, dtype=np.uint32) + 1)
    return ((spread >> 16) % 1024).astype(np.float32) / 256, ((keys >> 8) % 256).astype(np.float32) / 128 - 1
