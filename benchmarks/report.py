"""The budgets of this project, each measured on this machine: ``make bench`` writes docs/benchmarks.md from it.

Every row stands alone: one that cannot be measured says why. Timings are of whole processes, or interleaved rounds of calls, with
95 % bootstrap intervals over runs; shares carry their n.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from toolkit.core import Artifact, Bundle, Format, Precision, Samples, bootstrap_median, load_average, this_machine, wilson, write_file
from toolkit.models.data import find_data
from toolkit.runtimes.parity import observe

ROOT = Path(__file__).resolve().parents[1]
NETS = ROOT / "artifacts" / "fashion-mnist"


@dataclass(frozen=True)
class Row:
    """One budget. ``measured`` is text with its interval and n; ``met`` None means that it could not be measured."""

    what: str
    budget: str
    measured: str
    met: bool | None


def seconds_of(command: Sequence[str], *, runs: int, environment: dict[str, str] | None = None, check: bool = True) -> list[float]:
    """The wall-clock seconds of a command as a whole process, once for warm-up and then `runs` times."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=check, capture_output=True, cwd=ROOT, env={**os.environ, **(environment or {})})
        times.append(time.perf_counter() - start)
    return times[1:]


def startup() -> Iterator[Row]:
    """`toolkit --help` and `import toolkit`, with the bare interpreter beside them, in interleaved rounds."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import toolkit": [sys.executable, "-c", "import toolkit"],
        "toolkit --help": [str(Path(sys.executable).with_name("toolkit")), "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(15):
        for name, command in commands.items():
            times[name] += seconds_of(command, runs=1)
    bare = bootstrap_median(times["python -c pass"]).value
    over = bootstrap_median([t - b for t, b in zip(times["import toolkit"], times["python -c pass"], strict=True)])
    text = f"{1e3 * over.value:.1f} [{1e3 * over.low:.1f}, {1e3 * over.high:.1f}] ms above the bare interpreter's {1e3 * bare:.0f} ms, n=15"
    yield Row("`import toolkit`", "50 ms", text, over.value <= 0.050)
    whole = bootstrap_median(times["toolkit --help"])
    text = f"{1e3 * whole.value:.0f} [{1e3 * whole.low:.0f}, {1e3 * whole.high:.0f}] ms, the whole process, n=15"
    yield Row("`toolkit --help`", "150 ms", text, whole.value <= 0.150)


def overhead() -> Iterator[Row]:
    """`session.run` above the engine's own fastest call on the smallest reference model, paired round by round."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "overhead.json"
        subprocess.run(
            [sys.executable, str(ROOT / "benchmarks/overhead.py"), "--json", str(result)], check=False, capture_output=True, cwd=ROOT
        )
        rows = json.loads(result.read_text())
    for row in rows:
        above = row["above"]
        text = f"{above['value']:.2f} [{above['low']:.2f}, {above['high']:.2f}] µs above {row['raw_us']:.1f} µs"
        what = f"`session.run`, {row['engine']}, {row['format']}, {row['model']}"
        yield Row(what, f"{row['budget_us']:.2f} µs (2 µs or 5 %)", text, above["value"] <= row["budget_us"])


def conversion() -> Iterator[Row]:
    """Nine artifacts of the cnn with parity on all test samples: with an empty cache, and out of it."""
    for data, source in (("digits", ROOT / "artifacts/digits/cnn"), ("fashion-mnist", NETS / "cnn")):
        if not (source / "pt2-fp32").is_dir():
            yield Row(f"cnn on {data}: nine artifacts with parity", "60 s", f"no {source.relative_to(ROOT)}; run: make train-all", None)
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = [str(Path(sys.executable).with_name("toolkit")), "convert", str(source / "pt2-fp32"), "--out", folder]
            environment = {"TOOLKIT_CACHE": f"{folder}/cache"}
            # The data are fetched and checked before the clock starts: they are no part of a conversion.
            subprocess.run([command[0], "data", data], check=True, capture_output=True, env={**os.environ, **environment})
            start = time.perf_counter()
            subprocess.run(command, check=False, capture_output=True, env={**os.environ, **environment})
            cold = time.perf_counter() - start
            warm = bootstrap_median(seconds_of(command, runs=5, environment=environment, check=False))
            passed = sum(artifact.verdict == "passed" for artifact in Bundle.load(Path(folder) / "cnn"))
        evidence = f"{passed} of 9 passed parity"
        yield Row(f"cnn on {data}: nine artifacts with parity", "60 s", f"{cold:.1f} s, n=1; {evidence}", cold <= 60 and passed == 9)
        text = f"{warm.value:.2f} [{warm.low:.2f}, {warm.high:.2f}] s, n=5"
        yield Row(f"cnn on {data}: the same out of the cache", "2 s", text, warm.value <= 2)


def training() -> Iterator[Row]:
    """The quality of the reference models on the 10,000 test images of Fashion-MNIST."""
    test = find_data("fashion-mnist").load("test")
    for seed in (0, 1):
        with tempfile.TemporaryDirectory() as folder:
            words = ["train", "cnn", "--data", "fashion-mnist", "--epochs", "2", "--seed", str(seed), "--out", folder]
            subprocess.run([str(Path(sys.executable).with_name("toolkit")), *words], check=True, capture_output=True)
            yield _accuracy(f"cnn after two epochs, seed {seed}", Path(folder) / "cnn", test, 0.88)
    if (NETS / "resnet" / "pt2-fp32").is_dir():
        yield _accuracy("resnet, full recipe", NETS / "resnet", test, 0.93)
    else:
        yield Row("resnet, full recipe", "93 %", "not trained here; run: make train-all", None)


