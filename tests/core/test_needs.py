"""The command that installs an extra: from where the toolkit itself came, since anybody may register its name at an index."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit.core import install_command
from toolkit.core.needs import DISTRIBUTION, _origin

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The metadata of an installed distribution, found before the real one."""
    folder = tmp_path / f"{DISTRIBUTION.replace('-', '_')}-9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: 9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    _origin.cache_clear()
    yield folder
    _origin.cache_clear()


@pytest.mark.parametrize(
    ("told", "command"),
    [
        (None, f"pip install '{DISTRIBUTION}[tflite]'"),
        ({"url": "file:///home/a%20b/clone", "dir_info": {"editable": True}}, "pip install --editable '/home/a b/clone[tflite]'"),
        ({"url": "file:///home/clone", "dir_info": {}}, "pip install '/home/clone[tflite]'"),
        (
            {"url": "file:///tmp/toolkit-1-py3-none-any.whl", "archive_info": {}},
            f"pip install '{DISTRIBUTION}[tflite] @ file:///tmp/toolkit-1-py3-none-any.whl'",
        ),
        (
            {"url": "https://example.org/team/toolkit", "vcs_info": {"vcs": "git", "commit_id": COMMIT}},
            f"pip install '{DISTRIBUTION}[tflite] @ git+https://example.org/team/toolkit@{COMMIT}'",
        ),
        ("damaged", None),
    ],
)
def test_from_where_the_toolkit_came(installed: Path, told: object, command: str | None) -> None:
    if told is not None:
        (installed / "direct_url.json").write_text("{" if told == "damaged" else json.dumps(told))
    clone = Path(__file__).parents[2]
    assert install_command("tflite") == (command or f"pip install '{clone}[tflite]'"), "what nobody knows is the folder that it runs from"
