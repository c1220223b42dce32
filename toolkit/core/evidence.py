"""What was verified of an artifact: the values that a manifest keeps as parity evidence."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .formats import Precision
from .statistics import Interval, wilson

POINTS = "points"
"""The unit of what a share loses: hundredths of the whole."""


def scale_of(unit: str) -> float:
    """What a metric's value is multiplied by to be in its unit: 100 for points."""
    return 100.0 if unit == POINTS else 1.0


def value_text(number: float, unit: str) -> str:
    """A metric's value with its unit: ``88.75 %``, ``31.2 dB``, ``0.0123``."""
    return f"{100 * number:.2f} %" if unit == POINTS else f"{number:.4g} {unit}".rstrip()


def points(count: float) -> str:
    """``1 point``, ``0.5 points``: of a hundred."""
    return f"{count:g} point{'' if count == 1 else 's'}"


class Verdict(StrEnum):
    """The outcome of a check; ``undecided`` means that the samples were too few to tell: the interval of what was measured holds the limit.

    Evidence of version 0.1.0 says ``failed`` of a drop that was above the limit, also where its interval held it.
    """

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"

    @property
    def severity(self) -> int:
        """0 for passed, more for undecided, most for failed."""
        return (Verdict.PASSED, Verdict.UNDECIDED, Verdict.FAILED).index(self)

    @classmethod
    def worst(cls, verdicts: Iterable[Verdict]) -> Verdict | None:
        """Failed before undecided before passed; None of none."""
        return max(verdicts, key=lambda verdict: verdict.severity, default=None)


@dataclass(frozen=True)
class PartError:
    """How far one group of an output's channels is from its reference, where groups have other ranges.

    Args:
        channels: in words, ``channels 4 to 6 of axis 1``.
        range: the reference's largest absolute value in them.
        max_abs: the largest difference.
        sqnr_db: the ratio of these channels alone, in decibels; None where they are equal.
    """

    channels: str
    range: float
    max_abs: float
    sqnr_db: float | None


@dataclass(frozen=True)
class TensorError:
    """How far one output is from its reference, over every sample and batch size that was compared.

    Args:
        output: its name.
        max_abs: the largest difference.
        max_rel: the largest one relative to the reference's value.
        sqnr_db: the signal-to-quantization-noise ratio 10 log10(sum r^2 / sum (r - c)^2) in decibels; None when the two are equal.
        cosine: the cosine similarity of the flattened outputs.
        top1_agreement: the share of samples whose largest entry is at the same place; None where the output is no row of class scores.
        within_tolerance: whether every value is within fp32's tolerance.
        finite: whether neither has NaN or infinity.
        rows: how many were compared; 0 in evidence of earlier versions.
        parts: groups of channels whose ranges differ, each by itself; none where one range fits all.
    """

    output: str
    max_abs: float
    max_rel: float
    sqnr_db: float | None
    cosine: float
    top1_agreement: float | None
    within_tolerance: bool
    finite: bool = True
    rows: int = 0
    parts: tuple[PartError, ...] = ()

    @property
    def worst_part(self) -> PartError | None:
        """The part of the lowest ratio; None where there are none or all are equal."""
        return min((part for part in self.parts if part.sqnr_db is not None), key=lambda part: part.sqnr_db or 0.0, default=None)

    @property
    def worst_db(self) -> float | None:
        """The lowest ratio of the output and its parts in decibels; None when all are equal."""
        ratios = [self.sqnr_db, *(part.sqnr_db for part in self.parts)]
        return min((ratio for ratio in ratios if ratio is not None), default=None)

    @property
    def agreement(self) -> Interval | None:
        """``top1_agreement`` with its 95 % interval; None where there is none, or nobody counted the rows."""
        if self.top1_agreement is None or not self.rows:
            return None
        return wilson(round(self.top1_agreement * self.rows), self.rows)


