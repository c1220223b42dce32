"""Answers of a network that were given before."""

from __future__ import annotations

import numpy as np

from toolkit.core import InputError

from .._compiled import compiled
from .evaluator import Evaluator, ask


class CachedEvaluator:
    """Asks `evaluator` only for what is not among its last answers; equal positions of a batch are asked once.

    The key is a 64-bit hash of exactly what the network sees, history and side to move included, so that transpositions share an
    answer only where the network could not tell them apart. A new position takes the place of the one in its slot.

    Args:
        evaluator: who is asked.
        entries: slots, at least 1; each holds A + 3 numbers.
    """

    def __init__(self, evaluator: Evaluator, entries: int) -> None:
        if entries < 1:
            raise InputError("entries of the cache", expected="at least 1", got=str(entries))
        self._evaluator, self._entries = evaluator, entries
        self._keys = np.zeros(entries, np.uint64)
        self._logits: np.ndarray | None = None
        self._values = np.zeros(entries, np.float32)
        self.hits = self.misses = 0

    def __call__(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `Evaluator`; raises `EngineError` for an answer that is NaN, infinite or of a wrong shape, and keeps none of it."""
        keys = hash_rows(np.ascontiguousarray(planes, np.float32).reshape(len(planes), -1))
        slots = (keys % np.uint64(self._entries)).astype(np.int64)
        known = self._keys[slots] == keys
        if self._logits is not None and known.all():
            self.hits += len(planes)
            return self._logits[slots], self._values[slots]
        _, first, where = np.unique(keys[~known], return_index=True, return_inverse=True)
        new = np.flatnonzero(~known)[first]
        logits, values = ask(self._evaluator, planes[new], None if self._logits is None else self._logits.shape[1])
        self.misses += len(new)
        self.hits += len(planes) - len(new)
        if self._logits is None:
            self._logits = np.zeros((self._entries, logits.shape[1]), np.float32)
        # Before the new answers are stored: they may take the slots of others in this batch.
        all_logits, all_values = self._logits[slots], self._values[slots]
        all_logits[~known], all_values[~known] = logits[where], values[where]
        self._logits[slots[new]], self._values[slots[new]], self._keys[slots[new]] = logits, values, keys[new]
        return all_logits, all_values


def hash_rows(rows: np.ndarray) -> np.ndarray:
    """A hash of each row of bits of ``[n, m]`` float32: ``[n]`` uint64, never 0."""
    words = rows.view(np.uint32)
    out = np.empty(len(words), np.uint64)
    _hash_rows(words, out)
    return out


@compiled
def _hash_rows(words, out):
    # Multiply and shift, with the finalizer of MurmurHash3 (Appleby 2011); four lanes, because one alone waits for its own product.
    prime = np.uint64(0x9E3779B97F4A7C15)
    for i in range(words.shape[0]):
        a, b, c, d = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
        whole = words.shape[1] // 4 * 4
        for j in range(0, whole, 4):
            a = (a ^ np.uint64(words[i, j])) * prime
            b = (b ^ np.uint64(words[i, j + 1])) * prime
            c = (c ^ np.uint64(words[i, j + 2])) * prime
            d = (d ^ np.uint64(words[i, j + 3])) * prime
            a ^= a >> np.uint64(31)
            b ^= b >> np.uint64(31)
            c ^= c >> np.uint64(31)
            d ^= d >> np.uint64(31)
        for j in range(whole, words.shape[1]):
            a = (a ^ np.uint64(words[i, j])) * prime
            a ^= a >> np.uint64(31)
        h = np.uint64(0)
        for lane in (a, b, c, d):
            h = (h ^ lane) * np.uint64(0xFF51AFD7ED558CCD)
            h ^= h >> np.uint64(33)
            h *= np.uint64(0xC4CEB9FE1A85EC53)
            h ^= h >> np.uint64(29)
        out[i] = h if h != 0 else np.uint64(1)
