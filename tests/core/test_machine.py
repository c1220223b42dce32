"""The machine as this process may use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.core import available_memory, available_threads, machine, this_machine


def test_threads_come_from_the_affinity_mask() -> None:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity on this system")
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); from toolkit.core import available_threads as t; print(t())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "1"
    assert 1 <= available_threads() <= (os.cpu_count() or 1)


def test_the_machine_is_described() -> None:
    here = this_machine()
    assert here.cpu
    assert here.threads == available_threads()
    assert "numpy" in here.versions
    assert here.fingerprint == this_machine().fingerprint


def test_the_memory_is_what_is_free_and_what_the_cgroup_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = available_memory()
    assert 0 < free <= this_machine().memory_gib * 2**30 * 1.01
    (tmp_path / "most").write_text(str(300 * 2**20))
    (tmp_path / "used").write_text(str(250 * 2**20))
    (tmp_path / "stat").write_text(f"anon 1\ninactive_file {40 * 2**20}\n")
    monkeypatch.setattr(machine, "_CGROUP_MEMORY", ((str(tmp_path / "most"), str(tmp_path / "used"), str(tmp_path / "stat")),))
    assert available_memory() == 90 * 2**20
    (tmp_path / "most").write_text("max")
    assert available_memory() > 90 * 2**20
