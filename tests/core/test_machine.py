"""The machine as this process may use it, and plug-ins found in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.core import available_threads, discover, this_machine


def test_threads_come_from_the_affinity_mask() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity on this system")
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); from toolkit.core import available_threads as t; print(t())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "1"
    assert 1 <= available_threads() <= (os.cpu_count() or 1)


def test_the_machine_is_described() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.threads == available_threads()
    assert "numpy" in machine.versions
    assert machine.fingerprint == this_machine().fingerprint


class Plugin:
    name = ""


def test_plugins_are_the_concrete_classes_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_plugins"
    package.mkdir()
    base = f"import sys; Plugin = sys.modules[{__name__!r}].Plugin\n"
    (package / "__init__.py").write_text("")
    (package / "b.py").write_text(base + "class B(Plugin):\n    name = 'b'\n")
    (package / "a.py").write_text(base + "from some_plugins.b import B\nclass A(Plugin):\n    name = 'a'\n")
    (package / "_hidden.py").write_text("raise RuntimeError('searched')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [plugin.name for plugin in discover("some_plugins", Plugin)] == ["a", "b"]
