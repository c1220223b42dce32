"""The test that every engine must pass; third parties call `check_runtime` on their own.

from tests.runtimes.contract import check_runtime
check_runtime(MyRuntime(), artifact, reference)
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import (
    Arrays,
    Artifact,
    ArtifactError,
    DeviceError,
    EngineError,
    InputError,
    Precision,
    Signature,
    SignatureError,
    ToolkitError,
    UnknownNameError,
)
from toolkit.formats import find_format
from toolkit.runtimes import Runtime, Session, SessionOptions

Reference = Callable[[dict[str, np.ndarray]], tuple[np.ndarray, ...]]

BATCHES = (1, 2, 3, 7, 32, 33)
ATOL, RTOL = 1e-4, 1e-3


def random_inputs(signature: Signature, batch: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Seeded inputs that fit a signature: normal floats, integers from 0 to 19."""
    rng = np.random.default_rng([seed, batch])
    arrays = {}
    for spec in signature.inputs:
        shape = spec.concrete(batch)
        floating = np.issubdtype(np.dtype(spec.dtype), np.floating)
        arrays[spec.name] = np.asarray(rng.standard_normal(shape) if floating else rng.integers(0, 20, shape)).astype(spec.dtype)
    return arrays


def check_runtime(runtime: Runtime, artifact: Artifact, reference: Reference) -> None:
    """Hold an engine to the contract of `Runtime` and `Session` on an fp32 artifact; `reference` are the true outputs."""
    check_sessions(runtime, artifact, reference)
    check_description(runtime)
    check_options(runtime, artifact)
    check_broken_files(runtime, artifact)


def check_sessions(runtime: Runtime, artifact: Artifact, reference: Reference) -> None:
    """What depends on the network."""
    with runtime.open(artifact, SessionOptions(threads=1)) as session:
        assert session.signature == artifact.manifest.signature
        check_actual(runtime, session)
        check_values(session, reference)
        check_ways_to_call(session)
        check_wrong_inputs(session)
        check_outputs_are_the_callers(session)
        check_odd_memory(session)
        check_threads(session)
    check_closed(session)
    check_bare_file(runtime, artifact, reference)


def check_description(runtime: Runtime) -> None:
    assert runtime.is_installed()
    assert runtime.version()
    assert runtime.formats
    assert set(runtime.devices()) <= {"cpu", "gpu", "npu"}
    for format in runtime.formats:
        assert Precision.FP32 in runtime.precisions(format)


def check_actual(runtime: Runtime, session: Session) -> None:
    actual = session.actual
    assert (actual.engine, actual.engine_version) == (runtime.name, runtime.version())
    assert (actual.device, actual.float_type) == ("cpu", Precision.FP32)
    assert actual.threads == 1 or not runtime.sets_threads


def check_values(session: Session, reference: Reference) -> None:
    signature = session.signature
    for batch in BATCHES if signature.has_free_batch else (1,):
        inputs = random_inputs(signature, batch)
        for spec, got, want in zip(signature.outputs, session.run(inputs), reference(inputs), strict=True):
            assert got.dtype == np.dtype(spec.dtype)
            assert got.shape == want.shape, (batch, spec)
            np.testing.assert_allclose(got, want, atol=ATOL, rtol=RTOL, err_msg=f"batch {batch}, {spec}")


def check_ways_to_call(session: Session) -> None:
    inputs = random_inputs(session.signature, 1)
    by_name = session.run(dict(reversed(inputs.items())))
    in_order = session.run(list(inputs.values()))
    names = tuple(spec.name for spec in session.signature.outputs)
    assert by_name.names == names
    for index, name in enumerate(names):
        np.testing.assert_array_equal(by_name[name], in_order[index])
    assert list(by_name.as_dict()) == list(names)
    if len(inputs) == 1:
        np.testing.assert_array_equal(session.run(next(iter(inputs.values())))[0], by_name[0])


def check_wrong_inputs(session: Session) -> None:
    inputs = random_inputs(session.signature, 1)
    name, array = next(iter(inputs.items()))
    wrong = [
        {"no_such_input": array},
        inputs | {name: array.astype("float64")},
        inputs | {name: array[..., :0]},
        inputs | {name: array[0]},
        inputs | {name: np.concatenate([array, array], axis=-1)},
        inputs | {name: array.tolist()},
        [*inputs.values(), array],
        [],
    ]
    for value in wrong:
        with pytest.raises(SignatureError):
            session.run(value)  # type: ignore[arg-type]
    session.run(inputs)


def check_outputs_are_the_callers(session: Session) -> None:
    first, second = random_inputs(session.signature, 1, seed=1), random_inputs(session.signature, 1, seed=2)
    given = {name: array.copy() for name, array in first.items()}
    outputs = session.run(first)
    kept = [output.copy() for output in outputs]
    other = session.run(second)
    for _ in range(3):
        session.run(second)
    for output, copy in zip(outputs, kept, strict=True):
        np.testing.assert_array_equal(output, copy)
        assert not any(np.shares_memory(output, array) for array in (*first.values(), *other))
        assert output.flags.writeable
        output[...] = 0  # A caller may write to what is his ...
    for output, copy in zip(session.run(first), kept, strict=True):
        np.testing.assert_array_equal(output, copy)  # ... and changes no later result.
    for name, array in first.items():
        np.testing.assert_array_equal(array, given[name])


