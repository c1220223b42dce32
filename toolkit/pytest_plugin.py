"""A fixture for tests of whoever ships a model: ``toolkit_gate`` compares it with the one before, as the command `toolkit gate` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from toolkit.pipeline.gate import GateReport


@pytest.fixture
def toolkit_gate() -> Callable[..., GateReport]:
    """A function of a new model and its ``baseline``: the test fails where the new one is slower, worse or larger, and is skipped, with the
    reason, where that cannot be told::

        def test_model(toolkit_gate):
            toolkit_gate("artifacts/cnn", baseline="cnn-1.zip", max_slower=5, max_drop=1)

    ``max_slower``, ``max_size`` and ``max_memory`` are percentages, ``max_drop`` is in the metric's unit; the others are those of
    `toolkit.pipeline.gate.gate`. It returns the report.
    """

    def compare(
        new: str | Path,
        baseline: str | Path,
        *,
        max_slower: float = 5.0,
        max_drop: float | None = None,
        max_size: float = 10.0,
        max_memory: float | None = None,
        **options: Any,
    ) -> GateReport:
        from toolkit.core import Verdict
        from toolkit.pipeline.gate import Allowed, gate, markdown
        from toolkit.tasks import Limits

        limits = None if max_drop is None else Limits(max_drop)
        report = gate(new, baseline, allowed=Allowed(max_slower, max_size, max_memory), limits=limits, **options)
        if report.verdict is Verdict.FAILED:
            pytest.fail(markdown(report), pytrace=False)
        if report.verdict is Verdict.UNDECIDED:
            pytest.skip(report.text)
        return report

    return compare
