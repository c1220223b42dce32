"""The README and docs run as pasted: `tests/documents.py` runs them all, here run the pages for beginners, and all are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Trained
from tests.documents import GIVEN, PAGES, ROOT, blocks, missing, run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs_or_says_why_not(page: Path) -> None:
    found = list(blocks(page))
    text = page.read_text()
    assert sum(bool(block.not_run) for block in found) == text.count("<!-- not run: "), "a mark stands right above its block, with a reason"
    assert sum(bool(block.given) for block in found) == text.count("<!-- given: ")
    assert {name for block in found for name in block.given} <= {*GIVEN}
    for block in found:
        if block.kind == "python":
            compile(block.text, f"{page.name}:{block.line}", "exec")


def test_what_a_page_shows_is_compared_whatever_the_widths_of_columns() -> None:
    page = ["artifact    size   took parity", "onnx-fp32  1.5 KiB 13.8 s passed error 2.4e-07; seeded", "           probes only", "..."]
    printed = (
        "artifact size took parity\nonnx-fp16 1 KiB 2 s passed\nonnx-fp32 1.45 KiB 600 ms passed error 2.4e-07; seeded probes\n  only\n"
    )
    assert missing(page, printed) == []
    assert missing(page, printed.replace("600 ms", "cached")) == []
    assert missing(page, printed.replace("passed error", "failed error")) == ["\n".join(page[1:3])]
    assert missing(page[:1], printed.replace("took ", "")) == page[:1]


def test_at_most_four_commands_a_task() -> None:
    tasks = (ROOT / "docs" / "first-tasks.md").read_text().split("\n## ")[1:]
    assert len(tasks) == 5
    assert max(task.count("\n$ ") for task in tasks) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/first-tasks.md", "docs/sharing.md"])
def test_a_page_runs_as_pasted(name: str, trained_cnn: Trained, tmp_path: Path) -> None:
    done = list(run(ROOT / name, tmp_path, trained_cnn.bundle))
    assert len(done) >= 3
    assert [f"{block.line}: {problem}" for block, problem in done if problem] == []
