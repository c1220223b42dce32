"""The rules of parity, one for each group of precisions: what a converted network must reach.

This table is the only place that knows a limit: the judge, `toolkit debug`, the text of the evidence and the tables of docs/parity.md
and docs/debugging.md all come from it, or are compared with it by a test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .evidence import TaskMetric, Verdict
from .formats import Precision
from .statistics import Z95, Interval


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Every value within ``atol + rtol |r|`` of the reference's value r."""

    atol: float
    rtol: float

    def __str__(self) -> str:
        return f"{_short(self.atol)} + {_short(self.rtol)}"


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What every output must reach at least.

    Args:
        sqnr_db: its signal-to-quantization-noise ratio in decibels, and that of each of its groups of channels with a range of its own.
        top1: where it is rows of class scores, the share of rows whose largest entry is where the reference has it.
    """

    sqnr_db: float
    top1: float

    def __str__(self) -> str:
        top1 = f"top-1 agreement of class scores at least {100 * self.top1:g} %, its 95 % interval wholly below fails"
        return f"at least {self.sqnr_db:g} dB in every group of channels with a range of its own; {top1}"

    def judge_agreement(self, agreement: Interval) -> Verdict:
        """Passed where the agreement itself reaches the floor, failed where its whole interval is below, else undecided.

        Unlike that of a drop, the interval need not be above the limit to pass: it is the ratio that holds every output to the reference,
        and the 381 rows without a difference which that would take tell little more of a file that keeps it.
        """
        if agreement.value >= self.top1:
            return Verdict.PASSED
        return Verdict.FAILED if agreement.high < self.top1 else Verdict.UNDECIDED


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a candidate of some precisions must reach: a tolerance, or where it has none or misses it a floor; with ``max_drop`` the floor
    is only for networks without a metric.

    Args:
        precisions: those it is for.
        tolerance: of every value of every output.
        floor: of every output.
        max_drop: what the task's metric may lose, in its unit: points of a share.
        layer_db: for `toolkit debug`: the ratio in decibels below which a tensor inside the network diverges; None for the tolerance, in
            units of the tensor's root mean square, because inside a network a tensor has any scale.
    """

    precisions: tuple[Precision, ...]
    tolerance: Tolerance | None = None
    floor: Floor | None = None
    max_drop: float | None = None
    layer_db: float | None = None

    def text(self, metric: TaskMetric | None = None) -> str:
        """The rule in words, as evidence keeps it: for networks with this metric, or for those without."""
        if self.max_drop is not None and metric is not None:
            return f"{metric.name} {metric.change}: 95 % interval up to {metric.amount(self.max_drop)} passes, wholly above fails"
        if self.tolerance is None:
            return str(self.floor)
        return f"every value within {self.tolerance} of the reference's size, or {self.floor}"

    def layer_text(self) -> str:
        """When a tensor inside the network diverges, in words."""
        if self.layer_db is None:
            return f"a value is off by more than {self.tolerance} of its size, in units of the tensor's root mean square"
        return f"the signal-to-quantization-noise ratio is below {self.layer_db:g} dB"

    def judge_drop(self, task: TaskMetric) -> Verdict:
        """Passed where the whole interval of the drop is within the limit, failed where all of it is beyond, else undecided."""
        assert self.max_drop is not None
        if task.drop_high <= self.max_drop:
            return Verdict.PASSED
        return Verdict.FAILED if task.drop_low > self.max_drop else Verdict.UNDECIDED


TOLERANCE = Tolerance(atol=1e-4, rtol=1e-3)
"""Of fp32; evidence says of every precision whether it was kept."""
MAX_DROP = 1.0
"""What integers may cost of the task's metric in percentage points, unless the user says otherwise."""
ADD_SAMPLES = "add samples or raise --max-drop"
RULES = (
    # Networks with long sums round float32 by more than the tolerance: 8.5e-4 at 75 dB. A wrong operator is below 60 dB, often by far.
    Rule(precisions=(Precision.FP32,), tolerance=TOLERANCE, floor=Floor(sqnr_db=60.0, top1=0.99)),
    Rule(precisions=(Precision.FP16,), floor=Floor(sqnr_db=40.0, top1=0.99), layer_db=40.0),
    # Eight bits of mantissa in place of eleven.
    Rule(precisions=(Precision.BF16,), floor=Floor(sqnr_db=20.0, top1=0.99), layer_db=20.0),
    Rule(
        precisions=tuple(precision for precision in Precision if precision.is_quantized),
        max_drop=MAX_DROP,
        floor=Floor(sqnr_db=20.0, top1=0.99),
        layer_db=12.0,
    ),
)


def rule_for(precision: Precision, *, max_drop: float | None = None, named: bool = False) -> Rule:
    """The rule of a precision.

    Args:
        max_drop: in place of its own limit, if it has one; in the metric's unit.
        named: whether the user has named the metric, which then decides wherever there is a floor, of float16 too.
    """
    rule = next(rule for rule in RULES if precision in rule.precisions)
    by_metric = rule.max_drop is not None or (named and rule.tolerance is None)
    return replace(rule, max_drop=max_drop) if max_drop is not None and by_metric else rule


def parse_drop(words: str) -> tuple[float, bool]:
    """``0.5`` and ``1%``: how much may be lost, and whether in percent of the metric's value; raises `ValueError`."""
    amount = float(words.strip().removesuffix("%"))
    if not 0 <= amount < math.inf:
        raise ValueError(words)
    return amount, words.strip().endswith("%")


def needed_samples(max_drop: float) -> int | None:
    """How many samples confirm a drop of at most so many points where no answer differs, by the interval of `shortfall`; None for none.

    With labels that is so where the reference is always right; where it errs more, a bit fewer or more do.
    """
    share = max_drop / 100
    if share <= 0:
        return None
    return math.ceil(Z95**2 * (1 - share) / share)


def confirmable_drop(samples: int) -> float:
    """The smallest drop in points, rounded up to a tenth, that so many samples can confirm where no answer differs."""
    return math.ceil(1000 * Z95**2 / (samples + Z95**2)) / 10


def inconclusive(task: TaskMetric, max_drop: float) -> str:
    """What an interval that holds the limit means; `ADD_SAMPLES` says what to do."""
    return f"inconclusive: {task.samples} samples cannot confirm a {task.change} of at most {task.amount(max_drop)}"


def _short(number: float) -> str:
    """``1e-4``."""
    mantissa, _, exponent = f"{number:e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"
