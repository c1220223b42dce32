"""The child's half of the debugger: both engines run here, so that a crash of one ends this process and no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.core import EngineError, Format, Precision, Signature, ToolkitError, first_line
from toolkit.core.decibels import sqnr_db
from toolkit.runtimes.intermediates import Step, Values, open_trace

from .align import Alignment, Pair
from .finding import Divergence, Layer
from .reproduction import write_reproduction
from .rule import error_of, layer_rule


@dataclass(frozen=True)
class Model:
    """One of the two that are compared."""

    file: str
    format: Format
    signature: Signature


@dataclass(frozen=True)
class Task:
    """The request: ``folder`` holds ``inputs.npz``, of which ``batch`` rows are computed at once; ``precision`` is the candidate's."""

    reference: Model
    candidate: Model
    precision: Precision
    batch: int
    folder: str


@dataclass(frozen=True)
class Compared:
    """The answer, in the fields of `Finding`."""

    layers: tuple[Layer, ...]
    divergences: tuple[Divergence, ...]
    unmatched: tuple[str, ...]
    unseen: tuple[str, ...]
    notes: tuple[str, ...]


def debug_task(task: Task) -> Compared:
    """Compare two model files; leaves the reproduction in the folder of the request where a layer diverges."""
    folder, batch = Path(task.folder), task.batch
    with np.load(folder / "inputs.npz", allow_pickle=False) as content:
        arrays = [content[spec.name] for spec in task.reference.signature.inputs]
    rounds = [[array[start : start + batch] for array in arrays] for start in range(0, len(arrays[0]), batch)]
    traces = []
    for model in (task.reference, task.candidate):
        try:
            traces.append(open_trace(Path(model.file), model.format, model.signature, batch=batch))
        except (ToolkitError, OSError, MemoryError):
            raise
        except Exception as error:
            text = first_line(error)
            raise EngineError(f"'{model.file}' cannot be opened: {text}", hint="convert the model again") from error
    alignment = Alignment(traces[0], traces[1], rounds, layer_rule(task.precision))
    values = alignment.align()
    layers, pairs = _layers(alignment, values)
    divergences = [_divergence(alignment, pair, layers, index) for index, pair in enumerate(pairs) if layers[index].diverges]
    notes = []
    if divergences:
        notes = write_reproduction(alignment, pairs[divergences[0].index], folder / "reproduction")
    if alignment.unverified:
        notes.append("no single layer explains the outputs: several diverge, and those after the first are told by their names")
    labels = _labels(alignment.reference.steps)
    found = {pair.reference for pair in alignment.pairs.values()}
    return Compared(
        layers=tuple(layers),
        divergences=tuple(divergences),
        unmatched=tuple(step.name for step in alignment.candidate.steps if step.name not in alignment.pairs),
        unseen=tuple(labels[name] for name in alignment.seen if name not in found),
        notes=tuple(notes),
    )


def _layers(alignment: Alignment, values: Values) -> tuple[list[Layer], list[Pair]]:
    """One row for each tensor of the reference: where several tensors hold its values, the one that diverges, else the first."""
    labels = _labels(alignment.reference.steps)
    kinds = {step.name: step.kind for step in alignment.reference.steps}
    rows: dict[str, tuple[Layer, Pair]] = {}
    for step in alignment.candidate.steps:
        pair = alignment.pairs.get(step.name)
        if pair is None:
            continue
        known = alignment.known[pair.reference]
        own = [pair.layout.to_reference(array) for array in values[step.name]]
        plain = [pair.layout.to_reference(array) for array in alignment.plain[step.name]]
        diverges = not alignment.rule.agrees(known, own)
        row = Layer(
            layer=labels[pair.reference],
            kind=kinds[pair.reference],
            reference=pair.reference,
            candidate=step.name,
            operator=step.kind,
            matched_by="trial" if pair.diverges and pair.by == "values" else pair.by,
            error=error_of(known, plain)[0],
            ratio_db=sqnr_db(known, plain),
            own_error=error_of(known, own)[0],
            own_ratio_db=sqnr_db(known, own),
            diverges=diverges,
        )
        if pair.reference not in rows or (diverges and not rows[pair.reference][0].diverges):
            rows[pair.reference] = row, pair
    order = {step.name: place for place, step in enumerate(alignment.candidate.steps)}
    ordered = sorted(rows.values(), key=lambda row: order[row[1].candidate])
    return [row for row, _ in ordered], [pair for _, pair in ordered]


def _divergence(alignment: Alignment, pair: Pair, layers: Sequence[Layer], index: int) -> Divergence:
    labels = _labels(alignment.reference.steps)
    region = alignment.reference_region(pair.reference)
    own = [step for step in region if step.weights] or [step for step in region if step.name == pair.reference]
    inputs = [alignment.pairs[name] for name in alignment.boundary(pair.candidate) if name in alignment.pairs]
    errors = [
        error_of(alignment.known[each.reference], [each.layout.to_reference(a) for a in alignment.plain[each.candidate]])[0]
        for each in inputs
    ]
    kinds = [step.kind for step in alignment.region(pair.candidate) if _computes(step, alignment)]
    return Divergence(
        index=index,
        layers=tuple(dict.fromkeys(labels[step.name] for step in own)),
        operators=tuple(dict.fromkeys(kinds)) or (layers[index].operator,),
        inputs_error=max(errors, default=0.0),
    )


def _computes(step: Step, alignment: Alignment) -> bool:
    """Whether a step has weights, and not only sizes or paddings as constants."""
    found = (alignment.candidate.weights[name] for name in step.weights)
    return any(array.size > 1 and array.dtype not in {np.dtype("int32"), np.dtype("int64")} for array in found)


def _labels(steps: Sequence[Step]) -> dict[str, str]:
    """What people call each tensor: its module's path, with the operator's name where the module computes several."""
    modules = {step.name: step.module or _module_of(step) for step in steps}
    several = Counter(modules.values())
    return {
        name: module if module and (several[module] == 1 or step.weights) else f"{module}/{name}".lstrip("/")
        for step in steps
        for name, module in ((step.name, modules[step.name]),)
    }


def _module_of(step: Step) -> str:
    """The module whose weights a step reads, where their names are paths."""
    found = [weight.rpartition(".")[0] for weight in step.weights]
    return next((module for module in found if module), "")
