"""PyTorch's exported programs: a zip archive with the graph as JSON and its weights. torch is not needed."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from toolkit.core import ArtifactError, Format, Operators

from .base import FileFormat, Start


class Pt2(FileFormat):
    """What ``torch.export.save`` writes."""

    format = Format.PT2
    title = "PyTorch"
    suffixes = (".pt2",)
    default_engine = "torch"
    start = Start(order=1, reference="torch")

    def _check(self, file: Path) -> None:
        from .parts.pt2_archive import check_pt2  # Here: its tables take longer to make than all formats to be found.

        check_pt2(file)

    def _input_names(self, file: Path) -> tuple[str, ...]:
        """Those of the program's tensors that are neither weights nor constants."""
        specs = _program(file)["graph_module"]["signature"]["input_specs"]
        given = [spec["user_input"]["arg"] for spec in specs if "user_input" in spec]
        return tuple(arg["as_tensor"]["name"] for arg in given if "as_tensor" in arg)

    def _operators(self, file: Path) -> Operators:
        """Every call in the exported graph by its operator, such as ``aten.conv2d``; none is quantized, the archive is a float network."""
        targets = [node["target"] for node in _program(file)["graph_module"]["graph"]["nodes"]]
        types = Counter(".".join(target.removeprefix("torch.ops.").split(".")[:2]) for target in targets)
        return Operators(len(targets), 0, dict(sorted(types.items())))


def _program(file: Path) -> Any:
    """The exported program, as JSON."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.partition("/")[2] == "models/model.json"]
        if not names:
            raise ArtifactError(f"'{file}' holds no exported program", expected="a file written by torch.export.save")
        return json.loads(archive.read(names[0]))
