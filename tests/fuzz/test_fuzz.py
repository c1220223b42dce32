"""A few hundred damaged files in every run of the tests; `make fuzz` tries more."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.archives import npy_mutant
from tests.fuzz.cases import KINDS, Case, make_case
from tests.fuzz.harness import Harness, judge
from tests.fuzz.run import fuzz
from tests.fuzz.seeds import Seeds

SEED = 20
# So many mutants of each: those of the last line need torch in a process of its own, which takes seconds.
CHUNKS = {
    "manifest,report": 60,
    "recipe,samples": 40,
    "choices": 24,
    "field": 16,
    "link,stale": 16,
    "onnx": 24,
    "tflite,openvino": 24,
    "pt2,weights,start,checkpoint": 8,
}


def test_every_kind_is_tried() -> None:
    assert {kind for kinds in CHUNKS for kind in kinds.split(",")} == set(KINDS)


@pytest.mark.parametrize("kinds", CHUNKS)
def test_no_file_crashes_hangs_or_escapes(seeds: Seeds, tmp_path: Path, kinds: str) -> None:
    outcomes = fuzz(range(CHUNKS[kinds]), seed=SEED, seeds=seeds, folder=tmp_path, kinds=tuple(kinds.split(",")))
    assert [(outcome.case.name, *outcome.problems) for outcome in outcomes if outcome.problems] == []
    codes = {outcome.code for outcome in outcomes}
    assert 2 in codes
    assert 0 in codes or "pt2" in kinds, "some damage is harmless, but in archives, which are read strictly: else nothing was tried"


def test_the_same_seed_makes_the_same_files(seeds: Seeds, tmp_path: Path) -> None:
    first, second = (make_case(3, 1, seeds, tmp_path / name) for name in ("a", "b"))
    assert first == second
    left = {file.relative_to(tmp_path / "a"): file.read_bytes() for file in (tmp_path / "a").rglob("*") if file.is_file()}
    right = {file.relative_to(tmp_path / "b"): file.read_bytes() for file in (tmp_path / "b").rglob("*") if file.is_file()}
    assert left == right


@pytest.mark.parametrize(
    ("code", "output", "errors", "problem"),
    [
        (3, "", "", "exit code 3"),
        (1, "", "Traceback (most recent call last):\n", "traceback"),
        (2, "", "error: a\nb\nc\nd\ne\n", "message of 5 lines"),
        (2, "", "error: " + "x" * 4000, "message of 1 lines, 4007"),
        (2, "", "what?\n", "no error told"),
        (0, "\x1b[2J", "", "control characters"),
    ],
)
def test_the_judge_sees(code: int, output: str, errors: str, problem: str) -> None:
    assert any(problem in found for found in judge(code, output, errors))


def test_a_write_elsewhere_and_a_sprung_trap_are_seen(seeds: Seeds, tmp_path: Path) -> None:
    home = tmp_path / "case"
    make_case(0, 0, seeds, home, kinds=("recipe",))
    harness = Harness(tmp_path)
    try:
        model = str(seeds / "net" / "onnx-fp32" / "model.onnx")
        words = ("run", model, "--input", "x.npy", "--output", "../canary/y.npz")
        assert harness.run(Case("0", words, ("work/out",)), home).problems == ("changed: canary/y.npz",)
        assert harness.run(Case("1", (*words[:-1], "../spring"), ()), home).problems == ("changed: spring",)
        assert harness.run(Case("2", words[:-2], ()), home).problems == ()
    finally:
        harness.close()


def test_the_traps_would_spring(tmp_path: Path) -> None:
    """What is planted really runs for a reader that trusts it: else that nothing ran would say nothing."""
    import pickle

    import numpy as np

    np.save(tmp_path / "x.npy", np.zeros((1, 64), np.float32))
    original = (tmp_path / "x.npy").read_bytes()
    spring = tmp_path / "spring"
    planted = (npy_mutant(original, Random(seed), spring) for seed in range(200))
    (tmp_path / "bad.npy").write_bytes(next(each for each in planted if b"_io\nopen" in each or b"open" in each))
    with (tmp_path / "bad.npy").open("rb") as stream:
        np.lib.format.read_magic(stream)
        length = int.from_bytes(stream.read(2), "little")
        stream.read(length)
        pickle.load(stream)[0].close()
    assert spring.exists()
