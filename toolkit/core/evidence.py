"""What was verified of an artifact: the values that a manifest keeps as parity evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .formats import Precision
from .statistics import Interval, wilson


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
class TensorError:
    """How far one output is from its reference, over every sample and batch size that was compared.

    ``sqnr_db`` is the signal-to-quantization-noise ratio 10 log10(sum r^2 / sum (r - c)^2) in decibels, None when the
    two are equal; ``cosine`` is the cosine similarity of the flattened outputs; ``top1_agreement`` is the share of samples
    whose largest entry is at the same place, None where the output is no row of class scores; ``rows`` is how many were compared, 0 in
    evidence of earlier versions.
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

    @property
    def agreement(self) -> Interval | None:
        """``top1_agreement`` with its 95 % interval; None where there is none, or nobody counted the rows."""
        if self.top1_agreement is None or not self.rows:
            return None
        return wilson(round(self.top1_agreement * self.rows), self.rows)


@dataclass(frozen=True)
class TaskMetric:
    """The task's own metric of reference and candidate on the same samples.

    ``drop`` is reference minus candidate in percentage points, with its 95 % interval ``[low, high]``, paired where both can lose;
    ``differing`` counts samples whose predicted label is not the reference's.
    """

    name: str
    samples: int
    reference: float
    candidate: float
    drop: float
    drop_low: float
    drop_high: float
    differing: int

    def __str__(self) -> str:
        return f"{self.name} drop {self.drop:+.2f} points [{self.drop_low:+.2f}, {self.drop_high:+.2f}], n={self.samples}"


@dataclass(frozen=True)
class ParityReport:
    """One comparison of a candidate with a reference, as evidence in a manifest.

    ``edge`` names the conversion step under test, such as ``onnx_from_pt2``; ``failed_edge`` the step at which the
    numbers first diverged, empty when none did; ``rule`` is the text of the rule that ``verdict`` follows. The artifacts are
    named by their ``content_sha256``. ``instruction_sets`` are those of the processor that the candidate ran on, by which engines
    choose how they compute; they and the reference's engine are empty in the evidence of earlier versions.
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
