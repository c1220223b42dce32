"""How often ``toolkit gate`` is right: ``python -m benchmarks.gate --work FOLDER`` writes docs/gate-trials.md and docs/gate-trials.json.

Equal files that only say something else of themselves must pass, files with a layer more that costs about a tenth must fail, and files
whose last bias was shifted until two points fewer samples are right must fail. Each trial is the command in a process of its own. Trials
that are done are not done again: what is in the JSON counts, and the run goes on from there.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.core import MANIFEST, Artifact, load_average, sha256_of, this_machine, write_file
from toolkit.core.measurement import Setting
from toolkit.pipeline.gate.check import QUICK
from toolkit.runtimes.benchmark import run_pairs

ROOT = Path(__file__).resolve().parents[1]
COUNTS = {"equal": 100, "slower": 40, "worse": 20}
WANTED = {"equal": "at most 3 of 100 failed", "slower": "at least 38 of 40 failed", "worse": "20 of 20 failed"}
ABOUT = {
    "equal": "the same network, another note in the file",
    "slower": "a layer more that changes nothing",
    "worse": "a shifted bias of the last layer, 5,000 samples",
}
_HEAD = ("planted", "by", "runs", "failed", "passed", "undecided", "wanted", "pairs", "seconds", "load")
_TIMED, _JUDGED = "onnx-int8", "onnx-fp32"
_SETTLED = 40
"""Pairs by which the planted slowdown is known."""


@dataclass(frozen=True)
class Trial:
    """One run of the command.

    Args:
        kind: equal, slower, worse.
        planted: how much slower in percent, or worse in points, the new file is.
        verdict: passed, failed, undecided.
        pairs: that were measured.
        seconds: of the whole command.
        load: the one-minute load average at its end.
    """

    kind: str
    planted: float
    verdict: str
    pairs: int
    seconds: float
    load: float


def main() -> None:
    """Do the trials that are not done yet, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "artifacts" / "gate", help="where bundles are kept")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gate-trials.md", help="the page")
    options = parser.parse_args()
    answers = options.out.with_suffix(".json")
    trials = [Trial(**each) for each in json.loads(answers.read_text())["trials"]] if answers.is_file() else []
    for kind, number in _order():
        if sum(each.kind == kind for each in trials) <= number:
            trials.append(_trial(kind, number, options.work.absolute()))
            print(trials[-1], flush=True)
            write_file(answers, json.dumps({"machine": _machine(), "trials": [asdict(each) for each in trials]}, indent=1) + "\n")
            write_file(options.out, page(trials, _machine()))


def _order() -> Iterator[tuple[str, int]]:
    """All kinds along the whole run, so that each meets the machine as it is at any time."""
    places = [(number / count, kind, number) for kind, count in COUNTS.items() for number in range(count)]
    yield from ((kind, number) for _, kind, number in sorted(places))


def _baseline(work: Path, kind: str) -> Path:
    """A trained cnn in two files, packed: on digits; on Fashion-MNIST, with samples enough for a point, where answers are compared."""
    work = work / ("judged" if kind == "worse" else "timed")
    packed = work / "cnn.zip"
    if not packed.is_file():
        data = ["fashion-mnist", "--epochs", "2"] if kind == "worse" else ["digits"]
        _toolkit("train", "cnn", "--data", *data, "--out", str(work), "--overwrite")
        _toolkit("convert", str(work / "cnn"), "--to", "onnx", "--precision", "fp32,int8", "--out", str(work), codes=(0, 1))
        _toolkit("bundle", str(work / "cnn"), "--samples", "5000", "--out", str(packed))
    return packed


def _trial(kind: str, number: int, work: Path) -> Trial:
    baseline = _baseline(work, kind)
    folder = work / f"{kind}-{number if kind == 'worse' else 0}"
    planted = folder / "planted"
    if not planted.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(baseline.with_suffix(""), folder)
        planted.write_text(str(_PLANT[kind](folder, baseline.with_suffix(""), number)))
    name = _JUDGED if kind == "worse" else _TIMED
    words = ["gate", str(folder), "--baseline", str(baseline), "--artifact", name, "--json"]
    start = time.perf_counter()
    told = json.loads(_toolkit(*words, *(["--minutes", "0.05"] if kind == "worse" else []), codes=(0, 1, 3)))
    changes = {change["what"]: change["verdict"] for change in told["rows"][0]["changes"]}
    verdict = changes["accuracy" if kind == "worse" else "latency"]
    return Trial(kind, float(planted.read_text()), verdict, told["pairs"], time.perf_counter() - start, load_average())


def _equal(folder: Path, _: Path, __: int) -> float:
    _edit(folder / _TIMED, lambda model: setattr(model, "doc_string", "again"))
    return 0.0


def _slower(folder: Path, before: Path, _: int) -> float:
    """As many products with the unit matrix at the end as come nearest to a tenth more."""
    tried: dict[int, float] = {}
    for layers in range(1, 9):
        _edit(folder / _TIMED, functools.partial(_longer, layers=layers), source=before / _TIMED)
        tried[layers] = _ratio(folder / _TIMED, before / _TIMED, folder)
        if tried[layers] > 1.1:
            break
    best = min(tried, key=lambda layers: abs(tried[layers] - 1.1))
    _edit(folder / _TIMED, functools.partial(_longer, layers=best), source=before / _TIMED)
    return 100 * (_ratio(folder / _TIMED, before / _TIMED, folder) - 1)


