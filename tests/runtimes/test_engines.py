"""Every installed engine against the contract, on each net and each of its formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from tests.runtimes.contract import check_runtime, check_sessions
from toolkit.core import Artifact, Format
from toolkit.runtimes import Runtime, all_runtimes

NETS = ("cnn", "two", "tokens")
"""Of which the first is held to the whole contract, the others to what depends on the network."""
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


@pytest.fixture(scope="module")
def kept_open() -> Iterator[Callable[[Runtime, Artifact], None]]:
    """Keeps a session of an engine in a browser open: it is started once, and not for each session of the contract."""
    with ExitStack() as stack:
        known: set[str] = set()

        def keep(runtime: Runtime, artifact: Artifact) -> None:
            if not runtime.in_process and runtime.name not in known:
                known.add(runtime.name)
                stack.enter_context(runtime.open(artifact))

        yield keep


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("runtime", "format"), CASES)
def test_contract(
    runtime: Runtime,
    format: Format,
    net: str,
    bundles: dict[str, dict[Format, Artifact]],
    references: dict[str, Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]],
    kept_open: Callable[[Runtime, Artifact], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    if not runtime.is_installed():
        repair = runtime.install_command()
        pytest.skip(f"{runtime.name} is {runtime.missing()}" + (f"; run: {repair}" if repair else ""))
    check = check_runtime if net == NETS[0] else check_sessions
    kept_open(runtime, bundles[net][format])
    check(runtime, bundles[net][format], references[net])
    assert capfd.readouterr().err == ""  # An engine's chatter is not the user's.
