"""Generation: pictures, or other arrays, that are sampled from noise.

There is no true answer to noise, so that no metric decides: from the same noise a candidate must sample what the reference samples, which
the rules' ratios judge. How far samples are from real ones (the Fréchet distance) is what `toolkit evaluate` adds.
"""

from __future__ import annotations

from toolkit.core import NOISE

from .any_outputs import AnyOutputs


class Generation(AnyOutputs):
    """What is sampled from noise."""

    name = "generation"
    title = "Generation"
    targets = "none: noise has no true answer"
    samples = NOISE
