"""An empty cache for each test, and a data set small enough to train on in a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from toolkit.models.data import DataSet
from toolkit.models.data.digits import Digits
from toolkit.models.training import learner

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The exporter of torch warns of itself.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"))


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nets this small are slower on two threads, and tests run beside each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(learner, "available_threads", lambda: 1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TOOLKIT_DATA", raising=False)
    return tmp_path / "cache"


class FewDigits(Digits):
    """A fifth of the digits."""

    name = "few-digits"

    def _load(self, split: str, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
        images, labels = super()._load(split, folder)
        return images[::5], labels[::5]


@pytest.fixture
def few() -> DataSet:
    return FewDigits()
