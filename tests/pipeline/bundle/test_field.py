"""A field bundle on the real engines: what was packed is verified without the trained model, and nothing else is believed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Trained
from tests.tiny import tiny_artifact, tiny_samples
from toolkit.core import MANIFEST, Artifact, ArtifactError, Bundle, InputError, Precision, UnknownNameError, Verdict, cache_home
from toolkit.core.measurement import Protocol
from toolkit.pipeline.bundle import check, pack
from toolkit.pipeline.bundle.contents import CONTENTS, EXPECTED, INPUTS, Contents
from toolkit.pipeline.source.resolve import trained
from toolkit.pipeline.source.samples import split_samples
from toolkit.tasks import Limits

QUICK = Protocol(rounds=1, min_seconds=0.01, min_calls=5, warmup_seconds=0.0, warmup_calls=1)


def a_bundle(folder: Path, *, seed: int = 0) -> Bundle:
    """A trained model and one that was made from it, with weights of another `seed` if it shall be wrong."""
    root = tiny_artifact(folder)
    (root.path / MANIFEST).write_bytes(replace(root.manifest, root="").to_json())
    root = Artifact.load(root.path)
    made = tiny_artifact(folder, Precision.FP16, seed=seed)
    (made.path / MANIFEST).write_bytes(replace(made.manifest, root=root.manifest.content_sha256).to_json())
    return Bundle.load(folder)


def change(file: Path, target: Path, **members: bytes | None) -> Path:
    """A copy of a zip with some members replaced, or left out where they are None."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        content = {name: old.read(name) for name in old.namelist()} | members
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)
    return target


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.zip"
    pack(a_bundle(tmp_path / "tiny"), tiny_samples(40), file)
    return file


