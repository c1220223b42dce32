"""Operators of a torch.export archive, read from its JSON; torch is not needed."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path

from toolkit.core import ArtifactError, Operators


def operators(file: Path) -> Operators:
    """Every call in the exported graph by its operator, such as ``aten.conv2d``; none is quantized, the archive is a float network."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.partition("/")[2] == "models/model.json"]
        if not names:
            raise ArtifactError(f"'{file}' holds no exported program", expected="a file written by torch.export.save")
        program = json.loads(archive.read(names[0]))
    targets = [node["target"] for node in program["graph_module"]["graph"]["nodes"]]
    types = Counter(".".join(target.removeprefix("torch.ops.").split(".")[:2]) for target in targets)
    return Operators(len(targets), 0, dict(sorted(types.items())))
