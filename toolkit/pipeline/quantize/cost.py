"""What layers in float cost: size, speed, and what the engine really does in integers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from toolkit.converters.quantizer import Execution
from toolkit.converters.study import REFUSED_DB, Sensitivity, execution_of, layers_of, static_quantizer, why_float
from toolkit.core import Artifact, Samples, available_threads
from toolkit.core.measurement import Comparison, Protocol, Setting, Speed, compare
from toolkit.formats import Layer
from toolkit.runtimes.benchmark import run_benchmark

from ..slower import NO_KNOWN_CAUSE, reasons_of
from ..verify import default_engine
from .search import Found

_FEW = 4


@dataclass(frozen=True)
class Cost:
    """What was chosen against int8 in every layer (``plain``) and against float.

    ``share`` is the part of the multiply-adds that the engine does in integers on this machine; ``in_float`` are the layers with
    multiply-adds that it does not, each with the reason; speed-ups are those of single calls with batch 1; ``slower_because`` says why
    integers are slower than float, where they are.
    """

    share: float
    plain_share: float
    in_float: tuple[tuple[Layer, str], ...]
    size_bytes: int
    plain_size_bytes: int
    float_size_bytes: int
    against_plain: Comparison | None
    against_float: Comparison | None
    slower_because: tuple[str, ...]


def cost_of(found: Found, source: Artifact, samples: Samples, protocol: Protocol) -> Cost:
    """Measure what was found against the float artifact `source` that it was made from; raises `ToolkitError`."""
    chosen, plain = found.chosen.artifact, found.plain.artifact
    format = source.manifest.format
    layers = layers_of(static_quantizer(format), source, samples)
    runs = {artifact.path: execution_of(artifact) for artifact in (chosen, plain)}
    told = {layer.name: _sensitive(each) for each in found.excluded for layer in each.layers}
    in_float = tuple(
        (layer, told.get(layer.name) or why_float(layer, format))
        for layer in layers
        if layer.multiply_adds and layer.name not in runs[chosen.path].integers
    )
    engine = default_engine(chosen)
    settings = [
        Setting(str(each.path.absolute()), each.name, each.manifest.content_sha256, engine, threads=available_threads())
        for each in ((chosen, source) if chosen == plain else (chosen, plain, source))
    ]
    with tempfile.TemporaryDirectory(prefix="toolkit-") as folder:
        samples.rows(slice(max(32, protocol.inputs))).save(inputs := Path(folder) / "inputs.npz")
        measured = dict(zip((s.folder for s in settings), run_benchmark(settings, inputs=inputs, protocol=protocol), strict=True))
    own, whole, exact = (measured[str(each.path.absolute())] for each in (chosen, plain, source))
    against_float = compare(own, exact)
    slow = against_float is not None and against_float.verdict is Speed.SLOWER
    return Cost(
        share=runs[chosen.path].share(layers),
        plain_share=runs[plain.path].share(layers),
        in_float=in_float,
        size_bytes=chosen.size_bytes,
        plain_size_bytes=plain.size_bytes,
        float_size_bytes=source.size_bytes,
        against_plain=compare(own, whole) if chosen != plain else None,
        against_float=against_float,
        slower_because=_reasons(runs[chosen.path], in_float) if slow else (),
    )


def _sensitive(each: Sensitivity) -> str:
    if each.alone_db <= REFUSED_DB:
        return "kept: in integers the engine refuses the file, or its outputs are not finite"
    return f"kept: alone in integers {each.alone_db:.0f} dB"


def _reasons(run: Execution, in_float: tuple[tuple[Layer, str], ...]) -> tuple[str, ...]:
    """What is known to make integers slower than float, of what is true here."""
    reasons = reasons_of(run)
    if in_float:
        kinds = sorted({layer.kind for layer, _ in in_float})
        reasons = (f"{len(in_float)} layers compute in float: {', '.join(kinds[:_FEW])}", *reasons)
    return reasons or (NO_KNOWN_CAUSE,)
