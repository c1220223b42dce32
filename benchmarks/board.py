"""What a page with a board weighs, and how long its moves take in headless Chromium on one core: docs/browser.md, "Play in the browser".

python -m benchmarks.board models/alphago/nets/go-9x9/onnx-int8 --playouts 400 --moves 8

The network plays itself. Its first move finds nothing in the cache but the empty board; each later one has what the search before it
looked at. Playwright and Chromium share the one core, so that nothing of a move runs beside it. Processor time is that of all their
processes: it is what a move would take if no other program wanted the core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from toolkit.core import load_average
from toolkit.pipeline.export.web import Site, export_web
from toolkit.runtimes.browser.packages import chromium
from toolkit.runtimes.browser.server import FileServer

_ENGINE = ("engine.js", "gunzip.js", "ort.mjs", "ort.wasm.gz")
_MOVE = """async ([playouts, moves]) => {
  const about = await (await fetch('model.json')).json();
  const {openThinker} = await import('./thinker.js');
  globalThis.thinker ??= await openThinker(about, 1);
  const start = performance.now();
  const {action} = await thinker.think({options: {}, setup: {}, moves}, playouts);
  return [action, performance.now() - start];
}"""


@dataclass(frozen=True)
class Moved:
    """Seconds of a move: as they pass, and of the processor."""

    wall_s: float
    processor_s: float


def measured(site: Site, *, playouts: int, moves: int) -> tuple[float, list[Moved]]:
    """Seconds until the page is ready, and of each move."""
    from playwright.sync_api import sync_playwright

    host = FileServer()
    files = {name: site.folder / name for name in site.files}
    address = host.publish({"": files["index.html"], **files})
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--disable-gpu"])
        page = browser.new_page()
        start = time.perf_counter()
        page.goto(f"{address}index.html")
        page.wait_for_selector("body[data-state=ready]", timeout=120_000)
        ready = time.perf_counter() - start
        played: list[Any] = []
        page.evaluate(_MOVE, [1, []])  # opens the network
        made = []
        for count in range(moves):
            before = _processor_s()
            action, milliseconds = page.evaluate(_MOVE, [playouts, played])
            made.append(Moved(milliseconds / 1000, _processor_s() - before))
            played.append([1 + count % 2, action])
        browser.close()
    host.stop()
    return ready, made


def _processor_s() -> float:
    """Of all processes below this one so far."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return float(sum(each.user + each.system for each in times))


def _told(times: list[float]) -> str:
    return f"median {statistics.median(times):.2f}, {min(times):.2f} to {max(times):.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", type=Path)
    parser.add_argument("--playouts", type=int, default=400)
    parser.add_argument("--moves", type=int, default=8)
    options = parser.parse_args()
    # What is started from here, Chromium with all its processes, stays on this core.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        site = export_web(options.net, Path(folder) / "site")
        net = site.sizes["model.onnx"]
        engine = sum(site.sizes[name] for name in _ENGINE)
        print(f"bytes: page {site.size_bytes - engine - net}, engine {engine}, net {net}, all {site.size_bytes}")
        before = load_average()
        ready, made = measured(site, playouts=options.playouts, moves=options.moves)
    print(f"load average {before} before, {load_average()} after; page ready in {ready:.2f} s")
    first, later = made[0], made[1:]
    print(f"first move of {options.playouts} playouts: {first.wall_s:.2f} s, processor {first.processor_s:.2f} s")
    if later:
        walls, processor = _told([move.wall_s for move in later]), _told([move.processor_s for move in later])
        print(f"{len(later)} later moves: {walls}; processor {processor}")


if __name__ == "__main__":
    main()
