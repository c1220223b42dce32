"""The compiled engine: what it keeps, what it needs, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.core import Artifact, EngineError, Format, MissingDependencyError, Precision, cache_home
from toolkit.runtimes import OpenRequest, SessionOptions, find_runtime, torch_compiled

pytest.importorskip("torch", reason="the extra [train] is not installed")


def _kept() -> dict[Path, int]:
    return {path: path.stat().st_ino for path in (cache_home() / "compiled").glob("*/model.pt2")}


@pytest.fixture(autouse=True)
def _needs_a_compiler() -> None:
    if missing := find_runtime("torch-compiled").missing():
        pytest.skip(f"torch-compiled is {missing}; run: {find_runtime('torch-compiled').install_command()}")


@pytest.mark.slow
def test_what_was_compiled_is_kept_for_its_number_of_threads(
    bundles: dict[str, dict[Format, Artifact]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    runtime, artifact = find_runtime("torch-compiled"), bundles["two"][Format.PT2]
    inputs = [np.ones((3, 3), "float32"), np.ones((3, 5), "float32")]
    with runtime.open(artifact, SessionOptions(threads=1)) as session:
        first = session.run(inputs)
    kept = _kept()
    assert len(kept) == 1
    with runtime.open(artifact, SessionOptions(threads=1)) as session:
        for one, other in zip(first, session.run(inputs), strict=True):
            np.testing.assert_array_equal(one, other)
    assert _kept() == kept
    with runtime.open(artifact, SessionOptions(threads=2)):
        assert len(_kept()) == 2


def test_each_part_of_the_key_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, other = tmp_path / "one.pt2", tmp_path / "other.pt2"
    file.write_bytes(b"a")
    other.write_bytes(b"b")
    request = OpenRequest(file, Format.PT2, None, "cpu", 1, Precision.FP32)
    keys = [torch_compiled._key(each) for each in (request, replace(request, file=other), replace(request, threads=2))]
    for name, value in (("sources_sha256", lambda *_: "other"), ("_compiler", lambda: str(file))):
        with monkeypatch.context() as patch:
            patch.setattr(torch_compiled, name, value)
            keys.append(torch_compiled._key(request))
    linked = tmp_path / "g++"
    for version in ("g++-12", "g++-13"):
        (tmp_path / version).write_text("")
        (tmp_path / version).chmod(0o755)
        linked.unlink(missing_ok=True)
        linked.symlink_to(tmp_path / version)
        with monkeypatch.context() as patch:
            patch.setenv("CXX", str(linked))
            keys.append(torch_compiled._key(request))
    assert len(set(keys)) == len(keys)
    assert torch_compiled._key(replace(request, file=file)) == keys[0]


@pytest.mark.slow
def test_a_compiler_that_fails_is_one_line_and_leaves_nothing(
    bundles: dict[str, dict[Format, Artifact]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "g++"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(EngineError, match=r"torch's compiler cannot compile .*; choose the engine torch"):
        find_runtime("torch-compiled").open(bundles["two"][Format.PT2])
    assert not _kept()


@pytest.mark.slow
def test_a_library_that_crashes_ends_no_process_but_its_own(
    bundles: dict[str, dict[Format, Artifact]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a compiler whose C++ library does not fit torch's: every program that it makes ends the process that loads it."""
    (tmp_path / "crash.cpp").write_text("#include <csignal>\n__attribute__((constructor)) void crash() { std::raise(SIGSEGV); }\n")
    crashing = tmp_path / "crashing"
    crashing.write_text(f'#!/bin/sh\ncase " $* " in *" -shared "*) exec g++ "$@" {tmp_path}/crash.cpp;; *) exec g++ "$@";; esac\n')
    crashing.chmod(0o755)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(crashing))
    with pytest.raises(EngineError, match=r"torch's compiler cannot compile .*SIGSEGV.*; choose the engine torch"):
        find_runtime("torch-compiled").open(bundles["two"][Format.PT2])
    assert not _kept()


def test_without_a_compiler_it_says_what_to_install(bundles: dict[str, dict[Format, Artifact]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    runtime = find_runtime("torch-compiled")
    assert runtime.missing() == "without a C++ compiler, 'no-such-compiler'"
    with pytest.raises(MissingDependencyError, match=r"is without a C\+\+ compiler, 'no-such-compiler'; run: (apt-get|xcode-select)"):
        runtime.open(bundles["cnn"][Format.PT2])


def test_an_app_gets_it_only_by_its_name(bundles: dict[str, dict[Format, Artifact]]) -> None:
    import toolkit

    with toolkit.load(bundles["cnn"][Format.PT2].path) as session:
        assert session.actual.engine == "torch"
