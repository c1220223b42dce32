"""Evidence is about the processor on which it was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.tiny import tiny_artifact, with_parity
from toolkit.core import MANIFEST, Artifact, ParityReport, Precision, Verdict, other_processor

VNNI = ("avx2", "fma", "avx512f", "avx512_vnni")
AVX2 = ("avx2", "fma")
PI_4, PI_5 = ("asimd",), ("asimd", "asimddp", "asimdhp")


@pytest.fixture
def report(tmp_path: Path) -> ParityReport:
    return with_parity(tiny_artifact(tmp_path)).manifest.evidence[0]


@pytest.mark.parametrize(
    ("precision", "there", "here", "text"),
    [
        (
            Precision.INT8,
            VNNI,
            AVX2,
            "int8 passed on a processor with avx512_vnni, this one has no avx512_vnni, avx_vnni or amx_int8",
        ),
        (
            Precision.INT8_DYNAMIC,
            AVX2,
            (*AVX2, "avx_vnni"),
            "int8-dynamic passed on a processor without avx512_vnni, avx_vnni or amx_int8, this one has avx_vnni",
        ),
        (Precision.INT4_WEIGHTS, AVX2, ("sse4_2",), "int4-weights passed on a processor with avx2, this one has no avx2"),
        (Precision.INT8, PI_4, PI_5, "int8 passed on a processor without asimddp or i8mm, this one has asimddp"),
        (
            Precision.BF16,
            (*VNNI, "avx512_bf16"),
            VNNI,
            "bf16 passed on a processor with avx512_bf16, this one has no avx512_bf16 or amx_bf16",
        ),
        (Precision.INT8, VNNI, (*AVX2, "avx_vnni"), ""),  # Both add products of int8 up in int32.
        (Precision.INT8, VNNI, VNNI, ""),
        (Precision.FP32, VNNI, AVX2, ""),
        (Precision.FP16, VNNI, AVX2, ""),
        (Precision.INT8, (), AVX2, ""),  # Evidence of an earlier version.
        (Precision.INT8, VNNI, (), ""),  # A system that does not tell.
    ],
)
def test_what_differs_in_what_decides_the_precision_is_named(
    report: ParityReport, precision: Precision, there: tuple[str, ...], here: tuple[str, ...], text: str
) -> None:
    assert other_processor([replace(report, instruction_sets=there)], precision, here) == text


def test_only_what_passed_on_a_cpu_counts(report: ParityReport) -> None:
    elsewhere = replace(report, instruction_sets=VNNI)
    for other in (replace(elsewhere, verdict=Verdict.FAILED), replace(elsewhere, device="gpu")):
        assert other_processor([other], Precision.INT8, AVX2) == ""
        assert other_processor([other, elsewhere], Precision.INT8, AVX2) != ""


def test_evidence_without_a_processor_still_loads(tmp_path: Path) -> None:
    artifact = with_parity(tiny_artifact(tmp_path))
    manifest = msgspec.json.decode((artifact.path / MANIFEST).read_bytes())
    for name in ("reference_engine", "reference_version", "instruction_sets"):
        del manifest["evidence"][0][name]
    (artifact.path / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    assert Artifact.load(artifact.path).manifest == artifact.manifest
    assert artifact.manifest.evidence[0].instruction_sets == ()
