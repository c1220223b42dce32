"""The gate on real engines: equal files pass, slower, worse, larger and missing ones do not, and nothing is told that was not measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.commands import PATH
from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import MANIFEST, Bundle, InputError, Interval, Samples, StorageError, UnknownNameError, Verdict, sha256_of
from toolkit.core.sequential import SignTest
from toolkit.pipeline.bundle import pack
from toolkit.pipeline.gate import Allowed, Change, GateInterrupted, GateReport, append, gate, junit, markdown, read_history
from toolkit.pipeline.gate.changes import Turn, latency
from toolkit.tasks import Limits

ROOT = Path(__file__).parents[3]
NAMES = ("onnx-fp16", "onnx-int8")


def a_bundle(folder: Path, edit: Callable[[Any], None] = lambda _graph: None) -> Bundle:
    """A trained model, and two files that were made from it: ``edit`` changes their graphs. They are fp32, whatever their names say."""
    import onnx

    from toolkit.core import Precision

    root = tiny_artifact(folder)
    (root.path / MANIFEST).write_bytes(replace(root.manifest, root="").to_json())
    for precision in (Precision.FP16, Precision.INT8):
        made = tiny_artifact(folder, precision)
        model = onnx.load(made.model_file)
        edit(model.graph)
        onnx.save(model, made.model_file)
        manifest = replace(made.manifest, root=root.manifest.content_sha256, files={made.model_file.name: sha256_of(made.model_file)})
        (made.path / MANIFEST).write_bytes(manifest.to_json())
    return Bundle.load(folder)


def slower(graph: Any) -> None:
    """A hundred products of matrices that change nothing."""
    from onnx import helper, numpy_helper

    graph.initializer.append(numpy_helper.from_array(np.eye(64, dtype=np.float32), "unit"))
    for number in range(100):
        graph.node.insert(number, helper.make_node("MatMul", [f"x{number}" if number else "x", "unit"], [f"x{number + 1}"]))
    graph.node[100].input[0] = "x100"


def other(graph: Any) -> None:
    """The same numbers, said otherwise."""
    graph.doc_string = "again"


def worse(graph: Any) -> None:
    """Half of the classes are never chosen."""
    from onnx import numpy_helper

    bias = next(each for each in graph.initializer if each.name == "b")
    values = numpy_helper.to_array(bias).copy()
    values[::2] = -1e6
    bias.CopyFrom(numpy_helper.from_array(values, "b"))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model before, with what it answers itself as the targets."""
    folder = tmp_path_factory.mktemp("before")
    bundle = a_bundle(folder / "tiny")
    pack(bundle, with_targets(bundle), folder / "tiny.zip", limits=Limits(1.0))
    return folder / "tiny.zip"


def with_targets(bundle: Bundle) -> Samples:
    import onnxruntime

    samples = tiny_samples(600)
    session = onnxruntime.InferenceSession(str(bundle.artifact("onnx-fp32").model_file), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, dict(samples.batch(np.arange(len(samples)))))
    return replace(samples, targets=logits.argmax(-1))


def changes_of(report: GateReport, artifact: str) -> dict[str, Change]:
    return {change.what: change for row in report.rows if row.artifact == artifact for change in row.changes}


def test_the_same_files_need_no_measuring(packed: Path) -> None:
    report = gate(packed, packed)
    assert (report.verdict, report.pairs) == (Verdict.PASSED, 0)
    assert [(row.artifact, row.changes[0].reason) for row in report.rows] == [(name, "the same files as in the baseline") for name in NAMES]


def test_equal_files_pass_and_slower_ones_fail(packed: Path, tmp_path: Path) -> None:
    """Of a hundred layers more nobody needs three minutes to see that they cost something."""
    told: list[str] = []
    again = a_bundle(tmp_path / "again", other)
    report = gate(
        again.path, packed, allowed=Allowed(100.0), names=["onnx-fp16"], threads=1, on_progress=lambda what, _d, _t: told.append(what)
    )
    found = changes_of(report, "onnx-fp16")
    assert (report.verdict, found["latency"].verdict, found["accuracy"].verdict) == (Verdict.PASSED,) * 3
    assert found["accuracy"].reason == "n=600, 0 differ"
    assert report.count == 600
    assert any("pairs" in what for what in told)
    slow = gate(a_bundle(tmp_path / "slow", slower).path, packed, names=["onnx-fp16"], threads=1)
    found = changes_of(slow, "onnx-fp16")
    assert (slow.verdict, found["latency"].verdict, found["accuracy"].verdict) == (Verdict.FAILED, Verdict.FAILED, Verdict.PASSED)
    assert found["latency"].worse is not None
    assert found["latency"].worse.low > 5
    assert found["size"].verdict is Verdict.FAILED
    assert "slower" in slow.text or "latency" in slow.text