def _accuracy(what: str, bundle: Path, test: Samples, budget: float) -> Row:
    logits = observe(Artifact.load(bundle / "pt2-fp32"), "torch", test).samples["logits"]
    assert test.targets is not None
    share = wilson(int((logits.argmax(axis=1) == test.targets).sum()), len(test))
    return Row(
        f"{what}: Fashion-MNIST test accuracy",
        f"{budget:.0%}",
        f"{share.value:.2%} [{share.low:.2%}, {share.high:.2%}], n={len(test)}",
        share.value >= budget,
    )


def parity() -> Iterator[Row]:
    """Agreement of every artifact with torch on the 10,000 test labels of Fashion-MNIST."""
    for name in ("cnn", "resnet"):
        if not (NETS / name / "pt2-fp32").is_dir():
            yield Row(f"{name} on Fashion-MNIST: parity", "", "not trained here; run: make train-all", None)
            continue
        command = [str(Path(sys.executable).with_name("toolkit")), "convert", str(NETS / name), "--precision", "fp32,fp16,bf16,int8"]
        subprocess.run(command, check=False, capture_output=True)
        for artifact in Bundle.load(NETS / name):
            if artifact.manifest.evidence:
                yield from _evidence(name, artifact)


def _evidence(name: str, artifact: Artifact) -> Iterator[Row]:
    report = artifact.manifest.evidence[0]
    task, precision = report.task, artifact.manifest.precision
    assert task is not None
    what = f"{name}, {artifact.name}, {report.engine} computing in {report.execution_precision}"
    if precision in {Precision.FP32, Precision.FP16}:
        agreeing = task.samples - task.differing
        yield Row(
            f"{what}: labels as torch", "9,990 of 10,000", f"{agreeing:,} of {task.samples:,}", agreeing >= 9990 and task.samples == 10000
        )
    elif precision is Precision.INT8:
        text = f"{task.drop:+.2f} [{task.drop_low:+.2f}, {task.drop_high:+.2f}] points, n={task.samples}"
        yield Row(f"{what}: accuracy lost", "at most 1 point", text, task.drop_high <= 1)
    else:
        yield Row(f"{what}: labels as torch", "reported", f"{task.samples - task.differing:,} of {task.samples:,}", True)
    if artifact.manifest.format is Format.OPENVINO and precision is Precision.FP32:
        worst = max(output.max_abs for output in report.outputs)
        yield Row(f"{what}: max error", "1e-4", f"{worst:.1e}", worst < 1e-4 and report.execution_precision == "fp32")


def selfplay() -> Iterator[Row]:
    """Evaluations a second in self-play: a 6 x 64 net on 9 x 9 in int8, two processes of one thread, and what is not the net's share."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "selfplay.json"
        words = ["--only", "openvino-int8", "--processes", "2", "--games", "64", "--rounds", "5", "--json", str(result)]
        subprocess.run([sys.executable, str(ROOT / "benchmarks/go_selfplay.py"), *words], check=True, capture_output=True, cwd=ROOT)
        (speed,) = json.loads(result.read_text())
    evaluations, tree = speed["evaluations_per_s"], speed["tree_share"]
    what = "self-play, 6x64 on 9x9, int8 on OpenVINO, 2 processes x 64 games"
    text = f"{evaluations['value']:,.0f} [{evaluations['low']:,.0f}, {evaluations['high']:,.0f}] evaluations/s, n={speed['rounds']}"
    yield Row(what, "8,000 evaluations/s", text, evaluations["value"] >= 8000)
    text = f"{tree['value']:.1%} [{tree['low']:.1%}, {tree['high']:.1%}] of the time, n={speed['rounds']}"
    yield Row(f"{what}: all but the net", "15 %", text, tree["value"] <= 0.15)


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "startup": startup,
    "overhead": overhead,
    "conversion": conversion,
    "training": training,
    "parity": parity,
    "selfplay": selfplay,
}


def measure(names: Sequence[str]) -> list[Row]:
    """The rows of these parts; a part that fails is a row with its reason."""
    rows: list[Row] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            rows += PARTS[name]()
        except Exception as error:
            rows.append(Row(name, "", f"{type(error).__name__}: {error}".splitlines()[0], None))
    return rows


def markdown(rows: Sequence[Row], before: float) -> str:
    """The report: the machine, then a table."""
    machine = this_machine()
    met = {True: "met", False: "**not met**", None: "not measured"}
    lines = [
        "# Budgets, measured",
        "",
        "Made by `make bench`; never edited by hand. Raw values: [benchmarks.json](benchmarks.json).",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.cpu}, {machine.threads} threads, {', '.join(machine.instruction_sets)}; "
        f"Python {machine.python}; load average {before:.1f} before, {load_average():.1f} after. "
        + ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        + ".",
        "",
        "| what | budget | measured | |",
        "| --- | --- | --- | --- |",
        *(f"| {row.what} | {row.budget} | {row.measured} | {met[row.met]} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be given several times")
    options = parser.parse_args()
    before = load_average()
    rows = measure(options.only or list(PARTS))
    write_file(options.out, markdown(rows, before))
    raw = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": this_machine(), "rows": [asdict(row) for row in rows]}
    write_file(options.out.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(raw), indent=2) + b"\n")
    print(options.out.read_text())


if __name__ == "__main__":
    main()
