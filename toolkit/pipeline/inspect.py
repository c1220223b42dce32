"""A bare model file described as if it had a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from toolkit.core import Manifest, Precision, memory_limit, run_isolated, sha256_of
from toolkit.formats import find_format, format_of
from toolkit.runtimes import open_session


def describe_file(file: Path) -> Manifest:
    """What can be read from a model file alone: its signature by its engine, its operators, its hash.

    The precision is int8 when any operator is quantized, else fp32: a file does not say more.
    """
    return msgspec.convert(run_isolated(f"{__name__}:describe_task", str(file), memory_bytes=memory_limit()), Manifest)


def describe_task(name: str) -> Any:
    """The child's half of `describe_file`: both the engine and what counts operators may crash on a stranger's file."""
    file = Path(name)
    about = find_format(format_of(file))
    about.check(file)
    with open_session(file) as session:
        signature = session.signature
    operators = about.operators(file)
    precision = Precision.INT8 if operators.quantized else Precision.FP32
    return msgspec.to_builtins(
        Manifest(file.stem, about.format, precision, signature, {file.name: sha256_of(file)}, edge="", operators=operators)
    )
