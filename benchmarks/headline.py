"""The figures of the README, out of the files that the benchmarks have written: never typed by hand.

python -m benchmarks.headline
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from toolkit.core import write_file

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- headline: [^>]*-->\n).*?(<!-- /headline -->)", flags=re.DOTALL)
# A row of docs/benchmarks.json by its name there, and what the README calls it.
BUDGETS = {
    "cnn on fashion-mnist: nine artifacts with parity": "three formats in fp32, fp16 and int8 of a CNN, converted and verified",
    "`session.run`, onnxruntime, onnx, cnn [1, 1, 8, 8]": "what `session.run` adds to a call of ONNX Runtime",
    "resnet, onnx-int8, onnxruntime computing in fp32: accuracy lost": "accuracy that int8 costs a ResNet on Fashion-MNIST",
    "self-play, 6x64 on 9x9, int8 on OpenVINO, 2 processes x 64 games": "self-play of a 6 x 64 Go net in int8",
}


def headline() -> str:
    """The table, with the machine and the date of the run, and how many networks of others convert."""
    budgets = json.loads((ROOT / "docs" / "benchmarks.json").read_text())
    measured = {row["what"]: row["measured"] for row in budgets["rows"]}
    machine = budgets["machine"]
    vnni = "with" if any("vnni" in each for each in machine["instruction_sets"]) else "without"
    return "\n".join(
        [
            "| what | measured |",
            "| --- | --- |",
            *(f"| {title} | {measured[name]} |" for name, title in BUDGETS.items()),
            f"| architectures of others in ONNX, OpenVINO and TF Lite, fp32 | {_conversions('fp32')} |",
            f"| the same in int8, untrained weights | {_conversions('int8')} |",
            "",
            f"{machine['cpu']}, {machine['threads']} threads, {vnni} VNNI, {budgets['date']}: [docs/benchmarks.md](docs/benchmarks.md). "
            "The last two rows: [docs/coverage.md](docs/coverage.md).",
        ]
    )


def _conversions(precision: str) -> str:
    networks = json.loads((ROOT / "docs" / "coverage.json").read_text())
    # A cell whose state is "source" is the file that was given.
    states = Counter(
        cell["state"]
        for network in networks
        for cell in network["cells"]
        if cell["target"].endswith(f"-{precision}") and cell["state"] != "source"
    )
    parts = [f"{states['passed']} of {states.total()} passed"]
    parts += [f"{states[state]} {state}" for state in ("undecided", "failed") if states[state]]
    return f"{', '.join(parts)} ({len(networks)} networks)"


def readme(text: str) -> str:
    """The README with the table in its place."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{headline()}\n\n{match[2]}", text)


if __name__ == "__main__":
    write_file(README, readme(README.read_text()))
