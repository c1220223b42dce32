"""Why integers are slower than float here, where a benchmark finds that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.converters.quantizer import Execution
from toolkit.converters.study import execution_of
from toolkit.core import Artifact, Format, Precision, ToolkitError, this_machine
from toolkit.core.measurement import BenchmarkReport, Comparison, Measurement, Scenario, Setting, Speed, compare

_INTEGER_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


@dataclass(frozen=True)
class Slower:
    """An artifact in static int8 whose single calls take longer than those of the same format's fp32 by the same engine."""

    artifact: str
    baseline: str
    comparison: Comparison
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        """One line."""
        speed = f"{self.comparison.ratio.value:.2f} times as fast"
        return f"{self.artifact} is slower than {self.baseline}, {speed}: {'; '.join(self.reasons)}"


def reasons_of(run: Execution) -> tuple[str, ...]:
    """What is known to make integers slower than float, of what is true of a file on this machine."""
    reasons = []
    if run.conversions:
        reasons.append(f"{run.conversions} conversions between integers and floats are left in the graph")
    if not _INTEGER_PRODUCTS & set(this_machine().instruction_sets):
        reasons.append("this processor has no instruction for products of 8-bit integers (VNNI, or dot product on ARM)")
    return tuple(reasons)


NO_KNOWN_CAUSE = "none of the known causes; the layers may be too small for integers to pay"


def slower_of(report: BenchmarkReport, bundle: Path) -> tuple[Slower, ...]:
    """Each file in integers of a bundle that its report shows to be slower than its float file, once, with the reasons."""
    found: dict[str, Slower] = {}
    for setting, baseline, result in _slow(report):
        if setting.artifact not in found:
            try:
                reasons = reasons_of(execution_of(Artifact.load(bundle / setting.folder, verify=False)))
            except ToolkitError as error:
                reasons = (str(error),)
            found[setting.artifact] = Slower(setting.artifact, baseline, result, reasons or (NO_KNOWN_CAUSE,))
    return tuple(found.values())


def _slow(report: BenchmarkReport) -> Iterator[tuple[Setting, str, Comparison]]:
    single = [each for each in report.measurements if each.ok and each.setting.scenario is Scenario.SINGLE_STREAM]
    for format in (Format.ONNX, Format.TFLITE, Format.OPENVINO):
        integers, floats = (f"{format}-{precision}" for precision in (Precision.INT8, Precision.FP32))
        for each in single:
            other = next((one for one in single if one.setting.artifact == floats and _alike(one, each)), None)
            if each.setting.artifact == integers and other is not None:
                result = compare(each, other)
                if result is not None and result.verdict is Speed.SLOWER:
                    yield each.setting, floats, result


def _alike(one: Measurement, other: Measurement) -> bool:
    first, second = one.setting, other.setting
    return (first.engine, first.threads, first.batch, first.device) == (second.engine, second.threads, second.batch, second.device)