def _longer(model: Any, layers: int) -> None:
    from onnx import helper, numpy_helper

    output = model.graph.output[0]
    width = output.type.tensor_type.shape.dim[-1].dim_value
    last = next(node for node in model.graph.node if output.name in node.output)
    last.output[:] = ["more0" if name == output.name else name for name in last.output]
    model.graph.initializer.append(numpy_helper.from_array(np.eye(width, dtype=np.float32), "unit"))
    for layer in range(layers):
        made = output.name if layer == layers - 1 else f"more{layer + 1}"
        model.graph.node.append(helper.make_node("MatMul", [f"more{layer}", "unit"], [made], name=f"more_{layer}"))


def _ratio(new: Path, old: Path, folder: Path) -> float:
    """How much longer a call takes, as the median of many pairs."""
    from toolkit.core import Bundle
    from toolkit.pipeline.source.resolve import trained
    from toolkit.pipeline.source.samples import split_samples

    inputs = folder / "inputs.npz"
    split_samples(trained(Bundle.load(old.parent)), None).evaluation.rows(slice(64)).save(inputs)
    artifacts = [Artifact.load(each) for each in (new, old)]
    first, second = (
        Setting(str(each.path), each.name, each.manifest.content_sha256, "onnxruntime", threads=this_machine().threads)
        for each in artifacts
    )
    logs = [run_pairs([(first, second)], inputs=inputs, protocol=QUICK, index=1000 + index)[0].log_ratio for index in range(_SETTLED)]
    return float(np.exp(np.median(logs)))


def _worse(folder: Path, before: Path, number: int) -> float:
    """The bias of one class moved up or down until two points fewer are right, of the samples that are compared."""
    import onnxruntime
    from onnx import numpy_helper

    from toolkit.pipeline.bundle import unpacked

    scratch = folder / "scratch"
    scratch.mkdir()
    _, samples = unpacked(before.parent / "cnn.zip", scratch)
    shutil.rmtree(scratch)
    kind, sign = number // 2, 1 if number % 2 else -1
    low, high, lost = 0.0, 64.0, 0.0
    for _ in range(24):
        shift = (low + high) / 2

        def moved(model: Any, shift: float = shift) -> None:
            bias = next(each for each in model.graph.initializer if list(each.dims) == [10])
            values = numpy_helper.to_array(bias).copy()
            values[kind] += sign * shift
            bias.CopyFrom(numpy_helper.from_array(values, bias.name))

        _edit(folder / _JUDGED, moved, source=before / _JUDGED)
        rights = []
        for file in (before / _JUDGED, folder / _JUDGED):
            session = onnxruntime.InferenceSession(str(file / "model.onnx"), providers=["CPUExecutionProvider"])
            (scores,) = session.run(None, dict(samples.batch(np.arange(len(samples)))))
            rights.append(float((scores.argmax(-1) == samples.targets).mean()))
        lost = 100 * (rights[0] - rights[1])
        low, high = (shift, high) if lost < 2 else (low, shift)
        if 2 <= lost < 2.2:
            break
    return lost


_PLANT: dict[str, Callable[[Path, Path, int], float]] = {"equal": _equal, "slower": _slower, "worse": _worse}


def _edit(folder: Path, edit: Callable[[Any], object], *, source: Path | None = None) -> None:
    """Change a model file and let its manifest say so."""
    import onnx

    artifact = Artifact.load(folder, verify=False)
    model = onnx.load((source or folder) / artifact.model_file.name)
    edit(model)
    onnx.save(model, artifact.model_file)
    files = {name: sha256_of(folder / name) for name in artifact.manifest.files}
    (folder / MANIFEST).write_bytes(replace(artifact.manifest, files=files, evidence=()).to_json())


def _toolkit(*words: str, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run([sys.executable, "-m", "toolkit", *words], capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        sys.exit(f"toolkit {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def _machine() -> str:
    machine = this_machine()
    return f"{machine.cpu}, {machine.threads} threads, {', '.join(machine.instruction_sets)}; {time.strftime('%Y-%m-%d')}"


def page(trials: list[Trial], machine: str) -> str:
    """The page."""
    lines = [
        "# How often a gate is right",
        "",
        "`make bench-gate` plants what [toolkit gate](gate.md) must find in a trained `cnn`, and runs the command, with its own limits.",
        "Trials of all kinds are mixed along a run; the load says what else the machine did.",
        "",
        f"| {' | '.join(_HEAD)} |",
        f"| {' | '.join('---' for _ in _HEAD)} |",
    ]
    for kind in COUNTS:
        own = [each for each in trials if each.kind == kind]
        if not own:
            continue
        counts = [sum(each.verdict == verdict for each in own) for verdict in ("failed", "passed", "undecided")]
        amounts = sorted(each.planted for each in own)
        unit = {"equal": "nothing", "slower": f"{amounts[0]:.1f} % slower", "worse": f"{amounts[0]:.2f} to {amounts[-1]:.2f} points"}[kind]
        spreads = [_spread([getattr(each, name) for each in own]) for name in ("pairs", "seconds", "load")]
        lines.append(f"| {unit} | {ABOUT[kind]} | {len(own)} | {' | '.join(map(str, counts))} | {WANTED[kind]} | {' | '.join(spreads)} |")
    lines += ["", "Pairs, seconds and load are the median with the least and the most.", "", f"{machine}.", ""]
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{np.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


if __name__ == "__main__":
    main()
