"""Seeded inputs without any symmetry, so that a swapped axis, a flipped image or a fixed batch cannot hide."""

from __future__ import annotations

import numpy as np

from toolkit.core import Samples, Signature, TensorSpec

BATCH_SIZES = (1, 2, 3, 7, 32)
FREE_SIZE = 32
"""Of a free size that no sample tells: enough for a network that halves its input five times."""


def batch_sizes(signature: Signature) -> tuple[int, ...]:
    """The batch sizes to compare: all of `BATCH_SIZES` where the batch is free, else the one that is fixed."""
    if signature.has_free_batch:
        return BATCH_SIZES
    first = signature.inputs[0].shape
    return (first[0] if first and isinstance(first[0], int) else 1,)


def probe(signature: Signature, *, batch: int, seed: int = 0, samples: Samples | None = None) -> list[np.ndarray]:
    """Random inputs in signature order for one batch size.

    Floats are normal noise plus a ramp that differs along every axis, brought to the mean and spread of `samples` and into their
    range, because a calibrated model promises nothing outside it; integers and flags are rows of the samples, the same ones in each
    input, because they are seldom free of each other (a mask has its zeros behind its ones), else they lie in [0, 2).
    """
    generator = np.random.default_rng([seed, batch])
    rows = generator.integers(0, max(len(samples), 1) if samples is not None else 1, batch)
    return [_fill(spec, generator, rows=rows, samples=samples) for spec in signature.inputs]


def drawn(signature: Signature, *, batch: int, rounds: int = 1, seed: int = 0, samples: Samples | None = None) -> Samples:
    """Probes of `rounds` seeds behind each other as samples, for those who have no data: on them no metric means anything."""
    each = [probe(signature, batch=batch, seed=seed + number, samples=samples) for number in range(rounds)]
    arrays = {spec.name: np.concatenate([arrays[place] for arrays in each]) for place, spec in enumerate(signature.inputs)}
    return Samples(arrays, None, f"random inputs, seed {seed}", drawn=True)


def _fill(spec: TensorSpec, generator: np.random.Generator, *, rows: np.ndarray, samples: Samples | None) -> np.ndarray:
    real = samples.inputs.get(spec.name) if samples is not None and len(samples) else None
    shape = (len(rows), *real.shape[1:]) if real is not None else spec.concrete(len(rows), free=FREE_SIZE)
    dtype = np.dtype(spec.dtype)
    if not np.issubdtype(dtype, np.floating):
        return generator.integers(0, 2, size=shape).astype(dtype) if real is None else np.array(real[rows])
    noise = generator.standard_normal(shape)
    for axis, size in enumerate(shape):
        ramp = np.linspace(-1.0, 1.0, size) if size > 1 else np.zeros(1)
        noise += (axis + 1) / 8 * ramp.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    if samples is not None and real is not None and real.size:
        about = samples.ranges[spec.name]
        noise = np.clip(noise * about.std + about.mean, about.low, about.high)
    return noise.astype(dtype)
