"""The parts that only a file with a memory plan needs: a largest batch, and threads that are the process's."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runtimes.contract import random_inputs
from tests.runtimes.nets import BATCH_SIGNATURES
from toolkit.core import Artifact, EngineError, Format
from toolkit.runtimes import SessionOptions, find_runtime, open_session

pytest.importorskip("executorch", reason="the extra [executorch] is not installed")

ROOT = Path(__file__).parents[2]
LARGEST = max(BATCH_SIGNATURES)


def test_batches_over_the_largest_are_put_together(bundles: dict[str, dict[Format, Artifact]]) -> None:
    artifact = bundles["two"][Format.EXECUTORCH]
    with open_session(artifact) as session:
        assert f"batch {LARGEST}" in session.actual.detail
        inputs = random_inputs(artifact.manifest.signature, 2 * LARGEST + 5)
        whole = session.run(inputs)
        for start in (0, LARGEST, 2 * LARGEST):
            part = session.run({name: array[start : start + LARGEST] for name, array in inputs.items()})
            for got, want in zip(part, whole, strict=True):
                np.testing.assert_allclose(got, want[start : start + LARGEST], atol=1e-6)


def test_a_manifest_that_is_not_the_files_is_refused(bundles: dict[str, dict[Format, Artifact]]) -> None:
    cnn, two = bundles["cnn"][Format.EXECUTORCH], bundles["two"][Format.EXECUTORCH]
    with pytest.raises(EngineError, match="does not fit its signature"):
        open_session(Artifact(cnn.path, two.manifest))
    (spec,) = cnn.manifest.signature.outputs
    wider = replace(cnn.manifest.signature, outputs=(replace(spec, shape=("batch", 11)),))
    with pytest.raises(EngineError, match="does not fit its signature"):
        open_session(Artifact(cnn.path, replace(cnn.manifest, signature=wider)))


def test_a_broken_file_is_refused_with_the_engines_own_reason(bundles: dict[str, dict[Format, Artifact]], tmp_path: Path) -> None:
    file = tmp_path / "model.pte"
    content = bundles["cnn"][Format.EXECUTORCH].model_file.read_bytes()
    file.write_bytes(content[:-100])
    with pytest.raises(EngineError, match=f"actual file size from data loader is {len(content) - 100}"):
        find_runtime("executorch").open(file)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_session_decides_the_threads_of_the_process(threads: int, bundles: dict[str, dict[Format, Artifact]]) -> None:
    """In a process of its own; a second session must not touch the pool, which ends the process."""
    code = """
import sys
from pathlib import Path
import numpy as np
from toolkit.core import Artifact
from toolkit.runtimes import SessionOptions, open_session
artifact, threads = Artifact.load(Path(sys.argv[1])), int(sys.argv[2])
x = np.zeros((1, 1, 8, 8), np.float32)
with open_session(artifact, options=SessionOptions(threads=threads)) as first:
    one = first.run(x)[0]
    with open_session(artifact, options=SessionOptions(threads=3 - threads)) as second:
        assert np.array_equal(second.run(x)[0], one)
        print(first.actual.threads, second.actual.threads)
"""
    path = bundles["cnn"][Format.EXECUTORCH].path
    result = subprocess.run([sys.executable, "-c", code, str(path), str(threads)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [str(threads)] * 2
    assert result.stderr == ""


def test_the_engine_is_imported_without_its_exporter() -> None:
    code = "import sys; from toolkit.runtimes import find_runtime; find_runtime('executorch').import_engine()\n"
    code += "print('executorch.exir' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("False\n", "")


def test_a_fixed_batch_stays_fixed(tmp_path: Path) -> None:
    program = """
import sys
import torch
from executorch.exir import to_edge_transform_and_lower
net = torch.nn.Linear(3, 2)
lowered = to_edge_transform_and_lower(torch.export.export(net, (torch.zeros(4, 3),)))
open(sys.argv[1], "wb").write(lowered.to_executorch().buffer)
"""
    file = tmp_path / "model.pte"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, file], check=True, capture_output=True)
    with find_runtime("executorch").open(file, SessionOptions(threads=1)) as session:
        assert [spec.shape for spec in (*session.signature.inputs, *session.signature.outputs)] == [(4, 3), (4, 2)]
        assert session.run(np.zeros((4, 3), np.float32))[0].shape == (4, 2)
