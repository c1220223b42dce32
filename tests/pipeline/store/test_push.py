"""What is pushed: a bundle that was packed, or a folder that is packed on the way."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.pipeline.bundle.test_field import change
from tests.pipeline.store.conftest import Bundles
from tests.tiny import tiny_samples
from toolkit.core import ArtifactError, Bundle, InputError, TransferError
from toolkit.pipeline.bundle.contents import CONTENTS
from toolkit.pipeline.source.remembered import REMEMBERED, remember
from toolkit.pipeline.store import pull, push


def test_what_is_no_bundle_is_not_sent(bundles: Bundles, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "none.zip").write_bytes(b"none")
    half = tmp_path / "half.zip"
    half.write_bytes(bundles.plain.read_bytes()[:3000])
    damaged = change(bundles.plain, tmp_path / "damaged.zip", **{"onnx-fp16/model.onnx": b"another"})
    without = change(bundles.plain, tmp_path / "without.zip", **{CONTENTS: None})
    for file, words in (
        (tmp_path / "none.zip", "is no field bundle"),
        (half, "is no field bundle"),
        (damaged, r"in '.*damaged\.zip': 'onnx-fp16.model\.onnx' is not the file its manifest describes"),
        (without, "is no"),
    ):
        with pytest.raises(ArtifactError, match=words):
            push(file, f"file://{store}/x.zip")
    with pytest.raises(ArtifactError, match=r"'.*nothing\.zip' is no field bundle"):
        push(tmp_path / "nothing.zip", f"file://{store}/x.zip")
    assert not [*store.iterdir()]


def test_a_store_that_is_not_there_costs_no_packing(bundles: Bundles, tmp_path: Path) -> None:
    steps: list[str] = []
    with pytest.raises(TransferError, match="cannot be reached"):
        push(bundles.folder, "oci://127.0.0.1:9/x:1", on_progress=lambda what, _done, _total: steps.append(what))
    assert steps == ["asking the store"]


def test_a_packed_bundle_is_signed_where_it_is_packed(bundles: Bundles, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"is packed: expected a bundle folder to sign; sign where it is packed: toolkit bundle --sign KEY"
    ):
        push(bundles.plain, f"file://{tmp_path}/x.zip", sign=bundles.keys[0])
    assert not [*tmp_path.iterdir()]


def test_a_folder_is_packed_on_the_way(bundles: Bundles, tmp_path: Path) -> None:
    tiny_samples(40).save(tmp_path / "s.npz")
    before = sorted(bundles.folder.rglob("*"))
    remember(bundles.folder, data=str(tmp_path / "s.npz"))
    try:
        store = tmp_path / "store"
        store.mkdir()
        done = push(bundles.folder, f"file://{store}/tiny.zip", sign=bundles.keys[0])
        assert (done.artifacts, done.unchanged) == (("onnx-fp16",), False)
        assert not any("onnx-fp32" in name for name in zipfile.ZipFile(store / "tiny.zip").namelist()), "the trained model does not travel"
        assert push(bundles.folder, f"file://{store}/tiny.zip", sign=bundles.keys[0]).unchanged, "the same content gives the same bytes"
        assert pull(f"file://{store}/tiny.zip", tmp_path / "got.zip", trust=bundles.keys[1]).signature.startswith("signed by release.pub")
    finally:
        (bundles.folder / REMEMBERED).unlink()
    assert sorted(bundles.folder.rglob("*")) == before
    assert Bundle.load(bundles.folder)
