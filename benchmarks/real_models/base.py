"""What a network of somebody's package is here: its file, real inputs, and what an app decides by its outputs."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
Call = Callable[[Arrays], dict[str, np.ndarray]]
"""One call of an engine: arrays by the inputs' names, with a batch of one, to arrays by the outputs' names."""


def each_row(call: Call, rows: Arrays) -> list[dict[str, np.ndarray]]:
    """The outputs of each sample, one call a sample, in order: what an app does that has no stream."""
    count = len(next(iter(rows.values())))
    return [call({name: array[place : place + 1] for name, array in rows.items()}) for place in range(count)]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A trained network inside a package.

    Args:
        name: a short one, unique here.
        package: what pip installs, with its version.
        file: its place inside the package.
        what: what it does, in a phrase.
        samples: real inputs by the network's names, for a seed and a number of samples; the first axis is the sample.
        metric: a function of one sample's output and its target, by its place ``FILE.py:FUNCTION``: the share of decisions that are alike.
        decide: what an app decides by one sample's outputs: the target, where it is the reference that decides.
        calibrates: samples that the toolkit gets.
        held_out: samples of another seed on which an artifact is checked.
        options: further options of ``toolkit convert``.
        to: the formats asked for.
        integers: whether the file is in integers already, so that there is no float network to make.
        whole: whether all of an output is its only sample's, such as characters by time ``[20, 1, 8210]``.
        run: how a file is called on samples; one call each by default.
        rows: what the toolkit gets as its data, where that is more than the samples: an input that an earlier call gives.
        needs: further packages whose code makes the network.
    """

    name: str
    package: str
    file: str
    what: str
    samples: Callable[[int, int], Arrays]
    metric: Callable[[Any, Any], float]
    decide: Callable[[Arrays], np.ndarray]
    calibrates: int = 240
    held_out: int = 64
    options: tuple[str, ...] = ()
    to: tuple[str, ...] = ("onnx", "tflite", "openvino")
    integers: bool = False
    whole: bool = False
    run: Callable[[Call, Arrays], list[dict[str, np.ndarray]]] = each_row
    rows: Callable[[Call, Arrays], Arrays] = lambda _call, samples: samples

    @property
    def metric_name(self) -> str:
        """``FILE.py:FUNCTION``, as ``--metric`` takes it."""
        function = self.metric
        module = importlib.import_module(function.__module__)
        return f"{Path(str(module.__file__)).resolve()}:{function.__name__}"


def all_networks() -> list[Network]:
    """Every network of every module in `networks`, by name."""
    from . import networks

    found: list[Network] = []
    for module in pkgutil.iter_modules(networks.__path__):
        if not module.name.startswith("_"):
            found += importlib.import_module(f"{networks.__name__}.{module.name}").NETWORKS
    names = [each.name for each in found]
    assert len(set(names)) == len(names), f"two networks share a name: {names}"
    return sorted(found, key=lambda each: each.name)


def find_network(name: str) -> Network:
    """The network of that name; raises `KeyError`."""
    return {each.name: each for each in all_networks()}[name]
