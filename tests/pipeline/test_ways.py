"""Which of several ways to a file is taken, and what is told of the others. No engine and no converter runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.tiny import tiny_artifact
from toolkit.converters.base import Converter
from toolkit.converters.planner import all_converters
from toolkit.converters.task import Obtained
from toolkit.core import Artifact, ConversionError, Format
from toolkit.pipeline.ways import Found, Judge, first_right

TO_TFLITE = [each for each in all_converters() if each.target.format is Format.TFLITE and each.source.format is Format.ONNX]


class Told(Judge):
    """Says of a folder's artifact what it is told to."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = problems

    def problem(self, artifact: Artifact) -> str:
        return self.problems[artifact.manifest.edge]


def _folders(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / str(number) / "artifact" for number in itertools.count())


def _found(tmp_path: Path, problems: Mapping[str, str], *, broken: Mapping[str, str] | None = None) -> Found:
    from dataclasses import replace

    from toolkit.core import MANIFEST

    def attempt(converter: Converter, folder: Path) -> Obtained:
        if broken and converter.name in broken:
            raise ConversionError(broken[converter.name])
        made = tiny_artifact(folder.parent / f"made-{converter.name}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.path.rename(folder)
        manifest = replace(made.manifest, edge=converter.name)
        (folder / MANIFEST).write_bytes(manifest.to_json())
        return Obtained(Artifact.load(folder), False, 1.0)

    return first_right(TO_TFLITE, attempt, _folders(tmp_path), Told(problems))


FIRST, SECOND = (converter.name for converter in TO_TFLITE)


def test_the_first_way_that_is_right_is_the_only_one(tmp_path: Path) -> None:
    found = _found(tmp_path, {FIRST: ""})
    assert found.made is not None
    assert (found.made.artifact.manifest.edge, found.left) == (FIRST, ())


def test_a_way_that_fails_or_diverges_gives_way_to_the_next_and_says_why(tmp_path: Path) -> None:
    for number, (problems, broken, why) in enumerate(
        [({FIRST: "diverges: 3 dB", SECOND: ""}, {}, "diverges: 3 dB"), ({SECOND: ""}, {FIRST: "no rule"}, "no rule")]
    ):
        found = _found(tmp_path / str(number), problems, broken=broken)
        assert found.made is not None
        assert found.made.artifact.manifest.edge == SECOND
        assert found.made.artifact.path == tmp_path / str(number) / "0" / "artifact", "what is taken lies where it was asked for"
        assert found.left == (f"{FIRST}: {why}",)


def test_of_several_that_diverge_the_first_is_kept(tmp_path: Path) -> None:
    found = _found(tmp_path, {FIRST: "diverges: 3 dB", SECOND: "diverges: 1 dB"})
    assert found.made is not None
    assert (found.made.artifact.manifest.edge, found.left) == (FIRST, (f"{SECOND}: diverges: 1 dB",))


def test_where_no_way_leads_the_first_error_is_the_reason(tmp_path: Path) -> None:
    found = _found(tmp_path, {}, broken={FIRST: "no rule for A", SECOND: "no rule for B"})
    assert found.made is None
    assert str(found.error) == "no rule for A"
    assert found.left == (f"{SECOND}: no rule for B",)
