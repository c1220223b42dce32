"""Seeded inputs without any symmetry, so that a swapped axis, a flipped image or a fixed batch cannot hide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.core import NO_AXIS, Samples, Signature, TensorSpec

BATCH_SIZES = (1, 2, 3, 7, 32)
FREE_SIZE = 32
"""Of a free size that no sample tells: enough for a network that halves its input five times."""


def batch_sizes(signature: Signature, samples: Samples | None = None) -> tuple[int, ...]:
    """The batch sizes to compare: all of `BATCH_SIZES` where the batch is free, else the one that is fixed, which is 1 where `samples` show
    that an input has no axis for it.
    """
    if signature.has_free_batch:
        return BATCH_SIZES
    if samples is not None and samples.one_by_one:
        return (1,)
    first = signature.inputs[0].shape
    return (first[0] if first and isinstance(first[0], int) else 1,)


def probe(
    signature: Signature, *, batch: int, seed: int = 0, samples: Samples | None = None, sizes: Mapping[str, int] | None = None
) -> list[np.ndarray]:
    """Random inputs in signature order for one batch size, with `sizes` for symbols in place of those of the samples, or of those that are
    fixed where there are none; what is the same for all samples is so here.

    Floats are normal noise plus a ramp that differs along every axis, brought to the mean and spread of `samples` and into their
    range, because a calibrated model promises nothing outside it; integers and flags are rows of the samples, the same ones in each
    input, because they are seldom free of each other (a mask has its zeros behind its ones), else they lie in [0, 2).
    """
    if samples is None and sizes is None:
        sizes = next(iter(signature.fixes), None)
    generator = np.random.default_rng([seed, batch])
    rows = generator.integers(0, max(len(samples), 1) if samples is not None else 1, batch)
    return [_probe(signature, spec, generator, rows=rows, samples=samples, sizes=sizes or {}) for spec in signature.inputs]


def _probe(
    signature: Signature,
    spec: TensorSpec,
    generator: np.random.Generator,
    *,
    rows: np.ndarray,
    samples: Samples | None,
    sizes: Mapping[str, int],
) -> np.ndarray:
    """What an input takes, its axes in the network's order."""
    known = samples if samples is not None and len(samples) else None
    if known is not None and spec.name in known.constants:
        return known.constants[spec.name]
    real = known.inputs.get(spec.name) if known is not None else None
    if real is None and spec.name in signature.values:
        shape = signature.shape(spec, len(rows), sizes=sizes, free=FREE_SIZE)
        return np.full(shape, signature.values[spec.name], spec.dtype)
    if known is None or real is None:
        return _fill(spec, signature.shape(spec, len(rows), sizes=sizes, free=FREE_SIZE), generator, rows=rows, samples=None)
    axis = known.axes.get(spec.name, 0)
    symbols = [size for place, size in enumerate(spec.shape) if place != axis]
    row = [sizes.get(symbol, size) if isinstance(symbol, str) else size for symbol, size in zip(symbols, real.shape[1:], strict=True)]
    return known.turned(spec.name, _fill(spec, (len(rows), *row), generator, rows=rows, samples=known))


def drawn(
    signature: Signature,
    *,
    batch: int,
    rounds: int = 1,
    seed: int = 0,
    samples: Samples | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Samples:
    """Probes of `rounds` seeds behind each other as samples, for those who have no data: on them no metric means anything. Where the batch
    is fixed each is a call of its own.
    """
    if samples is None and not signature.rows:
        calls = [probe(signature, batch=1, seed=seed + number, sizes=sizes) for number in range(rounds)]
        whole = {spec.name: np.stack([call[place] for call in calls]) for place, spec in enumerate(signature.inputs)}
        return Samples(whole, None, f"random inputs, seed {seed}", drawn=True, axes=dict.fromkeys(whole, NO_AXIS))
    each = [probe(signature, batch=batch, seed=seed + number, samples=samples, sizes=sizes) for number in range(rounds)]
    arrays = {spec.name: [arrays[place] for arrays in each] for place, spec in enumerate(signature.inputs)}
    axes = {spec.name: signature.batch_axis(spec) for spec in signature.inputs}
    alike = {spec.name for spec in signature.inputs if not spec.shape or (signature.rows and axes[spec.name] is None)}
    inputs = {
        name: np.concatenate([np.moveaxis(array, axes[name] or 0, 0) for array in found])
        for name, found in arrays.items()
        if name not in alike
    }
    return Samples(
        inputs,
        None,
        f"random inputs, seed {seed}",
        drawn=True,
        axes={name: axis for name, axis in axes.items() if axis},
        constants={name: found[0] for name, found in arrays.items() if name in alike},
    )


def _fill(
    spec: TensorSpec, shape: tuple[int, ...], generator: np.random.Generator, *, rows: np.ndarray, samples: Samples | None
) -> np.ndarray:
    """Values for an array with rows first."""
    real = samples.inputs.get(spec.name) if samples is not None else None
    dtype = np.dtype(spec.dtype)
    if not np.issubdtype(dtype, np.floating):
        return generator.integers(0, 2, size=shape).astype(dtype) if real is None else _sized(np.array(real[rows]), shape)
    noise = generator.standard_normal(shape)
    for axis, size in enumerate(shape):
        ramp = np.linspace(-1.0, 1.0, size) if size > 1 else np.zeros(1)
        noise += (axis + 1) / 8 * ramp.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    if samples is not None and real is not None and real.size:
        about = samples.ranges[spec.name]
        noise = np.clip(noise * about.std + about.mean, about.low, about.high)
    return noise.astype(dtype)


def _sized(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The array in other sizes: cut, or with its own values again behind the last ones."""
    for axis, size in enumerate(shape):
        if array.shape[axis] != size:
            array = np.take(array, np.arange(size) % array.shape[axis], axis=axis)
    return array
