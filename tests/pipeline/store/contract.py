"""What every store must do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.store.conftest import Bundles
from toolkit.core import InputError, TransferError, TrustError
from toolkit.pipeline.store import pull, push


def check_store(url: str, bundles: Bundles, folder: Path, listed: Callable[[], object]) -> None:
    """Push to `url`, where nothing is yet, and pull; `listed` says what the store holds, leftovers too."""
    with pytest.raises(TransferError, match="is not there: expected a bundle that toolkit push put there, got nothing"):
        pull(url, folder / "nothing.zip")
    assert not [*folder.iterdir()], "nothing is left of a pull of nothing"
    before = listed()

    def stop_uploading(what: str, done: int, _total: int) -> None:
        if what.startswith("uploading") and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(bundles.plain, url, on_progress=stop_uploading)
    assert listed() == before, "an interrupted push leaves nothing"

    done = push(bundles.plain, url)
    assert (done.artifacts, done.unchanged, done.bytes) == (("onnx-fp16",), False, bundles.plain.stat().st_size)
    held = listed()
    again = push(bundles.plain, url)
    assert (again.unchanged, again.version, again.sha256) == (True, done.version, done.sha256)
    with pytest.raises(TransferError, match=r"is there: expected nothing, or the same bundle, got another one; to replace it: --overwrite"):
        push(bundles.other, url)
    with pytest.raises(KeyboardInterrupt):
        push(bundles.other, url, overwrite=True, on_progress=stop_uploading)
    assert listed() == held, "what was there stays until another one is all there"

    def stop_downloading(what: str, done: int, _total: int) -> None:
        if what.startswith("downloading") and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(url, folder / "a.zip", on_progress=stop_downloading)
    assert not [*folder.iterdir()], "an interrupted pull leaves nothing"
    steps: list[tuple[str, int, int]] = []
    first = pull(url, folder / "a.zip", on_progress=lambda *step: steps.append(step))
    assert (folder / "a.zip").read_bytes() == bundles.plain.read_bytes()
    assert (first.model, first.artifacts, first.sha256, first.version) == ("tiny", ("onnx-fp16",), done.sha256, done.version)
    total = done.bytes // 1024
    assert ("downloading, KiB", total, total) in steps

    with pytest.raises(TrustError, match="is not signed"):
        pull(url, folder / "b.zip", trust=bundles.keys[1])
    changed = push(bundles.signed, url, overwrite=True)
    assert (changed.unchanged, changed.version != done.version or not done.version) == (False, True)
    with pytest.raises(InputError, match=r"'.*a\.zip' is there: expected nothing, or the same bundle"):
        pull(url, folder / "a.zip", trust=bundles.keys[1])
    assert pull(url, folder / "a.zip", trust=bundles.keys[1], overwrite=True).signature.startswith("signed by release.pub")
    assert (folder / "a.zip").read_bytes() == bundles.signed.read_bytes()
    if done.version:
        assert pull(done.version, folder / "first.zip").sha256 == done.sha256, "a version stays what it was"
        (folder / "first.zip").unlink()
    assert [path.name for path in folder.iterdir()] == ["a.zip"], "nothing is half-written"