def check_odd_memory(session: Session) -> None:
    batch = 3 if session.signature.has_free_batch else 1
    inputs = random_inputs(session.signature, batch)
    want = session.run(inputs)
    strided = {name: np.repeat(array, 2, axis=-1)[..., ::2] for name, array in inputs.items()}
    mirrored = {name: np.ascontiguousarray(array[..., ::-1])[..., ::-1] for name, array in inputs.items()}
    fortran = {name: np.asfortranarray(array) for name, array in inputs.items()}
    frozen = {name: array.copy() for name, array in inputs.items()}
    for array in frozen.values():
        array.flags.writeable = False
    for odd in (strided, mirrored, fortran, frozen):
        for got, expected in zip(session.run(odd), want, strict=True):
            np.testing.assert_array_equal(got, expected)


def check_threads(session: Session, *, threads: int = 8, calls: int = 40) -> None:
    batches = (1, 4, 5) if session.signature.has_free_batch else (1,)
    inputs: list[Arrays] = [random_inputs(session.signature, batch, seed=seed) for seed in range(4) for batch in batches]
    want = [session.run(value) for value in inputs]
    if len(session.signature.inputs) == 1:
        # A bare array of the last shape takes a shorter way than one by name: mixed, so that both meet.
        inputs = [next(iter(value.values())) if index % 2 else value for index, value in enumerate(inputs) if isinstance(value, dict)]

    def work(seed: int) -> None:
        for index in np.random.default_rng(seed).integers(0, len(inputs), calls):
            for got, expected in zip(session.run(inputs[index]), want[index], strict=True):
                np.testing.assert_array_equal(got, expected)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))


def check_closed(session: Session) -> None:
    with pytest.raises(EngineError, match="closed"):
        session.run(random_inputs(session.signature, 1))
    session.close()


def check_bare_file(runtime: Runtime, artifact: Artifact, reference: Reference) -> None:
    """Without a manifest the file tells the signature: the same shapes, a free batch, the file's own names and integer widths. One that
    does not say its inputs is not opened; with its inputs it tells its outputs.
    """
    if find_format(artifact.manifest.format).needs_inputs:
        check_bare_file_without_inputs(runtime, artifact)
        return
    with runtime.open(artifact.model_file, SessionOptions(threads=1)) as session:
        wanted = artifact.manifest.signature
        for specs, promised in ((session.signature.inputs, wanted.inputs), (session.signature.outputs, wanted.outputs)):
            assert [_without_names(spec.shape) for spec in specs] == [_without_names(spec.shape) for spec in promised]
        inputs = random_inputs(wanted, 2)
        given = [array.astype(spec.dtype) for array, spec in zip(inputs.values(), session.signature.inputs, strict=True)]
        for got, want in zip(session.run(given), reference(inputs), strict=True):
            np.testing.assert_allclose(got, want, atol=ATOL, rtol=RTOL)


def _without_names(shape: tuple[int | str, ...]) -> list[int | str]:
    """The shape as far as every file tells it: one whose sizes have no names does not say that the batches of two inputs are one."""
    return [size if isinstance(size, int) else "free" for size in shape]


def check_bare_file_without_inputs(runtime: Runtime, artifact: Artifact) -> None:
    with pytest.raises(ArtifactError, match=r"does not say what its inputs are: .*--input"):
        runtime.open(artifact.model_file)
    wanted = artifact.manifest.signature
    found = runtime.complete(artifact.model_file, Signature(wanted.inputs, ()))
    assert found.inputs == wanted.inputs
    assert [(spec.dtype, spec.shape) for spec in found.outputs] == [(spec.dtype, spec.shape) for spec in wanted.outputs]
    with pytest.raises(InputError):
        runtime.complete(artifact.model_file, Signature((*wanted.inputs, replace(wanted.inputs[0], name="one_more")), ()))


def check_options(runtime: Runtime, artifact: Artifact) -> None:
    with runtime.open(artifact, SessionOptions(threads=2)) as session:
        assert session.actual.threads == 2 or not runtime.sets_threads
    with runtime.open(artifact, SessionOptions(device="auto")) as session:
        assert session.actual.device == runtime.devices()[0]
    with pytest.raises(UnknownNameError, match="gpux"):
        runtime.open(artifact, SessionOptions(device="gpux"))
    for device in {"gpu", "npu"} - set(runtime.devices()):
        with pytest.raises(DeviceError, match=device):
            runtime.open(artifact, SessionOptions(device=device))
    with pytest.raises(InputError, match="threads"):
        runtime.open(artifact, SessionOptions(threads=0))
    with pytest.raises(ToolkitError):
        runtime.open(artifact, SessionOptions(precision=Precision.FP16))


def check_broken_files(runtime: Runtime, artifact: Artifact) -> None:
    with pytest.raises(ArtifactError, match="no model file"):
        runtime.open(artifact.path / f"absent{artifact.model_file.suffix}")
    with pytest.raises(InputError, match="format of"):
        runtime.open(artifact.path / "manifest.json")
    content = artifact.model_file.read_bytes()
    broken = [b"", content[: len(content) // 3], content[: len(content) * 9 // 10], b"garbage " * 100]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(artifact.path, copy)
        file = copy / artifact.model_file.name
        for wrong in broken:
            file.write_bytes(wrong)
            with pytest.raises((ArtifactError, EngineError)) as caught:
                runtime.open(file)
            assert "\n" not in str(caught.value)
            assert file.name in str(caught.value)
