"""The figures of docs/microcontrollers.md: arenas, and integers that differ from LiteRT's.

python -m benchmarks.microcontrollers artifacts/cnn
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.micro import digits, litert, micro, outputs_of_litert, outputs_of_micro
from toolkit.core import Artifact, Bundle, Format, ToolkitError
from toolkit.runtimes.tflite_micro import MicroModel

COUNT = 1000
RESOLVERS = {"BUILTIN_REF": "reference", "BUILTIN_WITHOUT_DEFAULT_DELEGATES": "optimized", "AUTO": "XNNPACK"}


def main(folder: Path) -> None:
    """Print two tables, a row for each TF Lite artifact of the bundle."""
    artifacts = [each for each in Bundle.load(folder) if each.manifest.format is Format.TFLITE]
    images = digits(COUNT)
    print("| artifact | file | array | arena | arena with every batch's graph |\n| --- | --- | --- | --- | --- |")
    for artifact in artifacts:
        print(f"| {artifact.name} | {' | '.join(sizes(artifact))} |")
    print(f"\n| artifact | {' | '.join(RESOLVERS.values())} |\n| --- |{' --- |' * len(RESOLVERS)}")
    for artifact in artifacts:
        if list(artifact.manifest.signature.inputs[0].shape[1:]) == [1, 8, 8]:
            print(f"| {artifact.name} | {' | '.join(differences(artifact.model_file, images))} |")


def sizes(artifact: Artifact) -> list[str]:
    """In bytes; the reason where it does not run."""
    file = artifact.model_file
    try:
        model = MicroModel.read(file)
        arena = model.arena_bytes
    except ToolkitError as error:
        return [f"{file.stat().st_size:,}", "–", str(error).partition("got ")[2] or str(error), "–"]
    every = replace(model, graph=replace(model.graph, content=file.read_bytes()))
    try:
        whole = f"{every.used_bytes:,}"
    except ToolkitError:
        whole = "–"
    return [f"{file.stat().st_size:,}", f"{len(model.graph.content):,}", f"{arena:,}", whole]


def differences(file: Path, images: np.ndarray) -> list[str]:
    """For each kind of LiteRT's kernels: images with an output that differs, outputs that differ."""
    try:
        ours = outputs_of_micro(micro(MicroModel.read(file).graph.content), images)
    except (ToolkitError, RuntimeError):
        return ["–"] * len(RESOLVERS)
    found = []
    for resolver in RESOLVERS:
        other = outputs_of_litert(litert(file, resolver), images)
        # What is left of a float after the integer that it stands for is less than a thousandth of the smallest step.
        unequal = np.abs(ours.astype(np.float64) - other) > (1e-3 if ours.dtype == np.float32 else 0)
        found.append(f"{unequal.any(1).sum()} images, {unequal.sum()} of {unequal.size}")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