def test_worse_answers_fail_by_the_metric(packed: Path, tmp_path: Path) -> None:
    report = gate(a_bundle(tmp_path / "worse", worse).path, packed, names=["onnx-int8"], threads=1, minutes=0.05)
    found = changes_of(report, "onnx-int8")["accuracy"]
    assert (report.verdict, found.verdict, found.unit) == (Verdict.FAILED, Verdict.FAILED, "points")
    assert found.worse is not None
    assert found.worse.low > 1
    assert found.limit == 1.0
    loose = gate(a_bundle(tmp_path / "again", worse).path, packed, names=["onnx-int8"], limits=Limits(80.0), threads=1, minutes=0.05)
    assert changes_of(loose, "onnx-int8")["accuracy"].verdict is Verdict.PASSED


def test_what_is_missing_or_fits_no_more_fails(packed: Path, tmp_path: Path) -> None:
    import shutil

    import onnx

    bundle = a_bundle(tmp_path / "less")
    shutil.rmtree(bundle.path / "onnx-int8")
    report = gate(bundle.path, packed)
    assert report.verdict is Verdict.FAILED
    assert changes_of(report, "onnx-int8")["files"].reason.startswith("in the baseline and not in the new model")
    for words in ({"names": ["onnx-fp16"]}, {"new": bundle.path / "onnx-fp16"}):
        found = gate(**{"new": bundle.path, "baseline": packed} | words)
        assert ([row.artifact for row in found.rows], found.verdict) == (["onnx-fp16"], Verdict.PASSED)
    made = bundle.artifact("onnx-fp16")
    signature = replace(made.manifest.signature, outputs=(replace(made.manifest.signature.outputs[0], name="scores"),))
    onnx.save(replace_output(onnx.load(made.model_file)), made.model_file)
    manifest = replace(made.manifest, signature=signature, files={made.model_file.name: sha256_of(made.model_file)})
    (made.path / MANIFEST).write_bytes(manifest.to_json())
    renamed = gate(bundle.path, packed, names=["onnx-fp16"])
    assert "other outputs than the baseline's: expected logits, got scores" in changes_of(renamed, "onnx-fp16")["files"].reason


def replace_output(model: Any) -> Any:
    for node in model.graph.node:
        node.output[:] = ["scores" if name == "logits" else name for name in node.output]
    model.graph.output[0].name = "scores"
    return model


def test_a_file_that_does_not_run_fails_and_says_so(packed: Path, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "nan", lambda graph: graph.initializer[2].CopyFrom(nan_bias()))
    report = gate(bundle.path, packed, names=["onnx-fp16"], threads=1)
    found = changes_of(report, "onnx-fp16")
    assert report.verdict is Verdict.FAILED
    assert "NaN" in found["latency"].reason
    assert "NaN" in found["answers"].reason


def nan_bias() -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(np.full(10, np.nan, np.float32), "b")


def test_too_little_time_is_undecided(packed: Path, tmp_path: Path) -> None:
    report = gate(a_bundle(tmp_path / "again", other).path, packed, names=["onnx-fp16"], threads=1, minutes=0.0)
    assert report.verdict is Verdict.UNDECIDED
    assert changes_of(report, "onnx-fp16")["latency"].reason == "not measured in the time that was given"
    few = latency(Turn(SignTest(0.05, 2, 1), [1.0] * 3, [1.0] * 3, [0.1, 0.2, 0.0]), 5.0)
    assert (few.verdict, few.reason) == (
        Verdict.UNDECIDED,
        "2 of 3 pairs were slower by more than 5 %, which does not tell; give it more --minutes",
    )


def test_memory_is_measured_where_it_is_asked_for(packed: Path, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "again", other)
    report = gate(bundle.path, packed, allowed=Allowed(memory=500.0), names=["onnx-fp16"], threads=1, minutes=0.0)
    found = changes_of(report, "onnx-fp16")["memory"]
    assert (found.verdict, found.reason, found.unit) == (Verdict.PASSED, "the peak of 5 processes each", "B")


def test_ctrl_c_tells_what_was_known(packed: Path, tmp_path: Path) -> None:
    def stop(what: str, _done: int, _total: int) -> None:
        if what.startswith("1 pairs"):
            raise KeyboardInterrupt

    with pytest.raises(GateInterrupted) as caught:
        gate(a_bundle(tmp_path / "again", other).path, packed, names=["onnx-fp16"], threads=1, on_progress=stop)
    found = changes_of(caught.value.report, "onnx-fp16")
    assert (found["latency"].verdict, found["accuracy"].verdict) == (Verdict.UNDECIDED, Verdict.PASSED)


