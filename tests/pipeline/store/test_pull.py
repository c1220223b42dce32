"""What is pulled: checked before it has a name, a file or a folder, and nothing of the user's is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import toolkit
from tests.pipeline.bundle.test_field import change
from tests.pipeline.store.conftest import Bundles
from toolkit.core import ArtifactError, Bundle, InputError, TrustError
from toolkit.core.measurement import Protocol
from toolkit.pipeline.bundle import check
from toolkit.pipeline.bundle.contents import EXPECTED
from toolkit.pipeline.store import pull


@pytest.fixture
def store(bundles: Bundles, tmp_path: Path) -> Callable[[Path], str]:
    """Put a file into a store as a stranger may, unchecked; its address."""
    (tmp_path / "store").mkdir()

    def put(file: Path) -> str:
        shutil.copy(file, tmp_path / "store" / "tiny.zip")
        return f"file://{tmp_path}/store/tiny.zip"

    return put


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_a_folder_can_be_opened(bundles: Bundles, store: Callable[[Path], str], here: Path) -> None:
    done = pull(store(bundles.plain), here / "net")
    assert (done.path, done.artifacts, done.unchanged) == (here / "net", ("onnx-fp16",), False)
    assert [artifact.name for artifact in Bundle.load(here / "net")] == ["onnx-fp16"]
    with toolkit.load(here / "net" / "onnx-fp16", engine="onnxruntime") as session:
        assert session.run(np.zeros((1, 64), np.float32))[0].shape == (1, 10)
    assert pull(store(bundles.plain), here / "net").unchanged
    with pytest.raises(InputError, match=r"'.*net' is there: expected nothing, or the same bundle, got something else; .*--overwrite"):
        pull(store(bundles.other), here / "net")
    assert not pull(store(bundles.other), here / "net", overwrite=True).unchanged
    assert pull(store(bundles.other), here / "net").unchanged
    assert [path.name for path in here.iterdir()] == ["net"]


def test_a_file_is_what_check_takes(bundles: Bundles, store: Callable[[Path], str], here: Path) -> None:
    done = pull(store(bundles.signed), here / "net.zip", trust=bundles.keys[1])
    quick = Protocol(rounds=1, min_seconds=0.01, min_calls=5, warmup_seconds=0.0, warmup_calls=1)
    assert check(done.path, engines=("onnxruntime",), protocol=quick, threads=(1,), trust=bundles.keys[1]).model == "tiny"


@pytest.mark.parametrize("name", ["net.zip", "net"])
def test_what_was_changed_gets_no_name(bundles: Bundles, store: Callable[[Path], str], here: Path, tmp_path: Path, name: str) -> None:
    whole = bundles.signed.read_bytes()
    flipped, cut, none = (tmp_path / f"{kind}.zip" for kind in ("flipped", "cut", "none"))
    flipped.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    cut.write_bytes(whole[: len(whole) // 2])
    none.write_bytes(b"")
    other = change(bundles.plain, tmp_path / "other.zip", **{EXPECTED: b"PK"})
    model = change(bundles.plain, tmp_path / "model.zip", **{"onnx-fp16/model.onnx": b"another"})
    for file, trust, kind, words in (
        (flipped, bundles.keys[1], TrustError, "was changed after it was signed"),
        (cut, bundles.keys[1], TrustError, "is not signed"),
        (bundles.plain, bundles.keys[1], TrustError, "is not signed"),
        (cut, None, ArtifactError, "is no field bundle"),
        (none, None, ArtifactError, "is no field bundle"),
        (other, None, ArtifactError, "was changed: its inputs or outputs are not those"),
        (model, None, ArtifactError, r"'onnx-fp16.model\.onnx' is not the file its manifest describes: .*; get the file again"),
    ):
        with pytest.raises(kind, match=words) as raised:
            pull(store(file), here / name, trust=trust)
        assert f"'file://{tmp_path}/store/tiny.zip'" in str(raised.value), "not the name of a temporary file"
        assert not [*here.iterdir()]


def test_a_signature_is_verified_before_anything_is_opened(
    bundles: Bundles, store: Callable[[Path], str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_arguments: object) -> None:
        raise AssertionError("unpacked")

    monkeypatch.setattr("zipfile.ZipFile", opened)
    with pytest.raises(TrustError):
        pull(store(bundles.plain), here / "net.zip", trust=bundles.keys[1])
    with pytest.raises(InputError, match="is no key to trust"):
        pull("oci://127.0.0.1:9/x:1", here / "net.zip", trust=bundles.keys[0])


def test_what_is_no_bundle_is_never_taken_away(bundles: Bundles, store: Callable[[Path], str], here: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "thesis.txt").write_text("years")
    (here / "file").write_text("years")
    (here / "folder.zip").mkdir()
    for name, words in (
        ("mine", "holds something else than a bundle"),
        ("file", "is a file: expected a folder"),
        ("folder.zip", "is a folder"),
    ):
        with pytest.raises(InputError, match=words):
            pull(store(bundles.plain), here / name, overwrite=True)
    assert (here / "mine" / "thesis.txt").read_text() == (here / "file").read_text() == "years"
    (here / "empty").mkdir()
    assert not pull(store(bundles.plain), here / "empty").unchanged
    assert sorted(path.name for path in here.iterdir()) == ["empty", "file", "folder.zip", "mine"]


def test_a_missing_folder_is_made(bundles: Bundles, store: Callable[[Path], str], here: Path) -> None:
    assert pull(store(bundles.plain), here / "a" / "b.zip").path.is_file()