def test_an_interrupted_verification_is_not_done_twice(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between two verifications loses neither the first nor, at the second try, its time."""
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    first: list[str] = []

    def stop(what: str, done: int, _total: int) -> None:
        first.append(what)
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(packed, engines=("onnxruntime", "openvino"), protocol=QUICK, on_progress=stop)
    kept = {file: file.stat().st_ino for file in (cache_home() / "evidence").glob("*.json")}
    assert [what for what in first if "verifying" in what] == ["verifying onnx-fp16 in onnxruntime", "verifying onnx-fp16 in openvino"]
    assert len(kept) == 1
    report = check(packed, engines=("onnxruntime", "openvino"), protocol=QUICK)
    now = {file: file.stat().st_ino for file in (cache_home() / "evidence").glob("*.json")}
    assert (len(now), now.items() >= kept.items()) == (2, True)
    assert {evidence.engine for m in report.measurements if (evidence := report.parity_of(m))} == {"onnxruntime", "openvino"}


def test_real_artifacts_are_proved_without_the_trained_model(trained_cnn: Trained, tmp_path: Path) -> None:
    bundle, file = Bundle.load(trained_cnn.bundle), tmp_path / "cnn.zip"
    samples = split_samples(trained(bundle), None).evaluation
    names = ("onnx-fp32", "onnx-int8", "tflite-int8")
    assert [each.name for each in pack(bundle, samples, file, names=names, limits=Limits(5.0))] == list(names)
    assert not any("pt2" in name for name in zipfile.ZipFile(file).namelist())
    seen: list[tuple[str, int, int]] = []
    report = check(file, engines=("onnxruntime", "litert"), threads=(1,), protocol=QUICK, on_progress=lambda *step: seen.append(step))
    assert report.model == "cnn"
    assert {(m.setting.artifact, m.setting.engine) for m in report.measurements if m.ok} == {
        ("onnx-fp32", "onnxruntime"),
        ("onnx-int8", "onnxruntime"),
        ("tflite-int8", "litert"),
    }
    for measurement in report.measurements:
        evidence = report.parity_of(measurement)
        assert evidence is not None
        assert evidence.verdict is Verdict.PASSED, evidence.reason
        if measurement.setting.artifact != "onnx-fp32":
            assert evidence.task is not None
            assert (evidence.task.name, evidence.task.samples) == ("accuracy", len(samples))
    assert seen[0] == ("verifying onnx-fp32 in onnxruntime", 0, 3)
    assert seen[-1][1:] == (3, 3)


def test_the_same_content_gives_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    pack(Bundle.load(tmp_path / "tiny"), tiny_samples(40), again)
    assert again.read_bytes() == packed.read_bytes()


def test_an_artifact_that_is_wrong_on_the_device_fails(tmp_path: Path) -> None:
    pack(a_bundle(tmp_path / "tiny", seed=1), tiny_samples(40), tmp_path / "wrong.zip")
    report = check(tmp_path / "wrong.zip", engines=("onnxruntime", "openvino"), threads=(1,), protocol=QUICK)
    assert [row.verdict for row in report.parity if row.verdict] == [Verdict.FAILED] * len({m.setting.engine for m in report.measurements})


def test_an_engine_that_refuses_the_model_is_a_row_with_its_reason(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "tiny")
    made = bundle.artifact("onnx-fp16")
    made.model_file.write_bytes(b"no model")
    files = dict.fromkeys(made.manifest.files, "")
    from toolkit.core import sha256_of

    manifest = replace(made.manifest, files={name: sha256_of(made.path / name) for name in files})
    (made.path / MANIFEST).write_bytes(manifest.to_json())
    pack(bundle, tiny_samples(40), tmp_path / "tiny.zip")
    report = check(tmp_path / "tiny.zip", engines=("onnxruntime",), threads=(1,), protocol=QUICK)
    (row,) = report.measurements
    assert not row.ok
    assert "cannot open" in row.reason


def test_no_training_framework_is_imported(packed: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from toolkit.pipeline.bundle import check; "
        f"check(Path({str(packed)!r}), engines=('onnxruntime',), threads=(1,)); "
        "sys.exit(', '.join({'torch', 'onnx', 'tensorflow'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_what_was_changed_is_refused(packed: Path, tmp_path: Path) -> None:
    tiny_samples(7).save(tmp_path / "other.npz")
    other = (tmp_path / "other.npz").read_bytes()
    for name in (INPUTS, EXPECTED):
        with pytest.raises(ArtifactError, match="was changed"):
            check(change(packed, tmp_path / "changed.zip", **{name: other}))
    with pytest.raises(ArtifactError, match="is not the file its manifest describes"):
        check(change(packed, tmp_path / "changed.zip", **{"onnx-fp16/model.onnx": b"cut"}))


def test_what_is_no_field_bundle_is_refused(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "cut.zip").write_bytes(packed.read_bytes()[:2000])
    contents = msgspec.json.decode(zipfile.ZipFile(packed).read(CONTENTS), type=Contents)
    newer = msgspec.json.encode(replace(contents, schema=2))
    for file in (
        tmp_path / "absent.zip",
        tmp_path / "text.zip",
        tmp_path / "cut.zip",
        tmp_path,
        change(packed, tmp_path / "a.zip", **{CONTENTS: None}),
        change(packed, tmp_path / "b.zip", **{CONTENTS: b"{}"}),
        change(packed, tmp_path / "c.zip", **{CONTENTS: newer}),
        change(packed, tmp_path / "d.zip", **{CONTENTS: b"[" * 100_000}),
    ):
        with pytest.raises(ArtifactError) as caught:
            check(file)
        assert file.name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_outputs_that_do_not_fit_are_refused(packed: Path, tmp_path: Path) -> None:
    """Whoever packs it may write anything into it, with the right hashes."""
    import hashlib

    contents = msgspec.json.decode(zipfile.ZipFile(packed).read(CONTENTS), type=Contents)
    tiny_samples(3).save(tmp_path / "odd.npz")  # its only member is no output of a probe
    odd = (tmp_path / "odd.npz").read_bytes()
    named = msgspec.json.encode(replace(contents, expected_sha256=hashlib.sha256(odd).hexdigest()))
    with pytest.raises(ArtifactError, match="holds no outputs"):
        check(change(packed, tmp_path / "odd.zip", **{EXPECTED: odd, CONTENTS: named}))


def test_nothing_is_written_outside_the_folder(packed: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    before = set(tmp_path.rglob("*"))
    file = change(packed, home / "evil.zip", **{"../evil.txt": b"x", "/tmp/toolkit-evil.txt": b"x"})
    check(file, engines=("onnxruntime",), threads=(1,), protocol=QUICK)
    assert set(tmp_path.rglob("*")) - before == {file}
    assert not Path("/tmp/toolkit-evil.txt").exists()


def test_what_cannot_be_packed(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "tiny")
    with pytest.raises(UnknownNameError, match="onnx-int9"):
        pack(bundle, tiny_samples(5), tmp_path / "x.zip", names=("onnx-int9",))
    shutil.rmtree(bundle.path / "onnx-fp16")
    with pytest.raises(InputError, match="nothing to pack"):
        pack(bundle, tiny_samples(5), tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
