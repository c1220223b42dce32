"""What stands in fenced blocks of the README and of docs, run as a reader would paste it, page by page: ``python -m tests.documents``.

A block of Python or TOML that begins with ``# NAME.py`` or ``# NAME.toml`` is that file; other Python runs; lines of a console block that
begin with ``$`` run in a shell, and what stands below them must be printed where the page says so. HTML comments above a block, which no
reader sees, say what a page supposes:

- ``<!-- given: NAME, ... -->``: files of the reader's own, made by `GIVEN`;
- ``<!-- not run: REASON -->``: a block that needs hardware, the net, hours or a person;
- ``<!-- exit code N: REASON -->``: a block whose last command ends so;
- ``<!-- printed -->``: each row below a command is among what it prints, whatever the numbers are and wherever its last column breaks;
  three dots stand for whatever the page leaves out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.models.data import find_data

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TIMEOUT_S = 900.0
_BLOCK = re.compile(r"^```(?P<kind>console|python|toml)\n(?P<text>.*?)^```$", flags=re.MULTILINE | re.DOTALL)
_COMMENTS = re.compile(r"(?:^<!-- (?P<text>[^\n]*) -->\n+)\Z", flags=re.MULTILINE)
_FILE = re.compile(r"# (?P<name>[\w.-]+\.(?:py|toml))\n")
_NUMBERS = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?")
_TIMES = re.compile(r"#\s+(ns|µs|ms|s|min)\b|\bcached\b")
"""What took a while, or was kept by a page before."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        page: its file.
        line: its first line there, counted from one.
        kind: console, python or toml.
        text: without the fences.
        given: names of the reader's own files.
        not_run: why it is not run; empty where it is.
        code: with which the last command ends.
        printed: whether what stands below the commands is compared.
    """

    page: Path
    line: int
    kind: str
    text: str
    given: tuple[str, ...] = ()
    not_run: str = ""
    code: int = 0
    printed: bool = False

    @property
    def file(self) -> str:
        """The name of the file that it is; empty for a block that runs."""
        match = _FILE.match(self.text)
        return match["name"] if match else ""

    @property
    def runs(self) -> bool:
        """Whether there is something to do: a block of output only has no command."""
        return not self.not_run and bool(self.file or self.kind == "python" or self.commands)

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command of a console block with the lines below it."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return found


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page in order; raises `ValueError` for a comment above one that says nothing known."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        block = Block(page, text[: match.start()].count("\n") + 1, match["kind"], match["text"])
        before = text[: match.start()]
        while comment := _COMMENTS.search(before):
            block, before = _told(block, comment["text"]), before[: comment.start()]
        yield block


def _told(block: Block, comment: str) -> Block:
    key, _, value = (part.strip() for part in comment.partition(":"))
    if key == "given":
        return replace(block, given=tuple(name.strip() for name in value.split(",")))
    if key == "not run" and value:
        return replace(block, not_run=value)
    if key.startswith("exit code ") and value:
        return replace(block, code=int(key.removeprefix("exit code ")))
    if key == "printed":
        return replace(block, printed=True)
    # Marks of other programs, such as where generated figures stand.
    return block


def run(page: Path, folder: Path, demo: Path) -> Iterator[tuple[Block, str]]:
    """Run the blocks of a page in `folder`, with the bundle `demo` as ``artifacts/cnn``; each with its problem or nothing."""
    shutil.copytree(demo, folder / "artifacts" / "cnn")
    for name in ("models", "benchmarks", "tests"):
        (folder / name).symlink_to(ROOT / name)
    for block in blocks(page):
        if block.runs:
            yield block, _problem(block, folder, demo)


def _problem(block: Block, folder: Path, demo: Path) -> str:
    for name in block.given:
        GIVEN[name](folder, demo)
    if block.file:
        (folder / block.file).write_text(block.text, encoding="utf-8")
        return ""
    if block.kind == "python":
        return _of_run([sys.executable, "-c", block.text], folder)[1]
    commands = block.commands
    for number, (command, below) in enumerate(commands, 1):
        output, problem = _of_run(["bash", "-c", command], folder, block.code if number == len(commands) else 0)
        if problem:
            return f"$ {command}\n{problem}"
        unseen = missing(below, output) if block.printed else []
        if unseen:
            return f"$ {command}\nnot printed: {unseen}\nbut\n{output}"
    return ""


def missing(below: list[str], output: str) -> list[str]:
    """The rows that are not printed; a line that begins with a space goes on with the row above it."""
    told = f" {_alike(output)} "
    return [row for row in re.split(r"\n(?!\s)", "\n".join(below)) if _alike(row) not in {"", "..."} and f" {_alike(row)} " not in told]


def _alike(text: str) -> str:
    """Its words without their numbers and units of time: these give columns their widths, and so decide where the last one breaks."""
    return " ".join(_TIMES.sub(r"# s", _NUMBERS.sub("#", text)).split())


def _of_run(words: list[str], folder: Path, code: int = 0) -> tuple[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        return "", f"not done in {TIMEOUT_S:g} s\n{(error.stderr or b'').decode()[-2000:]}"
    if done.returncode != code:
        return done.stdout, f"exit code {done.returncode}, not {code}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr, ""


def _image(folder: Path, _demo: Path) -> None:
    for name in ("image.npy", "row.npy"):
        np.save(folder / name, np.zeros((1, 1, 8, 8), np.float32))


def _images(folder: Path, _demo: Path) -> None:
    random = np.random.default_rng(0)
    images, digits = random.standard_normal((200, 1, 8, 8)).astype(np.float32), random.integers(0, 10, 200)
    np.savez(folder / "samples.npz", image=images, targets=digits)


def _tokens(folder: Path, _demo: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(folder / "samples.npz", tokens=random.integers(0, 1000, (1000, 12)), mask=random.random((1000, 12)) < 0.9)


def _large_images(folder: Path, _demo: Path) -> None:
    np.savez(folder / "samples.npz", image=np.random.default_rng(0).standard_normal((1000, 3, 32, 32)).astype(np.float32))


def _net(folder: Path, _demo: Path) -> None:
    """A network in a file, as the README speaks of it."""
    (folder / "net.py").write_text(
        """
