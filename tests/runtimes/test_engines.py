"""Every installed engine against the contract, on each net and each of its formats."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest

from tests.runtimes.contract import check_runtime
from toolkit.core import Artifact, Format
from toolkit.runtimes import Runtime, all_runtimes

MARKS = {"torch-compiled": [pytest.mark.slow]}
TENSORFLOW = [pytest.mark.tensorflow]
CASES = [
    pytest.param(
        runtime,
        format,
        id=f"{runtime.name}-{format}",
        marks=TENSORFLOW if runtime.framework == "tensorflow" else MARKS.get(runtime.name, []),
    )
    for runtime in all_runtimes()
    for format in sorted(runtime.formats)
]


@pytest.mark.parametrize("net", ["cnn", "two", "tokens"])
@pytest.mark.parametrize(("runtime", "format"), CASES)
def test_contract(
    runtime: Runtime,
    format: Format,
    net: str,
    bundles: dict[str, dict[Format, Artifact]],
    references: dict[str, Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    if not runtime.is_installed():
        repair = runtime.install_command()
        pytest.skip(f"{runtime.name} is {runtime.missing()}" + (f"; run: {repair}" if repair else ""))
    # A browser stays while one of its pages is open: it is started once, and not for each session of the contract.
    with nullcontext() if runtime.in_process else runtime.open(bundles[net][format]):
        check_runtime(runtime, bundles[net][format], references[net])
    assert capfd.readouterr().err == ""  # An engine's chatter is not the user's.
