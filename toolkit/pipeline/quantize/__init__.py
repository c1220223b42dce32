"""Quantization that holds its accuracy: plain int8 where that is enough, else with the most sensitive layers in float."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.converters.base import Node
from toolkit.converters.cache import copy
from toolkit.core import (
    Artifact,
    ConversionError,
    DataError,
    InconclusiveError,
    Precision,
    Samples,
    ToolkitError,
    Verdict,
    available_threads,
)
from toolkit.core.measurement import Protocol
from toolkit.runtimes.parity import observe

from ..convert import Request, Row, convert, stop_all
from ..data import fair_order
from ..progress import OnEvent
from ..source.plan import SamplePlan
from ..source.samples import Split
from ..verify import Verifier, default_engine
from .cost import Cost, cost_of
from .search import Found, search

__all__ = ["PROTOCOL", "Cost", "Found", "Quantized", "divide", "quantize"]

PROTOCOL = Protocol(rounds=7, min_seconds=0.15)


@dataclass(frozen=True)
class Quantized:
    """What became of one target: the artifact with its evidence, how it was found and what it costs, or the reason why there is none;
    ``inconclusive`` where that is that there were too few samples to choose by; ``samples`` are those.
    """

    target: str
    artifact: Artifact | None = None
    found: Found | None = None
    cost: Cost | None = None
    reason: str = ""
    inconclusive: bool = False
    samples: SamplePlan | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The artifact's; where there is none, undecided for want of samples, else failed."""
        if self.artifact is not None:
            return self.artifact.verdict
        return Verdict.UNDECIDED if self.inconclusive else Verdict.FAILED

    @property
    def passed(self) -> bool:
        """Whether the artifact was made and its parity on the evaluation samples passed."""
        return self.artifact is not None and self.artifact.verdict is Verdict.PASSED


def divide(split: Split, choice: int) -> tuple[Split, Samples]:
    """`choice` of a split's evaluation samples, at most half of them, for choosing layers, and the split with the others, each class in its
    share of both.

    Not of the calibration samples: the network has learned from them, and loses less on what it has learned.
    """
    order = fair_order(len(split.evaluation), split.evaluation.targets)
    count = min(choice, len(order) // 2)
    if count == 0:
        raise DataError("too few samples", expected="at least 2 to evaluate on", got=str(len(order)))
    first, rest = (split.evaluation.rows(np.sort(rows)) for rows in (order[:count], order[count:]))
    return replace(split, evaluation=rest, twin=None), first


def quantize(request: Request, *, choice: Samples, protocol: Protocol = PROTOCOL, on_progress: OnEvent | None = None) -> list[Quantized]:
    """Quantize into int8 in the format of each target of `request`; one that fails does not stop the others.

    The request's calibration samples fix the ranges, `choice` decides which layers stay in float, its evaluation samples only judge the
    result. The float artifacts in between stay in the bundle.

    Raises:
        ToolkitError: the source itself cannot be run.
    """
    report = on_progress or (lambda _target, _text: None)
    floats = tuple(Node(target.format, Precision.FP32) for target in request.targets)
    rows = convert(replace(request, targets=floats), on_progress=report)
    root = Artifact.load(request.out / request.source.name)
    reference = observe(root, default_engine(root), choice)
    with tempfile.TemporaryDirectory(prefix="toolkit-quantize-") as work, ThreadPoolExecutor(available_threads()) as pool:

        def one(row: Row) -> Found:
            if row.artifact is None:
                raise ConversionError(row.reason)
            return search(row.artifact, reference, choice, request=request, work=Path(work) / row.target, report=report)

        steps: list[Future[Found]] = []
        try:
            steps.extend(pool.submit(one, row) for row in rows)
            wait(steps)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all(steps)
            raise
        # One after the other: now times are taken.
        return [
            _finished(step, row, root=root, request=request, protocol=protocol, report=report)
            for step, row in zip(steps, rows, strict=True)
        ]


def _finished(step: Future[Found], row: Row, *, root: Artifact, request: Request, protocol: Protocol, report: OnEvent) -> Quantized:
    target = str(Node(Node.parse(row.target).format, Precision.INT8))
    try:
        found = step.result()
        assert row.artifact is not None
        made = copy(found.chosen.artifact, request.out / target)
        report(target, "verifying")
        made = Verifier(root, request.split.evaluation, request.limits, made=[row.artifact]).verify(made)
        report(target, "measuring")
        cost = cost_of(found, row.artifact, request.split.evaluation, protocol)
    except ToolkitError as error:
        return Quantized(target, reason=str(error), inconclusive=isinstance(error, InconclusiveError))
    return Quantized(target, made, found, cost)
