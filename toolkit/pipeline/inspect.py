"""A bare model file described as if it had a manifest."""

from __future__ import annotations

from pathlib import Path

import msgspec

from toolkit.converters.operators import operators_in
from toolkit.core import Format, Manifest, Precision, Signature, run_isolated, sha256_of


def describe_file(file: Path) -> Manifest:
    """What can be read from a model file alone: its signature by its engine, its operators, its hash.

    The precision is int8 when any operator is quantized, else fp32: a file does not say more.
    """
    format = Format.of_file(file)
    signature = msgspec.convert(run_isolated("toolkit.pipeline.sources:signature_task", str(file.resolve())), Signature)
    operators = operators_in(file, format)
    precision = Precision.INT8 if operators.quantized else Precision.FP32
    return Manifest(file.stem, format, precision, signature, {file.name: sha256_of(file)}, edge="", operators=operators)
