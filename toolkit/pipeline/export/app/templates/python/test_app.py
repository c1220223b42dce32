"""Is the example prepared and answered as where this program was made? python test_app.py"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from app import ABOUT, HERE, Network, read

EXAMPLE = HERE / "example"


def test_the_example_is_prepared_alike() -> None:
    """By at most one grey level, where it is a picture."""
    if ABOUT["example"]:
        (prepared,) = read([str(EXAMPLE / ABOUT["example"])])
        expected = np.load(EXAMPLE / "prepared.npy")
        assert (prepared.dtype, prepared.shape) == (expected.dtype, expected.shape)
        off = np.abs(prepared.astype(np.float64) - expected.astype(np.float64)).max()
        assert off <= ABOUT["limits"]["prepared"], f"the prepared input is off by {off:.3g}, allowed are {ABOUT['limits']['prepared']:.3g}"


def test_the_outputs_are_those_expected() -> None:
    """Within the limits of about.json."""
    found = Network().run([np.load(file) for file in files("inputs")])
    for spec, output, file in zip(ABOUT["outputs"], found, files("outputs"), strict=True):
        expected = np.load(file)
        assert (output.dtype, output.shape) == (expected.dtype, expected.shape), spec["name"]
        problem = difference(output.astype(np.float64), expected.astype(np.float64))
        assert not problem, f"{spec['name']}: {problem}"


def difference(output: np.ndarray, expected: np.ndarray) -> str:
    """What is wrong with an output; empty where it is within the limits."""
    limits = ABOUT["limits"]
    off = np.abs(output - expected)
    if not np.isfinite(off).all():
        return "NaN or infinity"
    if (off <= limits["atol"] + limits["rtol"] * np.abs(expected)).all():
        return ""
    noise, signal = float(np.square(off).sum()), float(np.square(expected).sum())
    ratio = 10 * math.log10(signal / noise) if signal else -math.inf
    return "" if ratio >= limits["sqnr_db"] else f"off by up to {off.max():.3g}, {ratio:.1f} dB, expected {limits['sqnr_db']} dB"


def files(kind: str) -> list[Path]:
    """The arrays of the example, in order."""
    return [EXAMPLE / kind / f"{place}.npy" for place in range(len(ABOUT[kind]))]


if __name__ == "__main__":
    for test in (test_the_example_is_prepared_alike, test_the_outputs_are_those_expected):
        try:
            test()
        except AssertionError as error:
            sys.exit(f"failed: {error}")
    print("passed")
