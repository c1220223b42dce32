"""The search for what to ship: every format, precision, engine and number of threads, and no more work on each than it takes to know."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolkit.converters.cache import copy
from toolkit.core import Artifact, Bundle, ConversionError
from toolkit.core.measurement import Protocol

from ..benchmark import keep_report
from ..convert import Request, convert
from ..progress import OnCount
from ..quantize import divide
from ..source.plan import SamplePlan
from .budget import Budget, Choice
from .search import Search

__all__ = ["PROTOCOL", "Budget", "Choice", "Optimized", "optimize"]

PROTOCOL = Protocol(rounds=5, min_seconds=0.2)


@dataclass(frozen=True)
class Optimized:
    """What to ship and why, in the folder of a bundle of its own; the Pareto front over the budget and the size; why everything else is
    out, by artifact, engine and threads; ``samples`` is what they were judged by.
    """

    shipped: Choice
    reason: str
    folder: Path
    front: tuple[Choice, ...]
    dropped: dict[str, str]
    processes: int
    seconds: float
    samples: SamplePlan | None = None


def optimize(
    request: Request,
    *,
    choice: int,
    budget: Budget = Budget.LATENCY,
    protocol: Protocol = PROTOCOL,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Optimized:
    """Find what is best by `budget` among all that `request` names, in every installed engine that runs it, with one thread and with all.

    Every candidate is made and measured roughly, those of an engine in one process. Then the best is verified, again until one passes,
    and what is far behind it is dropped; what is left is measured for a round in processes of its own, and so on (successive halving,
    Jamieson and Talwalkar 2016). Static int8 that would be best but loses too much is quantized again with layers in float, chosen on
    `choice` of the evaluation samples, and judged by the others. A run that was killed resumes where it stopped.

    Raises:
        ConversionError: nothing could be made, or nothing that was made passed.
    """
    started = time.monotonic()
    fresh, choosing = divide(request.split, choice)
    report: OnCount = on_progress or (lambda _what, _done, _total: None)
    rows = convert(request, verify=False, on_progress=lambda name, what: report(f"{name} {what}", 0, 0))
    made = [row.artifact for row in rows if row.artifact is not None]
    if not made:
        raise ConversionError("nothing could be made", got=rows[0].reason)
    root = Artifact.load(request.out / request.source.name)
    with tempfile.TemporaryDirectory(prefix="toolkit-optimize-") as work:
        search = Search(
            request, root, made, choice=choosing, fresh=fresh.evaluation, budget=budget, protocol=protocol, work=Path(work), report=report
        )
        search.run()
        best, setting, reason = search.best()
        front = search.front()
    folder = request.out.with_name(f"{request.out.name}-shipped")
    copy(Artifact.load(request.out / best.artifact), folder / best.artifact)
    keep_report(Bundle(folder), search.report(setting))
    keep_report(Bundle(request.out), search.report())
    search.forget()
    return Optimized(best, reason, folder, front, search.dropped(), search.processes, time.monotonic() - started)