import torch


class Scorer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))

    def forward(self, image):
        return {"scores": self.head(image)}
"""
    )


def _weights(folder: Path, _demo: Path) -> None:
    """Of the network in ``net.py``, as its owner keeps them."""
    code = "import net, safetensors.torch as s; s.save_file(net.make().state_dict(), 'net.safetensors')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


def _torchscript(folder: Path, _demo: Path) -> None:
    code = """
import torch
layers = torch.nn.Conv2d(3, 8, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 5)
torch.jit.save(torch.jit.script(torch.nn.Sequential(*layers).eval()), "model.ts")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=folder, check=True)


def _onnx(folder: Path, demo: Path) -> None:
    shutil.copyfile(demo / "onnx-fp32" / "model.onnx", folder / "model.onnx")


def _digits(folder: Path, demo: Path) -> None:
    shutil.copyfile(demo / "onnx-fp32" / "model.onnx", folder / "digits.onnx")


def _rows(folder: Path, _demo: Path) -> None:
    """240 images that no training has seen, and what they show."""
    samples = find_data("digits").load("test", rows=slice(240))
    np.savez(folder / "rows.npz", image=samples.inputs["image"], targets=np.asarray(samples.targets))


def _keras(folder: Path, _demo: Path) -> None:
    """A network that has learnt the digits for a moment, in channels-last order as Keras has it."""
    train = find_data("digits").load("train")
    np.savez(folder / "train.npz", image=train.inputs["image"], digit=np.asarray(train.targets))
    code = """
import keras, numpy
keras.utils.set_random_seed(0)
data = numpy.load("train.npz")
layers = keras.layers
net = keras.Sequential([layers.Input((1, 8, 8), name="image"), layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(10)])
net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(data["image"], data["digit"], epochs=10, verbose=0)
net.save("mine.keras")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=folder, check=True, stderr=subprocess.DEVNULL)


def _x(folder: Path, _demo: Path) -> None:
    np.save(folder / "x.npy", np.ones((1, 8), np.float32))


def _raw(folder: Path, _demo: Path) -> None:
    images, digits = _pixels()
    np.savez(folder / "raw.npz", images=images * 16, digits=digits)


def _photos(folder: Path, _demo: Path) -> None:
    from PIL import Image

    for number, (image, digit) in enumerate(zip(*_pixels(), strict=True)):
        (home := folder / "photos" / str(digit)).mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 255).round().astype(np.uint8)).save(home / f"{number}.png")


def _table(folder: Path, _demo: Path) -> None:
    images, digits = _pixels()
    rows = np.column_stack([((images - 0.305) / 0.376).reshape(len(images), -1), digits])
    names = [*(f"p{place}" for place in range(64)), "digit"]
    np.savetxt(folder / "table.csv", rows, delimiter=",", header=",".join(names), comments="", fmt=[*["%.6f"] * 64, "%d"])


def _pixels() -> tuple[np.ndarray, np.ndarray]:
    """300 images ``[N, 8, 8]`` from 0 to 1 that no training has seen, and what they show."""
    samples = find_data("digits").load("test", rows=slice(300))
    return samples.inputs["image"][:, 0] * 0.376 + 0.305, np.asarray(samples.targets)


GIVEN: dict[str, Callable[[Path, Path], None]] = {
    "image.npy": _image,
    "row.npy": _image,
    "samples.npz of images": _images,
    "samples.npz of tokens": _tokens,
    "samples.npz of large images": _large_images,
    "net.py": _net,
    "net.safetensors": _weights,
    "model.ts": _torchscript,
    "model.onnx": _onnx,
    "digits.onnx": _digits,
    "rows.npz": _rows,
    "mine.keras": _keras,
    "x.npy": _x,
    "raw.npz": _raw,
    "photos of digits": _photos,
    "table.csv of digits": _table,
}


def main() -> int:
    """Run every page, or those that are named, and print each block with its result."""
    chosen = [Path(word).resolve() for word in sys.argv[1:]] or PAGES
    failed = 0
    with tempfile.TemporaryDirectory(prefix="toolkit-docs-") as name:
        home = Path(name)
        print("making the demo's bundle", flush=True)
        _, problem = _of_run([sys.executable, "-m", "toolkit", "demo", "--rounds", "1", "--out", "first"], home)
        if problem:
            print(problem)
            return 1
        for page in chosen:
            folder = home / "-".join(page.relative_to(ROOT).with_suffix("").parts)
            folder.mkdir()
            for block, problem in run(page, folder, home / "first" / "cnn"):
                failed += bool(problem)
                print(f"{page.relative_to(ROOT)}:{block.line}: {problem or 'ok'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
