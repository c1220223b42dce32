"""Layers of a ``.keras`` file, read from its JSON; Keras is not needed."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, Operators


def operators(file: Path) -> Operators:
    """Every layer by its class, those of networks inside it too; none is quantized, the file is a float network."""
    with zipfile.ZipFile(file) as archive:
        if "config.json" not in archive.namelist():
            raise ArtifactError(f"'{file}' holds no Keras network", expected="a file written by model.save")
        config = json.loads(archive.read("config.json"))
    types = Counter(_layers(config))
    return Operators(sum(types.values()), 0, dict(sorted(types.items())))


def _layers(config: Any) -> Iterator[str]:
    inner = config.get("config", {}) if isinstance(config, dict) else {}
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if layers is None:
        yield str(config["class_name"])
        return
    for layer in layers:
        yield from _layers(layer)