@dataclass(frozen=True)
class TaskMetric:
    """The task's own metric of reference and candidate on the same samples.

    Args:
        name: ``accuracy``, or what it is called where the reference's own answers are the targets.
        samples: how many.
        reference: the reference's value, of a share in [0, 1].
        candidate: the candidate's value.
        drop: how much worse the candidate is, in the unit.
        drop_low: the lower end of its 95 % interval, paired where both can lose.
        drop_high: the upper end.
        differing: samples that count otherwise, such as those with another predicted label.
        unit: of the drop: points of a share, else that of the values.
        higher_is_better: the direction.
    """

    name: str
    samples: int
    reference: float
    candidate: float
    drop: float
    drop_low: float
    drop_high: float
    differing: int
    unit: str = POINTS
    higher_is_better: bool = True

    @property
    def change(self) -> str:
        """What being worse is: a drop, or a rise of an error."""
        return "drop" if self.higher_is_better else "rise"

    def amount(self, number: float) -> str:
        """A drop of so much with its unit: ``1 point``, ``0.5 points``, ``0.012 px``."""
        return points(number) if self.unit == POINTS else f"{number:.3g} {self.unit}".rstrip()

    def value(self, number: float) -> str:
        """A value of the metric with its unit: ``88.75 %``, ``31.2 dB``, ``0.0123``."""
        return value_text(number, self.unit)

    @property
    def scale(self) -> float:
        """What a value is multiplied by to be in the unit: 100 for points."""
        return scale_of(self.unit)

    def below(self, drop: float) -> float:
        """The metric in its unit after a drop of so much from the reference's value; a share stays one."""
        found = self.scale * self.reference + (-drop if self.higher_is_better else drop)
        return min(100.0, max(0.0, found)) if self.unit == POINTS else found

    @property
    def interval(self) -> str:
        """The drop with its 95 % interval, without the unit: ``0.10 [-0.15, 0.35]``; a gain is negative."""
        drop, low, high = (self._number(number) for number in (self.drop, self.drop_low, self.drop_high))
        return f"{drop} [{low}, {high}]"

    def _number(self, number: float, sign: str = "") -> str:
        if abs(number) >= sys.float_info.max:
            return "-inf" if number < 0 else "inf"
        return f"{number + 0.0:{sign}.2f}".replace("-0.00", f"{sign}0.00") if self.unit == POINTS else f"{number + 0.0:{sign}.3g}"

    def __str__(self) -> str:
        drop, low, high = (self._number(number, "+") for number in (self.drop, self.drop_low, self.drop_high))
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} {self.change} {drop}{unit} [{low}, {high}], n={self.samples}"


@dataclass(frozen=True)
class ParityReport:
    """One comparison of a candidate with a reference, as evidence in a manifest; also at other ``sizes`` than those of the samples.

    ``edge`` names the conversion step under test, such as ``onnx_from_pt2``; ``failed_edge`` the step at which the
    numbers first diverged, empty when none did; ``rule`` is the text of the rule that ``verdict`` follows. The artifacts are
    named by their ``content_sha256``. ``instruction_sets`` are those of the processor that the candidate ran on, by which engines
    choose how they compute; they and the reference's engine are empty in the evidence of earlier versions. ``twin_rows`` of the samples
    were answered by another file of the same recipe, because they had calibrated this one.
    """

    candidate: str
    reference: str
    edge: str
    engine: str
    engine_version: str
    device: str
    execution_precision: str
    verdict: Verdict
    reason: str
    rule: str
    batch_sizes: tuple[int, ...]
    samples_sha256: str
    outputs: tuple[TensorError, ...]
    task: TaskMetric | None = None
    failed_edge: str = ""
    reference_engine: str = ""
    reference_version: str = ""
    instruction_sets: tuple[str, ...] = ()
    twin_rows: int = 0
    sizes: tuple[str, ...] = ()


# Instruction sets of one group give the same results. Without one of the first, products of int8 are added up in int16, which saturates,
# and without AVX2 by other kernels again; bf16 is computed in float32 where nothing computes in it.
_INTEGERS = (("avx512_vnni", "avx_vnni", "amx_int8"), ("avx2",), ("asimddp", "i8mm"))
_BF16 = (("avx512_bf16", "amx_bf16"), ("bf16",))


def other_processor(reports: Iterable[ParityReport], precision: Precision, here: Collection[str]) -> str:
    """How a processor with the instruction sets `here` differs, in what decides the results of a precision, from the one on which one of
    the `reports` passed, such as ``int8 passed on a processor with avx2, this one has no avx2``.

    Empty where it does not, where either's instruction sets are not known, and for other devices than the CPU.
    """
    groups = _INTEGERS if precision.is_quantized else _BF16 if precision is Precision.BF16 else ()
    for report in reports:
        there = report.instruction_sets
        if report.verdict is not Verdict.PASSED or report.device != "cpu" or not there or not here:
            continue
        for group in groups:
            had, has = [name for name in group if name in there], [name for name in group if name in here]
            if had and not has:
                return f"{precision} passed on a processor with {', '.join(had)}, this one has no {_either(group)}"
            if has and not had:
                return f"{precision} passed on a processor without {_either(group)}, this one has {', '.join(has)}"
    return ""


def _either(names: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
