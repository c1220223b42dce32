from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.runtimes.contract import random_inputs
from toolkit.core import Artifact, ArtifactError, EngineError, Format, Samples, ToolkitError
from toolkit.runtimes import find_runtime

pytestmark = pytest.mark.skipif(not find_runtime("ncnn").is_installed(), reason="the extra [ncnn] is not installed")


@pytest.fixture
def copy(bundles: dict[str, dict[Format, Artifact]], tmp_path: Path) -> Path:
    """The CNN's files without their manifest."""
    for name in ("model.param", "model.bin"):
        shutil.copyfile(bundles["cnn"][Format.NCNN].path / name, tmp_path / name)
    return tmp_path / "model.param"


ON_A_GPU = """
import json, sys
from pathlib import Path
import numpy as np
from toolkit.core import Artifact
from toolkit.runtimes import SessionOptions, find_runtime

runtime, folder = find_runtime("ncnn"), Path(sys.argv[2])
with runtime.open(Artifact.load(Path(sys.argv[1])), SessionOptions(device="gpu", threads=1)) as session:
    for batch in (1, 3):
        outputs = session.run(dict(np.load(folder / f"in{batch}.npz")))
        np.savez(folder / f"out{batch}.npz", *outputs)
    print(json.dumps([session.actual.device, session.actual.detail, runtime.devices()]))
"""


@pytest.mark.parametrize("net", ["cnn", "two", "tokens"])
def test_on_a_gpu_it_computes_the_same_and_says_where(
    net: str,
    bundles: dict[str, dict[Format, Artifact]],
    references: dict[str, Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]],
    tmp_path: Path,
) -> None:
    """In a process of its own: beside numba and TensorFlow, Mesa's compiler has crashed this one."""
    if "gpu" not in find_runtime("ncnn").devices():
        pytest.skip("no Vulkan driver; in software: apt-get install mesa-vulkan-drivers libvulkan1")
    artifact = bundles[net][Format.NCNN]
    inputs = {batch: random_inputs(artifact.manifest.signature, batch) for batch in (1, 3)}
    for batch, arrays in inputs.items():
        Samples(arrays).save(tmp_path / f"in{batch}.npz")
    command = [sys.executable, "-c", ON_A_GPU, str(artifact.path), str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    device, detail, devices = json.loads(done.stdout)
    assert device == "gpu"
    software = "llvmpipe" in detail or "SwiftShader" in detail
    assert (", software;" in detail) == software
    assert (devices[0] == "gpu") != software, "auto must not choose a GPU in software"
    for batch, arrays in inputs.items():
        found = np.load(tmp_path / f"out{batch}.npz")
        for name, want in zip(found.files, references[net](arrays), strict=True):
            np.testing.assert_allclose(found[name], want, atol=1e-4, rtol=1e-3)


def test_it_says_that_rows_run_one_by_one(bundles: dict[str, dict[Format, Artifact]]) -> None:
    with find_runtime("ncnn").open(bundles["cnn"][Format.NCNN]) as session:
        assert session.actual.detail == "one row at a time"


def test_weights_that_are_missing_or_cut_short(copy: Path, capfd: pytest.CaptureFixture[str]) -> None:
    weights = copy.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ArtifactError, match=r"does not hold the weights of 'model\.param'"):
        find_runtime("ncnn").open(copy)
    weights.unlink()
    with pytest.raises(ArtifactError, match=r"has no weights: expected 'model\.bin' beside it"):
        find_runtime("ncnn").open(copy)
    assert capfd.readouterr().err == ""


def test_an_operator_that_ncnn_does_not_have(copy: Path) -> None:
    copy.write_text(copy.read_text().replace("Pooling", "torch.unbind"))
    with pytest.raises(EngineError, match=r"ncnn has no operators for '.*model\.param': got torch\.unbind"):
        find_runtime("ncnn").open(copy)


def test_a_file_without_shapes_needs_its_manifest(copy: Path) -> None:
    copy.write_text(copy.read_text().replace(" -23330=4,1,10,1,1", ""))
    with pytest.raises(ArtifactError, match="does not say the shape of 'logits'"):
        find_runtime("ncnn").open(copy)


def test_wrong_numbers_in_a_file_end_another_process_than_this_one(copy: Path) -> None:
    """Of a file without a manifest: seeded damage to its numbers; each is an error of ours or runs."""
    good, random = copy.read_text(), Random(3)
    places = [place for place, char in enumerate(good) if char.isdigit() and place > 20]
    for number in range(12):
        text = [*good]
        for place in random.sample(places, 3):
            text[place] = random.choice("0123456789")
        copy.write_text("".join(text) if number else good.replace("4=1", "3=0 13=0"))
        with contextlib.suppress(ToolkitError):
            find_runtime("ncnn").open(copy).close()
