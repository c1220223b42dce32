"""Memory of `toolkit convert --data` over pictures that do not fit into it: docs/streaming.md.

python -m benchmarks.streaming --gigabytes 20
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from toolkit.core import load_average, this_machine, write_file
from toolkit.core.memory import tree_bytes

ROOT = Path(__file__).resolve().parents[1]
PICTURE, INPUT, CLASSES = 1536, 320, 10
"""Sides in pixels."""
GIGABYTES = 20.0
LOOK_S = 0.1
MAPS = (32, INPUT // 8, INPUT // 8)
"""The network's large output."""
_DISTINCT, _VARIED = 20, 12
"""How many pictures are drawn, and how many numbers of each one's quantization table are varied for all others: encoding takes longest."""


@dataclass(frozen=True)
class Run:
    """A conversion that was watched.

    Args:
        gigabytes: of JPEG files.
        pictures: how many.
        decoded_gigabytes: of their pixels.
        prepared_gigabytes: of inputs.
        output_gigabytes: of what the network answers, once.
        seconds: of the command, with preparing the samples.
        peak_gigabytes: the largest memory of the command and all that it started at one moment; a page that several share counts once.
        code: the exit code.
    """

    gigabytes: float
    pictures: int
    decoded_gigabytes: float
    prepared_gigabytes: float
    output_gigabytes: float
    seconds: float
    peak_gigabytes: float
    code: int


