"""The contract of stores, on a local folder, in memory and on a real registry; the Hub cannot be reached here."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from tests.pipeline.store.conftest import Bundles
from tests.pipeline.store.contract import check_store
from toolkit.pipeline.store._found import all_stores


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_every_store_is_found() -> None:
    assert [store.name for store in all_stores()] == ["fsspec", "huggingface", "oci"]


def test_a_local_folder(bundles: Bundles, folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    check_store(f"file://{store}/tiny.zip", bundles, folder, lambda: {path.name: path.read_bytes() for path in store.iterdir()})


def test_memory(bundles: Bundles, folder: Path) -> None:
    files = fsspec.filesystem("memory")
    try:
        check_store("memory://nets/tiny.zip", bundles, folder, lambda: {path: files.cat(path) for path in files.find("/")})
    finally:
        files.store.clear()


def test_a_registry(bundles: Bundles, folder: Path, registry: tuple[str, Path]) -> None:
    host, kept = registry
    # Only tags are names: what nobody named yet, the registry clears away by itself.
    check_store(
        f"oci://{host}/nets/tiny:1",
        bundles,
        folder,
        lambda: {path: path.read_bytes() for path in kept.rglob("_manifests/tags/*/current/link")},
    )