def test_wrong_words(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown artifact 'onnx-int9': .*; did you mean 'onnx-int8'\? it must be in the new model"):
        gate(packed, packed, names=["onnx-int9"])
    with pytest.raises(InputError, match=r"what may be lost of slower: expected a percentage of 0 or more, got '?-1"):
        Allowed(-1)
    (tmp_path / "h.jsonl").write_text('{"model": 3}\n')
    with pytest.raises(InputError, match=r"line 1 of '.*h\.jsonl' is no run of a gate: .*; name another file with --history"):
        read_history(tmp_path / "h.jsonl")
    with pytest.raises((InputError, StorageError)):
        append(tmp_path, gate(packed, packed))


@pytest.fixture(scope="module")
def report(packed: Path) -> GateReport:
    """With a verdict of each kind."""
    found = gate(packed, packed)
    changes = (
        Change("latency", Verdict.FAILED, "9 of 9 pairs", 1000.0, 1100.0, Interval(10.0, 8.0, 12.0), 5.0, "ns"),
        Change("accuracy", Verdict.UNDECIDED, "n=40 | few", 0.9, 0.89, Interval(1.0, -1.0, 3.0), 1.0, "points"),
        Change("size", Verdict.PASSED, "", 2048, 2048, Interval(0.0, 0.0, 0.0), 10.0, "B"),
    )
    return replace(found, rows=(replace(found.rows[0], engine="onnxruntime", changes=changes), found.rows[1]), commit="abcdef0123456789")


def test_tables_and_test_lists(report: GateReport) -> None:
    told = markdown(report)
    assert "### tiny at abcdef012345 beside" in told
    assert "| onnx-fp16 | onnxruntime | latency | 1.00 µs | 1.10 µs | +10 [+8, +12] % | 5 % | **failed** |" in told
    assert "| onnx-fp16 | onnxruntime | accuracy | 90.00 % | 89.00 % | +1 [-1, +3] points | 1 point | **undecided** |" in told
    assert "- onnx-fp16 accuracy: n=40 \\| few" in told
    suite = ET.fromstring(junit(report)).find("testsuite")
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {"tests": "4", "failures": "1", "skipped": "1"}
    assert [case[0].tag for case in suite] == ["failure", "skipped", "system-out", "system-out"]


def test_a_history_grows_and_becomes_a_picture(report: GateReport, tmp_path: Path) -> None:
    from toolkit.pipeline.report.gate import write_gate

    file = tmp_path / "h.jsonl"
    assert read_history(file) == ()
    for number in range(3):
        append(file, replace(report, commit=f"{number}" * 40))
    assert [each.commit[0] for each in read_history(file)] == ["0", "1", "2"]
    write_gate(report, tmp_path / "g.html", history=read_history(file))
    page = (tmp_path / "g.html").read_text()
    assert "The last 4 runs" in page
    assert page.count("<svg") == 2
    assert "abcdef0" in page
    write_gate(report, tmp_path / "one.html")
    assert "<svg" not in (tmp_path / "one.html").read_text()


def test_the_command_has_an_exit_code_for_each_verdict(packed: Path, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "toolkit", "gate", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": PATH})

    good = run(str(packed), "--baseline", str(packed), "--json", "--commit", "c1", "--history", "h.jsonl")
    assert (good.returncode, json.loads(good.stdout)["verdict"]) == (0, "passed")
    assert json.loads((tmp_path / "h.jsonl").read_text())["commit"] == "c1"
    a_bundle(tmp_path / "worse", worse)
    words = ("--baseline", str(packed), "--artifact", "onnx-int8", "--minutes", "0.05", "--threads", "1")
    bad = run("worse", *words, "--markdown", "g.md", "--junit", "g.xml", "--html", "g.html")
    assert (bad.returncode, bad.stdout.split()[-1]) == (1, "failed")
    assert all((tmp_path / name).is_file() for name in ("g.md", "g.xml", "g.html"))
    a_bundle(tmp_path / "again", other)
    open_ = run("again", *words, "--max-slower", "0.0001%")
    assert open_.returncode in {1, 3}, open_.stdout
    lost = run(str(packed), "--baseline", str(packed), "--junit", "g.md/g.xml")
    assert (lost.returncode, "passed" in lost.stdout, lost.stderr.count("\n")) == (2, True, 1), "what was measured is shown"
    wrong = run("nowhere", "--baseline", str(packed))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "error: 'nowhere' is no bundle" in wrong.stderr
    odd = run("again", "--baseline", str(packed), "--max-slower", "fast")
    assert odd.returncode == 2
    assert "expected a percentage of at least 0, such as 5%, got 'fast'" in odd.stderr


def test_the_fixture_of_pytest(packed: Path, tmp_path: Path) -> None:
    from importlib.metadata import entry_points

    a_bundle(tmp_path / "worse", worse)
    (tmp_path / "test_model.py").write_text(
        f"""
def test_same(toolkit_gate):
    assert toolkit_gate({str(packed)!r}, baseline={str(packed)!r}).verdict == "passed"

def test_worse(toolkit_gate):
    toolkit_gate({str(tmp_path / "worse")!r}, {str(packed)!r}, max_drop=1, names=["onnx-int8"], minutes=0.05)

def test_open(toolkit_gate):
    toolkit_gate({str(tmp_path / "worse")!r}, {str(packed)!r}, max_drop=90, max_size=90, names=["onnx-fp16"], minutes=0)
"""
    )
    known = any(each.value == "toolkit.pytest_plugin" for each in entry_points(group="pytest11"))
    plugin = [] if known else ["-p", "toolkit.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-rsf", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *plugin, "test_model.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": PATH})
    assert "1 failed, 1 passed, 1 skipped" in done.stdout, done.stdout
    assert "| onnx-int8 | onnxruntime | accuracy |" in done.stdout
    assert "undecided: onnx-fp16 latency" in done.stdout