def write_pictures(folder: Path, gigabytes: float) -> tuple[int, int]:
    """JPEGs of noise over a gradient in a folder for each class, no two alike; how many there are, and their bytes."""
    drawn = [_jpeg(number) for number in range(_DISTINCT)]
    count = total = 0
    while total < gigabytes * 1e9:
        (home := folder / str(count % CLASSES)).mkdir(parents=True, exist_ok=True)
        content = _varied(drawn[count % _DISTINCT], count // _DISTINCT)
        (home / f"{count}.jpg").write_bytes(content)
        count, total = count + 1, total + len(content)
    return count, total


def _jpeg(number: int) -> bytes:
    """A picture whose class is in the red channel."""
    from PIL import Image

    y, x = np.mgrid[0:PICTURE, 0:PICTURE] * (255 / PICTURE)
    noise = np.random.default_rng(number).normal(0, 40, (PICTURE, PICTURE))
    planes = [20 + 22 * (number % CLASSES) + noise, x + noise, np.roll(y, 70, axis=0) + np.roll(noise, 9)]
    Image.fromarray(np.stack(planes, -1).clip(0, 255).astype(np.uint8)).save(sink := io.BytesIO(), format="JPEG", quality=98)
    return sink.getvalue()


def _varied(jpeg: bytes, number: int) -> bytes:
    """The same picture with other contrast in some frequencies: each bit of `number` adds 1 to an entry of the first quantization table."""
    content, table = bytearray(jpeg), jpeg.find(b"\xff\xdb") + 5
    for bit in range(_VARIED):
        content[table + 1 + bit] += number >> bit & 1
    return bytes(content)


def write_network(file: Path) -> None:
    """Two convolutions and a mean, as ONNX, that see the class in the red channel; the second one's maps are an output too."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {
        "w1": (random.standard_normal((16, 3, 7, 7)) / 12).astype(np.float32),
        "w2": (random.standard_normal((32, 16, 3, 3)) / 12).astype(np.float32),
        "w3": random.standard_normal((32, CLASSES)).astype(np.float32),
        "b3": np.zeros(CLASSES, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], strides=[4, 4], pads=[3, 3, 3, 3]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, INPUT, INPUT])
    results = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES]),
        helper.make_tensor_value_info("c2", TensorProto.FLOAT, ["batch", *MAPS]),
    ]
    graph = helper.make_graph(nodes, "net", [image], results, [numpy_helper.from_array(value, name) for name, value in weights.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)


def watched(command: list[str], folder: Path) -> tuple[float, int, int]:
    """The seconds that a command takes, the largest memory of it and all that it started, in bytes, and its exit code."""
    environment = {**os.environ, "TOOLKIT_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    start, peak = time.perf_counter(), 0
    child = subprocess.Popen(command, cwd=folder, env=environment)
    while child.poll() is None:
        if tree_bytes(child.pid) > peak:  # Counting shared pages once walks them all: only where it can matter.
            peak = max(peak, tree_bytes(child.pid, exact=True))
        time.sleep(LOOK_S)
    return time.perf_counter() - start, peak, child.returncode


def measure(folder: Path, gigabytes: float, *, to: str, precision: str, calibration: int) -> Run:
    """Write the set, convert, watch."""
    count, size = write_pictures(folder / "photos", gigabytes)
    write_network(folder / "net.onnx")
    words = ["convert", "net.onnx", "--data", "photos", "--to", to, "--precision", precision, "--calibration", str(calibration)]
    seconds, peak, code = watched([sys.executable, "-m", "toolkit", *words, "--max-drop", "20", "--timeout", "36000"], folder)
    each = [3 * PICTURE**2, 12 * INPUT**2, 4 * math.prod(MAPS)]
    decoded, prepared, outputs = (count * size / 1e9 for size in each)
    return Run(size / 1e9, count, decoded, prepared, outputs, seconds, peak / 1e9, code)


def page(record: dict[str, object], run: Run, options: argparse.Namespace) -> str:
    """The report."""
    row = (
        f"{run.gigabytes:.1f} GB",
        f"{run.pictures:,}",
        *(f"{size:.1f} GB" for size in (run.decoded_gigabytes, run.prepared_gigabytes, run.output_gigabytes)),
        f"**{run.peak_gigabytes:.2f} GB**",
        f"{run.seconds / 60:.1f} min",
    )
    lines = [
        "# Data larger than memory",
        "",
        "Made by `python -m benchmarks.streaming`; never edited by hand.",
        "",
        f"{record['machine_text']}, {record['date']}. Generated JPEGs of {PICTURE} x {PICTURE} pixels in a folder for each class become",
        f"inputs of 3 x {INPUT} x {INPUT} float32. A network that answers with class scores and {MAPS[0]} maps of {MAPS[1]} x {MAPS[2]} is",
        f"converted to {options.to} in {options.precision}: at most {options.calibration} pictures calibrate, all others verify. Memory is",
        "that of the command and of everything that it started, looked at ten times a second; a page that several processes share counts",
        "once, and a page of a mapped file counts for whoever touched it.",
        "",
        "| JPEG files | pictures | decoded | prepared | outputs | peak memory | time |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| {' | '.join(row)} |",
        "",
        *(["This run is of a small set; the default is one of 20 GB.", ""] if run.gigabytes < GIGABYTES else []),
        "Samples and outputs pass through memory in parts. What that costs is the disk: prepared samples lie in the user's",
        "cache, as many bytes as their numbers are, until `toolkit cache clear`; outputs as long as the command runs.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the page and the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=GIGABYTES, help="of JPEG files")
    parser.add_argument("--to", default="onnx,openvino")
    parser.add_argument("--precision", default="fp32,int8")
    parser.add_argument("--calibration", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="where the set is written; by default where temporary files are")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "streaming.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="toolkit-streaming-", dir=options.folder) as folder:
        run = measure(Path(folder), options.gigabytes, to=options.to, precision=options.precision, calibration=options.calibration)
    if run.code:
        raise SystemExit(f"the conversion ended with {run.code}: {run}")
    machine = this_machine()
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": asdict(machine),
        "machine_text": f"{machine.cpu}, {machine.threads} threads, {machine.memory_gib:.0f} GiB",
        "load": load_average(),
        "to": options.to,
        "precision": options.precision,
        "calibration": options.calibration,
        "run": asdict(run),
    }
    write_file(options.out.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    write_file(options.out, page(record, run, options))
    print(run)


if __name__ == "__main__":
    main()
